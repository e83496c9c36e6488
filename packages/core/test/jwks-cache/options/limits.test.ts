import { describe, expect, it } from 'vitest'
import { rejectionOf, setScene, startAuthenticator } from '../scene.ts'

describe('maxResponseBytes', () => {
  it.each(['content-length', 'chunked'] as const)('bounds a body with %s framing', async (framing) => {
    const { issuer, resolve } = await setScene({ provider: { maxResponseBytes: 4_096 } })
    issuer.answerOnce('jwks', { kind: 'oversized-body', bytes: 4_097, framing })
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_RESPONSE_TOO_LARGE' } })
  })

  it('lets a body of just that size pass', async () => {
    const { issuer, resolve } = await setScene({ provider: { maxResponseBytes: 4_096 } })
    issuer.answerOnce('jwks', { kind: 'oversized-body', bytes: 4_096 })
    expect(await resolve()).toEqual(['key-1'])
  })

  it('is a mebibyte where it is not given', async () => {
    const { issuer, resolve } = await setScene({ provider: { negativeCacheTtl: 0 } })
    issuer.answerOnce('jwks', { kind: 'oversized-body', bytes: 1_048_577 })
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_RESPONSE_TOO_LARGE' } })
    issuer.answerOnce('jwks', { kind: 'oversized-body', bytes: 1_048_576 })
    expect(await resolve()).toEqual(['key-1'])
  })
})

describe('maxKeys', () => {
  it('does not read the entries of a set beyond it, and reports that', async () => {
    const { issuer, resolve, events } = await setScene({ provider: { maxKeys: 2 } })
    await issuer.addKey()
    await issuer.addKey()
    expect(await resolve()).toEqual(['key-1', 'key-2'])
    expect(events.filter(({ type }) => type === 'keys-refused').map(({ event }) => event)).toMatchObject([
      { count: 1, refused: [{ reason: 'too-many' }] },
    ])
  })
})

describe('maxRedirects', () => {
  it.each([
    [3, undefined],
    [1, 1],
    [0, 0],
  ])('follows %d redirects', async (redirects, maxRedirects) => {
    const { issuer, resolve } = await setScene({ provider: { maxRedirects, negativeCacheTtl: 0 } })
    const answer = { kind: 'redirect', location: issuer.jwksUri } as const
    issuer.answerOnce('jwks', ...Array.from({ length: redirects + 1 }, () => answer))
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_UPSTREAM_URL_NOT_ALLOWED' } })
    expect(issuer.requestCount('jwks')).toBe(redirects + 1)
    issuer.answerOnce('jwks', ...Array.from({ length: redirects }, () => answer))
    expect(await resolve()).toEqual(['key-1'])
  })
})

describe('algorithms', () => {
  it('are those that tokens may have', async () => {
    const allowing = await setScene({ provider: { algorithms: ['ES256'] } })
    expect(await startAuthenticator(allowing)(await allowing.issuer.sign())).toMatchObject({ ok: true })
    const refusing = await setScene({ provider: { algorithms: ['RS256'] } })
    expect(await startAuthenticator(refusing)(await refusing.issuer.sign())).toMatchObject({
      error: { code: 'ERR_ALGORITHM_NOT_ALLOWED' },
    })
    const resolver = refusing.registry.keyResolver('acme', 'main')
    expect(
      await rejectionOf(Promise.resolve(resolver({ alg: 'ES256' }, { payload: '', signature: '' }))),
    ).toMatchObject({ code: 'ERR_ALGORITHM_NOT_ALLOWED' })
  })
})
