import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { describe, expect, it } from 'vitest'
import { provider, type Scene, setScene, startAuthenticator, tenant } from './scene.ts'

function told({ events }: Scene, type: string): unknown[] {
  return events.filter((recorded) => recorded.type === type).map(({ event }) => event)
}

async function refresh({ registry }: Scene) {
  return await registry.refresh(tenant, provider)
}

describe('a set with keys that are no good', () => {
  it('of 500 keys, one of them broken, has 499 that work', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    const keys = Array.from({ length: 499 }, (_, index) => {
      const { publicKey } = generateKeys('ed25519')
      return { ...publicKey.export({ format: 'jwk' }), kid: `other-${index}` }
    })
    const broken = { ...issuer.signingKey.publicJwk, kid: 'broken', x: 'AA' }
    issuer.setJwks({ keys: [...keys.slice(0, 250), broken, ...keys.slice(250, 498), issuer.signingKey.publicJwk] })
    expect(await resolve()).toHaveLength(499)
    expect(told(scene, 'keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'broken', reason: 'malformed' }] },
    ])
    expect(await startAuthenticator(scene)(await issuer.sign())).toMatchObject({ ok: true })
  })

  it.each([
    ['an empty set', { keys: [] }],
    ['a set without a usable key', { keys: [{ kty: 'EC', kid: 'x' }] }],
    ['what is no set', { key: 'none' }],
    ['what is no JSON', 'Sign in, please'],
  ])('is a failed refresh where it is %s: the good set stays', async (_, document) => {
    const scene = await setScene()
    const { issuer, resolve, status } = scene
    await resolve()
    issuer.setJwks(document)
    expect(await refresh(scene)).toMatchObject({ ok: false, error: { code: 'ERR_KEY_SET_MALFORMED' } })
    expect(await resolve()).toEqual(['key-1'])
    expect(status()).toMatchObject({ health: 'failing', errorCount: 1, kids: ['key-1'] })
    issuer.setJwks(undefined)
    expect(await refresh(scene)).toMatchObject({ ok: true })
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0 })
  })

  it('has no key of the old set in the new one, and none of the new one in the old', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    await resolve()
    await issuer.rotate({ keepPrevious: false })
    expect(await refresh(scene)).toMatchObject({ ok: true, added: ['key-2'], removed: ['key-1'] })
    expect(await resolve()).toEqual(['key-2'])
    expect(told(scene, 'key-removed')).toEqual([{ tenant, provider, kid: 'key-1' }])
  })
})

describe('a private half that is published', () => {
  it('drops the key, the held copy too, and says so', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    const authenticate = startAuthenticator(scene)
    const other = await issuer.addKey()
    const token = await issuer.sign()
    expect(await authenticate(token)).toMatchObject({ ok: true })
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk, other.publicJwk] })
    expect(await refresh(scene)).toMatchObject({ ok: true, removed: ['key-1'] })
    expect(told(scene, 'keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'key-1', reason: 'private' }] },
    ])
    expect(told(scene, 'key-removed')).toEqual([{ tenant, provider, kid: 'key-1' }])
    expect(await resolve()).toEqual(['key-2'])
    expect(await authenticate(token)).toMatchObject({ ok: false, response: { status: 401 } })
  })

  it('drops the public form of the same key in the same set', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    const other = await issuer.addKey()
    const { publicJwk, privateJwk } = issuer.signingKey
    issuer.setJwks({ keys: [publicJwk, { ...privateJwk, kid: 'leak' }, other.publicJwk] })
    expect(await resolve()).toEqual(['key-2'])
  })

  it('drops the held copy although the answer is no good otherwise', async () => {
    const scene = await setScene()
    const { issuer, resolve, status } = scene
    await issuer.addKey()
    await resolve()
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk] })
    expect(await refresh(scene)).toMatchObject({ ok: false })
    expect(await resolve()).toEqual(['key-2'])
    expect(status()).toMatchObject({ health: 'failing', kids: ['key-2'] })
  })

  it('leaves nothing where the only held key is the one', async () => {
    const scene = await setScene()
    const { issuer, resolve, status } = scene
    await resolve()
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk] })
    expect(await refresh(scene)).toMatchObject({ ok: false })
    expect(status()).toMatchObject({ state: 'empty', health: 'unavailable', kids: [] })
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
  })
})

describe('a symmetric key', () => {
  it('is refused alone, with an event', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    issuer.setJwks({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'secret' }, issuer.signingKey.publicJwk] })
    expect(await resolve()).toEqual(['key-1'])
    expect(told(scene, 'keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'secret', reason: 'symmetric' }] },
    ])
  })
})

describe('a kid', () => {
  it('with new material is an event; the old token is refused and the new one accepted', async () => {
    const scene = await setScene()
    const { issuer } = scene
    const authenticate = startAuthenticator(scene)
    const old = await issuer.sign()
    expect(await authenticate(old)).toMatchObject({ ok: true })
    await issuer.rotate({ kid: 'key-1' })
    const fresh = await issuer.sign()
    // The signature is wrong under the cached key: one refetch, and another check because the material changed.
    expect(await authenticate(fresh)).toMatchObject({ ok: true })
    expect(told(scene, 'key-changed')).toEqual([{ tenant, provider, kid: 'key-1' }])
    expect(await authenticate(old)).toMatchObject({ ok: false, error: { code: 'ERR_SIGNATURE_INVALID' } })
  })

  it('under which a signature is wrong costs one refetch in each cooldown', async () => {
    const scene = await setScene()
    const { clock, issuer } = scene
    const authenticate = startAuthenticator(scene)
    const forged = await issuer.sign({}, { signWith: (await issuer.addKey()).privateKey })
    for (let request = 0; request < 20; request += 1) {
      expect(await authenticate(forged)).toMatchObject({ ok: false, error: { code: 'ERR_SIGNATURE_INVALID' } })
    }
    expect(issuer.requestCount('jwks')).toBe(2)
    await clock.advance(10_000)
    await authenticate(forged)
    expect(issuer.requestCount('jwks')).toBe(3)
  })

  it('that two keys share has both tried', async () => {
    const scene = await setScene()
    const { issuer } = scene
    const authenticate = startAuthenticator(scene)
    const other = await issuer.addKey()
    issuer.setJwks({ keys: [{ ...other.publicJwk, kid: 'key-1' }, issuer.signingKey.publicJwk] })
    expect(await authenticate(await issuer.sign())).toMatchObject({ ok: true })
    expect(await authenticate(await issuer.sign({}, { key: other, kid: 'key-1' }))).toMatchObject({ ok: true })
    expect(issuer.requestCount('jwks')).toBe(1)
  })
})

describe('unchanged keys', () => {
  it('keep their imported key object across refreshes, a changed one does not', async () => {
    const scene = await setScene()
    const { issuer, registry } = scene
    const resolveKey = registry.keyResolver(tenant, provider)
    const imported = async () => await resolveKey({ alg: 'ES256', kid: 'key-1' }, { payload: '', signature: '' })
    const first = await imported()
    expect(await imported()).toBe(first)
    await refresh(scene)
    expect(await imported()).toBe(first)
    await issuer.rotate()
    expect(await refresh(scene)).toMatchObject({ modified: true })
    expect(await imported()).toBe(first)
    await issuer.rotate({ kid: 'key-1' })
    await refresh(scene)
    expect(await imported()).not.toBe(first)
  })
})
