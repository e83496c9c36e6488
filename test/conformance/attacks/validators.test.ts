import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

describe('an issuer with an ETag that is none (RFC 9110 8.8.3)', () => {
  it.each(['*', ' * ', '"a", *', '"a", "b"', 'a b', '"'])(
    'such as %s is asked without it, so that a rotation shows',
    async (etag) => {
      const clock = createManualClock()
      const issuer = await startIssuer({ clock })
      issuer.setHeaders('jwks', { etag })
      // What a server makes of `If-None-Match: *` (RFC 9110 §13.1.2): the document exists, so nothing has changed.
      issuer.answerAlways('jwks', ({ headers }) =>
        headers['if-none-match'] === undefined
          ? { kind: 'normal' }
          : { kind: 'reply', status: 304, headers: { etag: undefined } },
      )
      const registry = await startRegistryWith(issuer, { clock }, { prefetch: 'never' })
      await registry.resolve('acme', 'auth0')
      await issuer.rotate({ kid: 'rotated', keepPrevious: false })
      await clock.advance(600_000)
      const { keys } = await registry.resolve('acme', 'auth0')
      expect(keys.map(({ kid }) => kid)).toEqual(['rotated'])
    },
  )

  it.each(['"a"', 'W/"a"', '"a,b"', '""', 'a1b2', '"\u00e9"'])('is not one with %s', async (etag) => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    issuer.setHeaders('jwks', { etag })
    const registry = await startRegistryWith(issuer, { clock }, { prefetch: 'never' })
    await registry.resolve('acme', 'auth0')
    await clock.advance(600_000)
    await registry.resolve('acme', 'auth0')
    expect(issuer.requests.at(-1)?.headers['if-none-match']).toBe(etag)
  })
})
