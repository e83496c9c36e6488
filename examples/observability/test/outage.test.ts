import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthenticator } from '@jwks-auth/core'
import { installDefaultExporter } from '@jwks-auth/prometheus'
import { createTestIssuer } from '@jwks-auth/testing'
import { Registry as PrometheusRegistry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PrometheusServer, prometheusAvailable, startPrometheus } from './prometheus.ts'

const audience = 'https://api.example'
const labels = 'tenant="acme",provider="auth0"'

/** An API whose provider fails and comes back, on real sockets and by the clock on the wall. */
describe.skipIf(!prometheusAvailable)('an outage, scraped by a Prometheus server', () => {
  let prometheus: PrometheusServer
  const cleanUps: (() => Promise<void>)[] = []
  const statuses = new Set<number>()

  beforeAll(async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience, cacheControl: 'max-age=2' })
    cleanUps.push(() => issuer.close())
    const authenticator = createAuthenticator({
      requireHttps: false,
      minTtl: 1_000,
      staleWhileError: 3_000,
      retryPolicy: { maxRetries: 0, attemptTimeout: 500, deadline: 500 },
      tenants: { acme: { providers: { auth0: { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience } } } },
    })
    cleanUps.push(() => authenticator.close())
    const exporter = installDefaultExporter(authenticator.registry, { register: new PrometheusRegistry() })
    const app = createServer((request, response) => {
      if (request.url === '/metrics') return exporter.handler(request, response)
      Promise.resolve(authenticator.authenticate({ method: 'GET', url: '/', headers: request.headers })).then(
        (outcome) => response.writeHead(outcome.ok ? 200 : outcome.response.status).end(),
        () => response.writeHead(500).end(),
      )
    })
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
    cleanUps.push(async () => {
      app.close()
      app.closeAllConnections()
    })
    const target = `127.0.0.1:${(app.address() as AddressInfo).port}`
    prometheus = await startPrometheus(target)
    cleanUps.push(() => prometheus.stop())

    const token = await issuer.sign({ exp: 4_000_000_000 })
    const ask = async (authorization: string): Promise<number> => {
      const response = await fetch(`http://${target}/`, { headers: { authorization } })
      statuses.add(response.status)
      return response.status
    }
    const askFor = async (milliseconds: number): Promise<void> => {
      for (const end = Date.now() + milliseconds; Date.now() < end; ) {
        await ask(`Bearer ${token}`)
        await sleep(50)
      }
    }
    await askFor(3_000)
    await ask('Bearer garbage')
    await issuer.stop()
    // Fresh for 2 s, stale for 3 s more, then unavailable.
    await askFor(9_000)
    await issuer.start()
    await askFor(8_000)
    await sleep(1_000)
  })

  afterAll(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  })

  /** The only sample of a query. */
  async function value(expression: string): Promise<number> {
    const samples = await prometheus.query(expression)
    expect(samples, expression).toHaveLength(1)
    return samples[0]?.[1] ?? Number.NaN
  }

  it('lets clients see acceptance, 401 for a bad token and 503 for want of keys', () => {
    expect(statuses).toEqual(new Set([200, 401, 503]))
  })

  it('shows that time runs out, that it has run out, and that it is given back', async () => {
    const left = `jwks_cache_seconds_until_unusable{${labels}}`
    expect(await value(`max_over_time(${left}[1m])`)).toBeGreaterThan(4)
    expect(await value(`min_over_time(${left}[1m])`)).toBe(0)
    expect(await value(left)).toBeGreaterThan(0)
  })

  it('shows refreshes that failed, stale keys that served, and keys that grew older meanwhile', async () => {
    expect(await value(`jwks_cache_refresh_errors_total{${labels}}`)).toBeGreaterThanOrEqual(2)
    expect(await value(`jwks_cache_stale_total{${labels}}`)).toBeGreaterThan(5)
    expect(await value(`max_over_time(jwks_cache_key_age_seconds{${labels}}[1m])`)).toBeGreaterThan(5)
    expect(await value(`jwks_cache_key_age_seconds{${labels}}`)).toBeLessThan(4)
  })

  it('shows what was refused, by code', async () => {
    expect(await value(`jwks_auth_rejections_total{${labels},code="ERR_KEYS_UNAVAILABLE"}`)).toBeGreaterThan(5)
    const malformed = await prometheus.query('jwks_auth_rejections_total{code="ERR_TOKEN_MALFORMED"}')
    expect(malformed).toEqual([[expect.not.objectContaining({ tenant: expect.anything() }), 1]])
  })

  it('has counters that add up at every moment', async () => {
    const requests = `jwks_cache_requests_total{${labels}}`
    const hits = `jwks_cache_hits_total{${labels}}`
    const misses = `jwks_cache_misses_total{${labels}}`
    const range = '[1m:250ms]'
    expect(await value(`max_over_time(abs(${requests} - ${hits} - ${misses})${range})`)).toBe(0)
    expect(await value(`max_over_time((jwks_cache_stale_total{${labels}} - ${hits})${range})`)).toBeLessThanOrEqual(0)
    const errors = `jwks_cache_refresh_errors_total{${labels}}`
    expect(await value(`max_over_time((${errors} - jwks_cache_refresh_total{${labels}})${range})`)).toBeLessThanOrEqual(
      0,
    )
    const durations = `jwks_cache_refresh_duration_seconds_count{${labels}}`
    expect(await value(`max_over_time(abs(${durations} - jwks_cache_refresh_total{${labels}})${range})`)).toBe(0)
  })

  it('has raised the alert that a provider is unavailable, which is over', async () => {
    const alert = 'ALERTS{alertname="JwksProviderUnavailable",alertstate="firing"}'
    expect(await value(`max_over_time(${alert}[1m])`)).toBe(1)
    expect(await prometheus.query(alert)).toEqual([])
  })
})
