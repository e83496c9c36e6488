import { describe, expect, it } from 'vitest'
import { atOnce, until } from '../../jwks-cache/scene.ts'
import { setTokenScene, verdictOf } from './token-scene.ts'

describe('the key of a token that was verified', () => {
  it('that is withdrawn takes the token with it, from the refresh on', async () => {
    const { issuer, registry, ask, verdict } = await setTokenScene()
    const token = await issuer.sign()
    await ask(token)
    await issuer.rotate({ keepPrevious: false })
    expect(verdictOf(ask(token))).toBe('accepted')
    await registry.refresh('acme', 'main')
    expect(await verdict(token)).toBe('ERR_KEY_NOT_FOUND')
  })

  it('that is replaced under the same kid takes the token with it', async () => {
    const { issuer, registry, ask, verdict } = await setTokenScene()
    const token = await issuer.sign()
    await ask(token)
    await issuer.rotate({ kid: 'key-1', keepPrevious: false })
    await registry.refresh('acme', 'main')
    expect(await verdict(token)).toBe('ERR_SIGNATURE_INVALID')
    expect(await verdict(await issuer.sign())).toBe('accepted')
  })

  it('that is revoked refuses the token at once, without a fetch, and unrevoked accepts it again', async () => {
    const { issuer, registry, ask, verdict } = await setTokenScene()
    const token = await issuer.sign()
    await ask(token)
    const revoking = registry.revokeKey('acme', 'main', 'key-1')
    expect(verdictOf(ask(token))).toBe('ERR_KEY_REVOKED')
    await revoking
    expect(verdictOf(await atOnce(Promise.resolve(ask(token))))).toBe('ERR_KEY_REVOKED')
    expect(issuer.requestCount('jwks')).toBe(1)
    await registry.unrevokeKey('acme', 'main', 'key-1')
    expect(await verdict(token)).toBe('accepted')
  })

  it('that is revoked while validate waits refuses all requests with the token, those that wait included', async () => {
    let goOn = (): void => undefined
    const validate = () => new Promise<void>((resolve) => (goOn = resolve))
    const { issuer, registry, ask, checks } = await setTokenScene({ validate })
    const token = await issuer.sign()
    const before = ask(token)
    await until(() => checks() > 0)
    await registry.revokeKey('acme', 'main', 'key-1')
    const after = ask(token)
    goOn()
    expect(verdictOf(await before)).toBe('ERR_KEY_REVOKED')
    expect(verdictOf(await after)).toBe('ERR_KEY_REVOKED')
  })

  it('that vouches for another issuer from now on takes the token with it', async () => {
    const { issuer, registry, ask, verdict } = await setTokenScene()
    const [key] = issuer.jwks.keys
    issuer.setJwks({ keys: [{ ...key, issuer: issuer.issuer }] })
    const token = await issuer.sign()
    await ask(token)
    expect(verdictOf(ask(token))).toBe('accepted')
    issuer.setJwks({ keys: [{ ...key, issuer: 'https://other.example' }] })
    await registry.refresh('acme', 'main')
    expect(await verdict(token)).toBe('ERR_KEY_NOT_FOUND')
  })

  it('that a refresh returns unchanged keeps the token', async () => {
    const { issuer, registry, ask, checks } = await setTokenScene()
    const token = await issuer.sign()
    await ask(token)
    await issuer.rotate({ keepPrevious: true })
    await registry.refresh('acme', 'main')
    checks()
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(checks()).toBe(0)
  })

  it('that was dropped from memory and fetched again keeps the token', async () => {
    const { issuer, registry, ask, checks } = await setTokenScene({ scene: { registry: { maxProviders: 1 } } })
    const token = await issuer.sign()
    await ask(token)
    await registry.register({ tenant: 'other', provider: 'main', jwksUri: issuer.jwksUri, network: 'any' })
    await registry.resolve('other', 'main')
    expect(registry.status('acme', 'main').state).toBe('empty')
    checks()
    const waiting = ask(token)
    expect(waiting).toBeInstanceOf(Promise)
    expect(verdictOf(await waiting)).toBe('accepted')
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(checks()).toBe(0)
  })
})

describe('the key set of a token that was verified', () => {
  const provider = { staleWhileError: 60_000, prefetch: 'never' as const }
  const hour = { exp: 4_000_000_000 }

  it('counts as used by it, and is refreshed when it is due', async () => {
    const { issuer, clock, status, ask } = await setTokenScene()
    const token = await issuer.sign(hour)
    await ask(token)
    const { requests } = status().metrics
    await clock.advance(580_000)
    await until(() => issuer.requestCount('jwks') === 2 && status().state === 'ready')
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(status().metrics.requests).toBe(requests + 1)
  })

  it('counts each of its uses as a hit, with what is next to be done or without', async () => {
    const { issuer, clock, status, ask } = await setTokenScene({ scene: { provider } })
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=60' })
    const token = await issuer.sign(hour)
    await ask(token)
    const { requests, hits } = status().metrics
    for (let use = 0; use < 3; use += 1) expect(verdictOf(ask(token))).toBe('accepted')
    expect(status().metrics).toMatchObject({ requests: requests + 3, hits: hits + 3 })
    // Past the time to refresh, if there were one.
    await clock.advance(59_000)
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(status().metrics).toMatchObject({ requests: requests + 4, hits: hits + 4 })
  })

  it('is waited for where a new token would wait', async () => {
    const { issuer, clock, ask } = await setTokenScene({ scene: { provider } })
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=60' })
    const token = await issuer.sign(hour)
    await ask(token)
    await clock.advance(60_000)
    const waiting = ask(token)
    expect(waiting).toBeInstanceOf(Promise)
    expect(verdictOf(await waiting)).toBe('accepted')
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('serves it while it is stale, and no longer', async () => {
    const { issuer, clock, ask, verdict, status } = await setTokenScene({ scene: { provider } })
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=60' })
    const token = await issuer.sign(hour)
    await ask(token)
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    await clock.advance(60_000)
    expect(await verdict(token)).toBe('accepted')
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(status().metrics.stale).toBe(2)
    await clock.advance(60_000)
    expect(await verdict(token)).toBe('ERR_KEYS_UNAVAILABLE')
    expect(verdictOf(ask(token))).toBe('ERR_KEYS_UNAVAILABLE')
    issuer.answerNormally()
    await clock.advance(60_000)
    expect(await verdict(token)).toBe('accepted')
  })

  it('that is waited for past the token’s end refuses it as expired', async () => {
    const { issuer, clock, ask } = await setTokenScene({
      scene: { provider: { ...provider, staleWhileError: 36_000_000 } },
      rules: { clockTolerance: 0 },
    })
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=60' })
    const token = await issuer.sign({ exp: Math.floor(clock.now() / 1000) + 61 })
    await ask(token)
    issuer.answerOnce('jwks', { kind: 'hang' })
    await clock.advance(60_000)
    const waiting = ask(token)
    await clock.advance(3_600_000)
    expect(verdictOf(await waiting)).toBe('ERR_TOKEN_EXPIRED')
  })
})
