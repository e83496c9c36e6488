import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audience, startAuthenticator, startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Auth, JwksAuthError } from '../../src/index.ts'
import { authOf, setTokenScene, type TokenScene } from './token-cache/token-scene.ts'

type Settings = Parameters<typeof setTokenScene>[0]

/** A scene with an accepted token, whose lifetime is an hour unless the claims say otherwise. */
async function connected(settings: Settings = {}, claims: Parameters<TokenScene['issuer']['sign']>[0] = {}) {
  const scene = await setTokenScene(settings)
  const auth = authOf(await scene.ask(await scene.issuer.sign(claims)))
  const { authenticator } = scene
  return { ...scene, auth, until: (signal?: AbortSignal) => outcomeOf(authenticator.untilInvalid(auth, { signal })) }
}

/** What has become of a promise so far. */
function outcomeOf(promise: Promise<JwksAuthError>): {
  code?: string
  rejected?: unknown
  readonly settled: Promise<void>
} {
  const outcome: { code?: string; rejected?: unknown; settled: Promise<void> } = {
    settled: promise.then(
      (error) => {
        outcome.code = error.code
      },
      (error: unknown) => {
        outcome.rejected = error
      },
    ),
  }
  return outcome
}

const macrotask = () => new Promise((resolve) => setImmediate(resolve))

