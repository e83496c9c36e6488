import { describe, expect, it } from 'vitest'
import { setScene } from './scene.ts'

const provider = { 'jwks.tenant': 'acme', 'jwks.provider': 'auth0' }

describe('the metrics in OpenTelemetry', () => {
  it('have the names of the Prometheus metrics once a collector has translated them', async () => {
    const { authenticate, descriptors, issuer } = await setScene()
    await authenticate(await issuer.sign())
    await authenticate('garbage')
    const translated = (await descriptors()).map(({ name, unit, isCounter }) => {
      const base = name.replaceAll('.', '_')
      const withUnit = unit === 's' ? `${base}_seconds` : base
      return isCounter ? `${withUnit}_total` : withUnit
    })
    expect(translated.toSorted()).toEqual(
      [
        'jwks_auth_rejections_total',
        'jwks_cache_hits_total',
        'jwks_cache_key_age_seconds',
        'jwks_cache_misses_total',
        'jwks_cache_refresh_duration_seconds',
        'jwks_cache_refresh_errors_total',
        'jwks_cache_refresh_total',
        'jwks_cache_requests_total',
        'jwks_cache_stale_total',
        // In Prometheus `jwks_cache_seconds_until_unusable`: OpenTelemetry has units outside of names.
        'jwks_cache_time_until_unusable_seconds',
      ].toSorted(),
    )
  })

  it('count what the status counts', async () => {
    const { authenticate, issuer, points, registry } = await setScene()
    await authenticate(await issuer.sign())
    await authenticate(await issuer.sign({ jti: 'another' }))
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    await registry.refresh('acme', 'auth0')
    await authenticate('garbage')
    await authenticate(await issuer.sign({ aud: 'elsewhere' }))
    const value = async (name: string) => (await points(`jwks.cache.${name}`)).map(([, found]) => found)
    expect(await points('jwks.cache.requests')).toEqual([[provider, 2]])
    expect(await value('hits')).toEqual([1])
    expect(await value('misses')).toEqual([1])
    expect(await value('stale')).toEqual([0])
    expect(await value('refresh')).toEqual([2])
    expect(await value('refresh_errors')).toEqual([1])
    expect(await value('refresh_duration')).toEqual([expect.objectContaining({ count: 2 })])
    expect(await value('key_age')).toEqual([expect.any(Number)])
    expect(await value('time_until_unusable')).toEqual([expect.any(Number)])
    expect(await points('jwks.auth.rejections')).toEqual([
      [{ 'error.type': 'ERR_TOKEN_MALFORMED' }, 1],
      [{ ...provider, 'error.type': 'ERR_AUDIENCE_NOT_ALLOWED' }, 1],
    ])
  })
})
