import { createAuthenticator, createRegistry } from '@jwks-auth/core'
import { createManualClock, createTestIssuer } from '@jwks-auth/testing'
import { SpanStatusCode } from '@opentelemetry/api'
import { describe, expect, it, onTestFinished } from 'vitest'
import { installOpenTelemetry } from '../src/index.ts'
import { audience, idOf, linksOf, parentOf, startSdk } from './scene.ts'

/** A provider on a real socket that fails and comes back, by a clock that the test owns. */
describe('an outage in OpenTelemetry', () => {
  it('is a story of spans and numbers', async () => {
    const sdk = startSdk()
    const clock = createManualClock()
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience, clock, cacheControl: 'max-age=600' })
    onTestFinished(() => issuer.close())
    const registry = createRegistry({ requireHttps: false, clock })
    onTestFinished(() => registry.close())
    const { tracerProvider, meterProvider } = sdk
    installOpenTelemetry(registry, { tracerProvider, meterProvider })
    const authenticator = createAuthenticator({
      registry,
      prefetch: 'never',
      staleWhileError: 60_000,
      retryPolicy: { maxRetries: 0 },
      tenants: { acme: { providers: { auth0: { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience } } } },
    })
    const sign = (jti: string) => issuer.sign({ jti, exp: 4_000_000_000 })
    const send = async (name: string, token: string) => {
      const headers = { authorization: `Bearer ${token}` }
      const { ok } = await sdk.inRequest(name, () => authenticator.authenticate({ method: 'GET', url: '/', headers }))
      return ok
    }
    const ask = async (name: string, jti: string) => send(name, await sign(jti))
    /** The one point of a metric. */
    const number = async (name: string): Promise<unknown> => {
      const points = await sdk.points(name)
      expect(points, name).toHaveLength(1)
      return points[0]?.[1]
    }

    expect(await ask('fresh', '1')).toBe(true)
    expect(await number('jwks.cache.time_until_unusable')).toBe(660)

    // Signed before: the refresh fails at once, and a request that begins later does not wait for it.
    const [token, otherToken] = [await sign('2'), await sign('3')]
    await issuer.stop()
    await clock.advance(600_000)
    sdk.clear()
    expect(await Promise.all([send('stale', token), send('stale too', otherToken)])).toEqual([true, true])
    const [refresh, ...otherRefreshes] = sdk.named('jwks.refresh')
    expect(otherRefreshes).toEqual([])
    expect(refresh?.status.code).toBe(SpanStatusCode.ERROR)
    expect(parentOf(sdk.named('jwks.fetch')[0] ?? (undefined as never))).toBe(idOf(refresh))
    const waiting = sdk.named('jwks.resolve')
    expect(waiting.map(linksOf)).toEqual([[idOf(refresh)], [idOf(refresh)]])
    // They were served all the same.
    expect(waiting.map(({ status }) => status.code)).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET])
    expect(await number('jwks.cache.stale')).toBe(2)

    await clock.advance(60_000)
    sdk.clear()
    expect(await ask('unavailable', '4')).toBe(false)
    const [authentication] = sdk.named('jwks.authenticate')
    expect(authentication?.attributes['error.type']).toBe('ERR_KEYS_UNAVAILABLE')
    expect(parentOf(authentication ?? (undefined as never))).toBe(idOf(sdk.named('unavailable')[0]))
    expect(await number('jwks.cache.time_until_unusable')).toBe(0)
    expect(await number('jwks.auth.rejections')).toBe(1)

    await issuer.start()
    await clock.advance(60_000)
    expect(await ask('recovered', '5')).toBe(true)
    expect(await number('jwks.cache.time_until_unusable')).toBe(660)
    const counted: Record<string, unknown> = {}
    for (const name of ['requests', 'hits', 'misses', 'stale']) counted[name] = await number(`jwks.cache.${name}`)
    expect(counted).toEqual({ requests: 5, hits: 2, misses: 3, stale: 2 })
  })
})