describe('untilInvalid', () => {
  it('resolves when the token expires, and not before', async () => {
    const { clock, auth, until } = await connected()
    const outcome = until()
    await clock.advance(auth.expiresAt - clock.now() - 1)
    expect(outcome.code).toBeUndefined()
    await clock.advance(50)
    expect(outcome.code).toBe('ERR_TOKEN_EXPIRED')
    expect(clock.pendingTimers).toBeLessThanOrEqual(1)
  })

  it('resolves at the end of the tolerance for a token that was accepted within it', async () => {
    const scene = await setTokenScene({ rules: { clockTolerance: 10_000 } })
    const exp = scene.clock.now() / 1000 - 5
    const auth = authOf(await scene.ask(await scene.issuer.sign({ exp, iat: exp - 60 })))
    const outcome = outcomeOf(scene.authenticator.untilInvalid(auth))
    await scene.clock.advance(4_999)
    expect(outcome.code).toBeUndefined()
    await scene.clock.advance(50)
    expect(outcome.code).toBe('ERR_TOKEN_EXPIRED')
  })

  it('resolves when the token is older than maxTokenAge', async () => {
    const { clock, until } = await connected({ rules: { maxTokenAge: 60_000 } })
    const outcome = until()
    await clock.advance(59_900)
    expect(outcome.code).toBeUndefined()
    await clock.advance(1_200)
    expect(outcome.code).toBe('ERR_TOKEN_TOO_OLD')
  })

  it('resolves within a second of a step of the wall clock past the expiry, as after a suspension', async () => {
    const { clock, auth, until } = await connected()
    const outcome = until()
    clock.set(auth.expiresAt)
    expect(outcome.code).toBeUndefined()
    await clock.advance(1_000)
    expect(outcome.code).toBe('ERR_TOKEN_EXPIRED')
  })

  it('does not resolve early for a wall clock that is set back, nor for a token that lives for months', async () => {
    const { clock, auth, until } = await connected({}, { exp: Date.UTC(2025, 6, 1) / 1000 })
    expect(auth.expiresAt - clock.now()).toBeGreaterThan(2 ** 31)
    const outcome = until()
    await clock.advance(5_000)
    clock.set(Date.UTC(2024, 0, 1))
    await clock.advance(5_000)
    expect(outcome.code).toBeUndefined()
  })

  it('resolves at once when the key is revoked, and stays resolved', async () => {
    const { registry, until } = await connected()
    const outcome = until()
    const revoking = registry.revokeKey('acme', 'main', 'key-1')
    await macrotask()
    expect(outcome.code).toBe('ERR_KEY_REVOKED')
    await revoking
  })

  it('resolves when the provider withdraws the key, without a request', async () => {
    const { clock, issuer, until, pass } = await connected({
      scene: { issuer: { cacheControl: 'max-age=60' } },
    })
    const outcome = until()
    await pass(65_000, 1_000)
    expect(outcome.code).toBeUndefined()
    await issuer.rotate({ kid: 'key-2', keepPrevious: false })
    await pass(65_000, 1_000)
    expect(outcome.code).toBe('ERR_KEY_NOT_FOUND')
    expect(clock.pendingTimers).toBeLessThanOrEqual(1)
  })

  it('keeps waiting while the provider is down, and while a rotation keeps the key', async () => {
    const { issuer, until, pass, registry } = await connected({
      scene: { issuer: { cacheControl: 'max-age=60' }, provider: { staleWhileError: 0 } },
    })
    const outcome = until()
    await issuer.rotate({ kid: 'key-2', keepPrevious: true })
    await registry.refresh('acme', 'main')
    await issuer.stop()
    await pass(180_000, 5_000)
    expect(outcome.code).toBeUndefined()
  })

  it('keeps waiting when the keys come back from a store as other objects, and while they are evicted', async () => {
    const { registry, until, registration } = await connected({ scene: { registry: { maxProviders: 1 } } })
    const outcome = until()
    const { tenant: _tenant, ...other } = registration
    await registry.register({ ...other, tenant: 'globex' })
    await registry.resolve('globex', 'main')
    await macrotask()
    expect(registry.status('acme', 'main').state).toBe('empty')
    expect(outcome.code).toBeUndefined()
    await registry.resolve('acme', 'main')
    expect(outcome.code).toBeUndefined()
    await registry.revokeKey('acme', 'main', 'key-1')
    expect(outcome.code).toBe('ERR_KEY_REVOKED')
  })

  it('resolves when the provider is unregistered', async () => {
    const { registry, until } = await connected()
    const outcome = until()
    await registry.unregister('acme', 'main')
    await macrotask()
    expect(outcome.code).toBe('ERR_ISSUER_NOT_ALLOWED')
  })

  it.each(['authenticator', 'registry'] as const)('resolves when the %s closes', async (what) => {
    const scene = await connected()
    const timers = scene.clock.pendingTimers
    const outcome = scene.until()
    await scene[what].close()
    await macrotask()
    expect(outcome.code).toBe('ERR_REGISTRY_CLOSED')
    expect(scene.clock.pendingTimers).toBeLessThanOrEqual(timers)
  })

  it('resolves at once where the token is invalid already', async () => {
    const { registry, clock, auth, until } = await connected()
    await clock.advance(auth.expiresAt - clock.now() + 60_000)
    const expired = until()
    await registry.revokeKey('acme', 'main', 'key-1')
    await expired.settled
    expect(expired.code).toBe('ERR_TOKEN_EXPIRED')
  })

  it.each([
    ['before', true],
    ['while waiting', false],
  ])('rejects with the reason of a signal that aborts %s, and leaves nothing behind', async (_, isEarly) => {
    const { clock, until } = await connected()
    const timers = clock.pendingTimers
    const controller = new AbortController()
    const reason = new Error('socket closed')
    if (isEarly) controller.abort(reason)
    const outcome = until(controller.signal)
    controller.abort(reason)
    await outcome.settled
    expect(outcome).toMatchObject({ rejected: reason })
    expect(clock.pendingTimers).toBe(timers)
  })

  it('leaves no listener on a signal that outlives it', async () => {
    const { registry, until } = await connected()
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1
      removeEventListener.apply(signal, args)
    }
    const outcome = until(signal)
    await macrotask()
    expect(listeners).toBe(1)
    await registry.revokeKey('acme', 'main', 'key-1')
    await outcome.settled
    expect(listeners).toBe(0)
  })

  it('serves ten thousand connections with one timer, and ends all of them', async () => {
    const { clock, registry, issuer, ask, authenticator } = await connected()
    const auths: Auth<unknown>[] = []
    for (let at = 0; at < 20; at += 1) auths.push(authOf(await ask(await issuer.sign({ sub: `user-${at}` }))))
    const connections = Array.from({ length: 500 }, () => auths).flat()
    const timers = clock.pendingTimers
    const waiting = connections.map((auth) => authenticator.untilInvalid(auth))
    await clock.advance(10_000)
    expect(clock.pendingTimers).toBeLessThanOrEqual(timers + 1)
    await registry.revokeKey('acme', 'main', 'key-1')
    expect(new Set((await Promise.all(waiting)).map(({ code }) => code))).toEqual(new Set(['ERR_KEY_REVOKED']))
    expect(clock.pendingTimers).toBeLessThanOrEqual(timers)
  })

  it.each([
    [undefined, {}],
    [null, {}],
    ['token', {}],
    [{}, {}],
  ])('rejects with a TypeError for the auth %j', async (auth, options) => {
    const { authenticator } = await setTokenScene()
    await expect(authenticator.untilInvalid(auth as never, options)).rejects.toThrow(TypeError)
  })

  it('rejects with a TypeError for a copy of an auth, which has no token', async () => {
    const { authenticator, auth } = await connected()
    await expect(authenticator.untilInvalid({ ...auth })).rejects.toThrow(TypeError)
  })

  it.each([[null], ['signal'], [{ signal: {} }], [{ signal: null }], [{ sgnal: undefined, abort: 1 }]])(
    'rejects with a TypeError for the options %j',
    async (options) => {
      const { authenticator, auth } = await connected()
      await expect(authenticator.untilInvalid(auth, options as never)).rejects.toThrow(TypeError)
    },
  )

  it('resolves within five seconds of a revocation in another process', async () => {
    const publicKeyPath = mkdtempSync(join(tmpdir(), 'jwks-auth-'))
    onTestFinished(() => rmSync(publicKeyPath, { recursive: true, force: true }))
    const issuer = await startIssuer()
    const [here, there] = [0, 1].map(() => startRegistry({ publicKeyPath, integrityKey: false }))
    if (here === undefined || there === undefined) throw new Error('no registry')
    const options = { issuer: issuer.issuer, audience }
    const authenticator = startAuthenticator({ ...options, registry: here })
    const other = startAuthenticator({ ...options, registry: there })
    const token = await issuer.sign()
    await other.verify(token)
    const accepted = await authenticator.verify(token)
    if (!accepted.ok || accepted.auth === undefined) throw new Error('refused')
    const startedAt = performance.now()
    const waiting = authenticator.untilInvalid(accepted.auth)
    await there.revokeKey('default', 'default', 'key-1')
    expect((await waiting).code).toBe('ERR_KEY_REVOKED')
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})
