import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Authenticator, createAuthenticator, createRegistry, type Registry } from '@jwks-auth/core'
import { createManualClock, createTestIssuer } from '@jwks-auth/testing'
import { register as globalRegister, Registry as PrometheusRegistry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ExporterOptions, installDefaultExporter, metricNames } from '../src/index.ts'

const audience = 'https://api.example'

async function scene(options: ExporterOptions = {}) {
  const clock = createManualClock()
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience, clock, cacheControl: 'max-age=600' })
  onTestFinished(() => issuer.close())
  const registry = createRegistry({ requireHttps: false, clock })
  onTestFinished(() => registry.close())
  const register = new PrometheusRegistry()
  const exporter = installDefaultExporter(registry, { register, ...options })
  const add = (tenant: string, provider = 'auth0') =>
    registry.register({
      tenant,
      provider,
      issuer: issuer.issuer,
      jwksUri: issuer.jwksUri,
      network: 'any',
      retryPolicy: { maxRetries: 0 },
      prefetch: 'never',
    })
  await add('acme')
  return { clock, issuer, registry, register, exporter, add, samples: async () => samplesOf(await exporter.metrics()) }
}

/** The samples of a scrape by name and labels, histograms aside. */
function samplesOf(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      if (line === '' || line.startsWith('#') || line.includes('_bucket{')) return []
      const at = line.lastIndexOf(' ')
      return [[line.slice(0, at), Number(line.slice(at + 1).replace('Inf', 'Infinity'))]]
    }),
  )
}

function sharedBy(registry: Registry, issuer: string): Authenticator {
  return createAuthenticator({ registry, tenants: { acme: { providers: { auth0: { issuer, audience } } } } })
}

const labels = '{tenant="acme",provider="auth0"}'

describe('the metrics in Prometheus', () => {
  it.each([
    ['jwks_cache_requests_total', 'counter'],
    ['jwks_cache_hits_total', 'counter'],
    ['jwks_cache_misses_total', 'counter'],
    ['jwks_cache_stale_total', 'counter'],
    ['jwks_cache_refresh_total', 'counter'],
    ['jwks_cache_refresh_errors_total', 'counter'],
    ['jwks_cache_refresh_duration_seconds', 'histogram'],
    ['jwks_cache_key_age_seconds', 'gauge'],
    ['jwks_cache_seconds_until_unusable', 'gauge'],
    ['jwks_auth_rejections_total', 'counter'],
  ] as const)('include %s as a %s, labelled by tenant and provider', async (name, type) => {
    const { exporter, issuer, registry } = await scene()
    const authenticator = sharedBy(registry, issuer.issuer)
    const token = await issuer.sign({ aud: 'elsewhere' })
    await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } })
    await registry.resolve('acme', 'auth0')
    const text = await exporter.metrics()
    expect(text).toContain(`# TYPE ${name} ${type}\n`)
    expect(text).toMatch(new RegExp(`^${name}(_count)?\\{[^}]*tenant="acme",provider="auth0"[^}]*\\} `, 'm'))
    expect(metricNames).toContain(name)
  })

  it('are the ones that are listed, and no others', async () => {
    const { register } = await scene()
    expect(
      register
        .getMetricsAsArray()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual([...metricNames].toSorted())
  })

  it('count what the status counts, over an outage', async () => {
    const { clock, issuer, registry, samples } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.resolve('acme', 'auth0')
    await clock.advance(100_000)
    expect(await samples()).toMatchObject({
      [`jwks_cache_requests_total${labels}`]: 2,
      [`jwks_cache_hits_total${labels}`]: 1,
      [`jwks_cache_misses_total${labels}`]: 1,
      [`jwks_cache_stale_total${labels}`]: 0,
      [`jwks_cache_refresh_total${labels}`]: 1,
      [`jwks_cache_refresh_errors_total${labels}`]: 0,
      [`jwks_cache_refresh_duration_seconds_count${labels}`]: 1,
      [`jwks_cache_key_age_seconds${labels}`]: 100,
      [`jwks_cache_seconds_until_unusable${labels}`]: 4_100,
    })
    await issuer.stop()
    await clock.advance(500_000)
    await registry.resolve('acme', 'auth0')
    expect(await samples()).toMatchObject({
      [`jwks_cache_stale_total${labels}`]: 1,
      [`jwks_cache_refresh_errors_total${labels}`]: 1,
      [`jwks_cache_refresh_duration_seconds_count${labels}`]: 2,
      [`jwks_cache_seconds_until_unusable${labels}`]: 3_600,
    })
    await clock.advance(3_600_000)
    expect(await samples()).toMatchObject({ [`jwks_cache_seconds_until_unusable${labels}`]: 0 })
  })

  it('say nothing of the time left to a provider that is merely idle', async () => {
    const { clock, registry, samples } = await scene()
    await registry.resolve('acme', 'auth0')
    await clock.advance(86_400_000)
    const found = await samples()
    expect(found[`jwks_cache_key_age_seconds${labels}`]).toBe(86_400)
    expect(found).not.toHaveProperty([`jwks_cache_seconds_until_unusable${labels}`])
  })

  it('say +Inf of keys that never expire', async () => {
    const { exporter, issuer, registry } = await scene()
    await registry.register({ tenant: 'static', provider: 'main', jwks: issuer.jwks })
    await registry.resolve('static', 'main')
    expect(await exporter.metrics()).toContain(
      'jwks_cache_seconds_until_unusable{tenant="static",provider="main"} +Inf\n',
    )
  })

  it('count refused requests by code, without a tenant where none is known', async () => {
    const { issuer, registry, samples } = await scene()
    const authenticator = sharedBy(registry, issuer.issuer)
    const ask = async (authorization: string) =>
      await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization } })
    await ask('Bearer garbage')
    await ask('Bearer garbage')
    await ask(`Bearer ${await issuer.sign({ aud: 'elsewhere' })}`)
    await ask(`Bearer ${await issuer.sign()}`)
    expect(Object.entries(await samples()).filter(([name]) => name.startsWith('jwks_auth'))).toEqual([
      ['jwks_auth_rejections_total{tenant="",provider="",code="ERR_TOKEN_MALFORMED"}', 2],
      ['jwks_auth_rejections_total{tenant="acme",provider="auth0",code="ERR_AUDIENCE_NOT_ALLOWED"}', 1],
    ])
  })

  it('have one series for all providers beyond the limit, which goes on when some of them are gone', async () => {
    const { add, registry, samples } = await scene({ maxSeries: 2 })
    for (const tenant of ['t1', 't2', 't3']) await add(tenant)
    for (const tenant of ['acme', 't1', 't2', 't3', 't3']) await registry.resolve(tenant, 'auth0')
    const requests = async () =>
      Object.entries(await samples()).filter(([name]) => name.startsWith('jwks_cache_requests_total'))
    const expected = (other: number) => [
      [`jwks_cache_requests_total${labels}`, 1],
      ['jwks_cache_requests_total{tenant="t1",provider="auth0"}', 1],
      ['jwks_cache_requests_total{tenant="other",provider="other"}', other],
    ]
    expect(await requests()).toEqual(expected(3))
    await registry.unregister('t3', 'auth0')
    expect(await requests()).toEqual(expected(3))
    await add('t3')
    await registry.resolve('t3', 'auth0')
    expect(await requests()).toEqual(expected(4))
  })

  it('stay few, and are read fast, with 100 000 tenants', async () => {
    const { exporter, registry, samples } = await scene()
    for (let index = 0; index < 100_000; index += 1) {
      await registry.register({ tenant: `t${index}`, provider: 'p', jwksUri: 'https://idp.example/jwks' })
    }
    for (let index = 0; index < 1_000; index += 1) await registry.revokeKey(`t${index}`, 'p', 'none')
    await exporter.metrics()
    const startedAt = performance.now()
    const text = await exporter.metrics()
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    expect(text.split('\n').length).toBeLessThan(200 * 25)
    expect(Object.keys(await samples())).toContain('jwks_cache_requests_total{tenant="other",provider="other"}')
  })

  it('go to the global registry of prom-client in one line, beside what the application has there', async () => {
    const { registry } = await scene()
    const exporter = installDefaultExporter(registry)
    onTestFinished(() => exporter.close())
    await registry.resolve('acme', 'auth0')
    expect(await globalRegister.metrics()).toContain(`jwks_cache_requests_total${labels} 1`)
    exporter.close()
    expect(globalRegister.getMetricsAsArray()).toEqual([])
  })

  it('can be installed again once they are closed, and not before', async () => {
    const { exporter, register, registry, issuer, samples } = await scene()
    expect(() => installDefaultExporter(registry, { register })).toThrow(
      'register has a metric jwks_cache_requests_total',
    )
    exporter.close()
    const again = installDefaultExporter(registry, { register })
    await sharedBy(registry, issuer.issuer).authenticate({ method: 'GET', url: '/', headers: {} })
    expect(await samples()).toMatchObject({
      'jwks_auth_rejections_total{tenant="",provider="",code="ERR_TOKEN_MISSING"}': 1,
    })
    again.close()
  })

  it('are still read after the registry was closed', async () => {
    const { registry, samples } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.close()
    expect(await samples()).toMatchObject({ [`jwks_cache_requests_total${labels}`]: 1 })
  })
})

