import { describe, expect, it } from 'vitest'
import { provider, settle, tenant } from '../process.ts'
import { setImmutableScene } from './immutable.ts'

const verdictsOf = async (verdict: (token: string) => Promise<string>, token: string, times: number) => {
  const verdicts = new Set<string>()
  for (let count = 0; count < times; count += 1) verdicts.add(await verdict(token))
  return [...verdicts]
}

describe('a kid that is not held', () => {
  it('is asked for once, and persisted at once', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const first = await startWithKeys()
    await issuer.rotate()
    expect(await first.verdict(await issuer.sign())).toBe('accepted')
    expect(await first.verdict(await issuer.sign({ sub: 'other' }))).toBe('accepted')
    expect(issuer.requestCount()).toBe(2)
    await settle()
    const second = await start()
    expect(second.kids()).toEqual(['key-1', 'key-2'])
  })

  it('and is nowhere costs one request in each unknownKidCooldown', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { clock, verdict } = await startWithKeys({ unknownKidCooldown: 30_000 })
    issuer.clearRequests()
    const token = await issuer.sign({}, { kid: 'nowhere' })
    expect(await verdictsOf(verdict, token, 50)).toEqual(['ERR_KEY_NOT_FOUND'])
    expect(await verdict(await issuer.sign({}, { kid: 'elsewhere' }))).toBe('ERR_KEY_NOT_FOUND')
    expect(issuer.requestCount()).toBe(1)
    await clock.advance(29_999)
    expect(await verdict(token)).toBe('ERR_KEY_NOT_FOUND')
    expect(issuer.requestCount()).toBe(1)
    await clock.advance(1)
    expect(await verdict(token)).toBe('ERR_KEY_NOT_FOUND')
    expect(issuer.requestCount()).toBe(2)
  })

  it('is taken from the store, where another process has learned it, without a request', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const first = await startWithKeys()
    const second = await start()
    await issuer.rotate()
    expect(await first.verdict(await issuer.sign())).toBe('accepted')
    await settle()
    issuer.clearRequests()
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    expect(second.toldKids('key-added')).toEqual(['key-2'])
    expect(issuer.requestCount()).toBe(0)
  })

  it('is a 503 while the provider is down; those that are held are served', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { verdict, registry } = await startWithKeys()
    const held = await issuer.sign()
    await issuer.rotate()
    await issuer.stop()
    expect(await verdict(await issuer.sign())).toBe('ERR_KEYS_UNAVAILABLE')
    expect(await verdict(held)).toBe('accepted')
    expect(registry.status(tenant, provider)).toMatchObject({ state: 'ready', kids: ['key-1'] })
  })
})

describe('a signature that is wrong under a held kid', () => {
  it('is refused without a request upstream', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { clock, verdict } = await startWithKeys()
    issuer.clearRequests()
    const forged = await issuer.sign({}, { signWith: (await issuer.addKey()).privateKey })
    expect(await verdictsOf(verdict, forged, 10)).toEqual(['ERR_SIGNATURE_INVALID'])
    await clock.advance(60_000)
    expect(await verdict(forged)).toBe('ERR_SIGNATURE_INVALID')
    expect(issuer.requestCount()).toBe(0)
  })

  it('is accepted where the kid has two keys and the other one made it', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const other = await issuer.addKey()
    issuer.setJwks({ keys: [{ ...other.publicJwk, kid: 'key-1' }, issuer.signingKey.publicJwk] })
    const { verdict } = await startWithKeys()
    expect(await verdict(await issuer.sign())).toBe('accepted')
    expect(await verdict(await issuer.sign({}, { key: other, kid: 'key-1' }))).toBe('accepted')
    expect(issuer.requestCount()).toBe(1)
  })
})

describe('a token without a kid', () => {
  it('is verified with the keys that are held', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(3)
    await startWithKeys()
    issuer.clearRequests()
    const second = await start()
    for (const key of ['key-1', 'key-3']) {
      expect(await second.verdict(await issuer.sign({}, { key, kid: undefined }))).toBe('accepted')
    }
    expect(issuer.requestCount()).toBe(0)
  })

  it('of a key that is not cached causes one refetch within the cooldown', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { verdict } = await startWithKeys()
    await issuer.rotate()
    expect(await verdict(await issuer.sign({}, { kid: undefined }))).toBe('accepted')
    issuer.clearRequests()
    const forged = await issuer.sign({}, { kid: undefined, signWith: (await issuer.addKey()).privateKey })
    issuer.setJwks({ keys: [issuer.signingKey.publicJwk] })
    expect(await verdictsOf(verdict, forged, 10)).toEqual(['ERR_SIGNATURE_INVALID'])
    expect(issuer.requestCount()).toBe(1)
  })
})

describe('keys without a kid', () => {
  it('are not kept', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(2)
    const { kid: _kid, ...nameless } = issuer.signingKey.publicJwk
    issuer.setJwks({ keys: [nameless, ...issuer.jwks.keys.slice(1)] })
    const { verdict, kids } = await startWithKeys()
    expect(kids()).toEqual(['key-2'])
    expect(await verdict(await issuer.sign({}, { kid: undefined }))).toBe('ERR_SIGNATURE_INVALID')
    const second = await start()
    expect(second.kids()).toEqual(['key-2'])
  })

  it('and nothing else are a failed refresh: not every request asks again', async () => {
    const { issuer, start } = await setImmutableScene()
    const { kid: _kid, ...nameless } = issuer.signingKey.publicJwk
    issuer.setJwks({ keys: [nameless] })
    const { verdict, registry, told, clock } = await start()
    expect(await verdictsOf(verdict, await issuer.sign(), 20)).toEqual(['ERR_KEYS_UNAVAILABLE'])
    expect(issuer.requestCount()).toBe(1)
    expect(told('refresh-failed')).toMatchObject([{ error: { code: 'ERR_KEY_SET_MALFORMED' } }])
    expect(registry.status(tenant, provider)).toMatchObject({ state: 'empty', errorCount: 1 })
    issuer.setJwks(undefined)
    await clock.advance(1_000)
    expect(await verdict(await issuer.sign())).toBe('accepted')
  })

  it('and nothing else leave the held ones as they are', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { registry, kids } = await startWithKeys()
    const { kid: _kid, ...nameless } = issuer.signingKey.publicJwk
    issuer.setJwks({ keys: [nameless] })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: false })
    expect(kids()).toEqual(['key-1'])
  })
})