describe('the handler', () => {
  async function listen(exporter: ReturnType<typeof installDefaultExporter>): Promise<string> {
    const server = createServer((request, response) => exporter.handler(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
  }

  it('serves the metrics to GET, headers alone to HEAD, and refuses other methods', async () => {
    const { exporter } = await scene()
    const url = await listen(exporter)
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toBe(exporter.contentType)
    expect(await response.text()).toContain('# HELP jwks_cache_requests_total')
    expect(await (await fetch(url, { method: 'HEAD' })).text()).toBe('')
    const refused = await fetch(url, { method: 'POST' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it('is a 500 without a body where a metric of the application throws', async () => {
    const { exporter, register } = await scene()
    register.registerMetric({
      name: 'broken',
      get: () => Promise.reject(new Error('secret')),
    } as never)
    const response = await fetch(await listen(exporter))
    expect([response.status, await response.text()]).toEqual([500, ''])
  })
})

describe('the options of the exporter', () => {
  it.each([
    ['maxSeries', { maxSeries: 0 }],
    ['maxSeries', { maxSeries: 1.5 }],
    ['maxSeries', { maxSeries: 100_001 }],
    ['maxSeries', { maxSeries: '10' }],
    ['register', { register: {} }],
    ['options has no option "maxSerie"', { maxSerie: 5 }],
    ['options must be an object', null],
  ])('are refused with a TypeError that names %s: %j', async (message, options) => {
    const { registry } = await scene()
    expect(() => installDefaultExporter(registry, options as ExporterOptions)).toThrow(TypeError)
    expect(() => installDefaultExporter(registry, options as ExporterOptions)).toThrow(message)
  })

  it('need a registry that createRegistry made, or nothing is installed', () => {
    const register = new PrometheusRegistry()
    expect(() => installDefaultExporter({} as Registry, { register })).toThrow('createRegistry')
    expect(register.getMetricsAsArray()).toEqual([])
  })
})
