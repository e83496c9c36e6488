import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Clock, createRegistry, type ProviderOptions, type Registry } from '@jwks-auth/core'
import { createManualClock, createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type AppOptions, frameworks } from './apps.ts'
import { documentPath, operations, statusesOf, violations } from './openapi.ts'

let issuer: TestIssuer
let down: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', kid: 'key-1' })
  down = await createTestIssuer({ algorithm: 'ES256' })
  // Not by `stop()`: an application of the tests could be given its port.
  down.answerAlways('jwks', { kind: 'reset' })
})
afterAll(() => Promise.all([issuer.close(), down.close()]))

/** Operations and statuses for which a response was checked. */
const seen = new Set<string>()
const problems: string[] = []
afterEach(() => {
  assert.deepEqual(problems.splice(0), [])
})

const sameOrigin = { 'sec-fetch-site': 'same-origin' }
const asBrowser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

/** A registry with `acme/main`, whose keys can be fetched, and `globex/main`, whose provider is down. */
async function startRegistry(clock?: Clock): Promise<Registry> {
  const registry = createRegistry({ requireHttps: false, clock })
  onTestFinished(() => registry.close())
  const options: ProviderOptions = { network: 'any', retryPolicy: { maxRetries: 0 } }
  await registry.register({ tenant: 'acme', provider: 'main', jwksUri: issuer.jwksUri, ...options })
  await registry.register({ tenant: 'globex', provider: 'main', jwksUri: down.jwksUri, ...options })
  return registry
}

describe.each(frameworks)('the status handler of $name', (framework) => {
  async function start(options: Partial<AppOptions> = {}, clock?: Clock) {
    const registry = await startRegistry(clock)
    const app = await framework.start(registry, { authorize: () => true, ...options })
    onTestFinished(() => app.close())
    /** Sends a request and checks the response against the document. */
    async function ask(
      operation: string,
      init: RequestInit = {},
      path = operation.split(' ')[1] ?? '',
    ): Promise<Response> {
      const [method = ''] = operation.split(' ')
      const target = path.replace('{tenant}', 'acme').replace('{provider}', 'main')
      const response = await fetch(`${app.origin}/status${target}`, { method, redirect: 'manual', ...init })
      if (operations.includes(operation)) {
        seen.add(`${operation} ${response.status}`)
        problems.push(...(await violations(operation, response)))
      }
      return response
    }
    return { registry, app, ask }
  }

  it('refuses to be created without authorize', async () => {
    const registry = await startRegistry()
    const create = (options: object) => framework.createHandler(registry, options as AppOptions)
    expect(() => create({})).toThrow(new TypeError('authorize must be a function'))
    expect(() => create({ authorize: true })).toThrow(TypeError)
    expect(() => create({ authorise: () => true })).toThrow('did you mean "authorize"?')
    expect(() => create({ authorize: () => true, required: ['acme'] })).toThrow('as "tenant/provider"')
    expect(() => create({ authorize: () => true, required: 'acme/main' })).toThrow('required')
    expect(() => framework.createHandler({} as Registry, { authorize: () => true })).toThrow(TypeError)
  })

  it.each([
    ['false', () => false],
    ['a promise of false', async () => false],
    ['something that merely counts as true', () => 1 as never],
    ['a promise of an object', async () => ({}) as never],
    ['nothing', () => undefined as never],
  ])('answers everything but probes with 403 where authorize returns %s', async (_, authorize) => {
    const { ask } = await start({ authorize })
    for (const operation of operations.filter((each) => !each.includes('/health/'))) {
      const response = await ask(operation, { headers: sameOrigin })
      expect(response.status, operation).toBe(403)
      expect(await response.text()).toBe('{"error":"forbidden","error_description":"This request is not authorized."}')
    }
    expect((await ask('GET /', { headers: asBrowser })).status).toBe(403)
    expect((await ask('GET /nonsense')).status).toBe(403)
    expect((await ask('PUT /providers')).status).toBe(403)
    expect((await ask('GET /health/live')).status).toBe(200)
  })

  it('gives authorize the request of the framework and awaits it', async () => {
    const { ask } = await start({
      authorize: async ({ headers }) => {
        await Promise.resolve()
        return Reflect.get(headers, 'x-operator') === 'yes'
      },
    })
    expect((await ask('GET /providers')).status).toBe(403)
    expect((await ask('GET /providers', { headers: { 'x-operator': 'yes' } })).status).toBe(200)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('secret')
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret'))],
  ])("leaves it to the framework's error path where authorize %s", async (_, authorize) => {
    const { ask } = await start({ authorize })
    const response = await ask('GET /anything')
    expect([response.status, await response.text()]).toEqual([500, 'handled'])
  })

  it('serves every operation of the OpenAPI document', async () => {
    const { registry, ask } = await start()
    await registry.resolve('acme', 'main')
    await registry.refresh('globex', 'main')
    for (const operation of operations) {
      const response = await ask(operation, { headers: sameOrigin })
      expect(response.status, operation).toBe(200)
      expect(response.headers.get('content-type'), operation).toBe('application/json')
    }
  })

  it('sends the page to browsers and JSON to others, with and without a slash at the end of the mount', async () => {
    const { ask } = await start()
    for (const path of ['', '/', '?search=acme', '/?condition=unused&offset=0']) {
      const page = await ask('GET /', { headers: asBrowser }, path)
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
      expect(await page.text()).toMatch(/^<!doctype html>/)
      const other = await ask('GET /', {}, path)
      expect([other.status, other.headers.get('content-type')]).toEqual([200, 'application/json'])
      expect(other.headers.get('vary')).toBe('accept')
    }
    expect((await ask('GET /', { headers: { accept: 'text/html;q=0, */*' } })).headers.get('content-type')).toBe(
      'application/json',
    )
    expect(
      (await ask('GET /', { headers: { accept: 'application/json, text/html;q=0.5' } })).headers.get('content-type'),
    ).toBe('application/json')
  })

  it('links to paths below its mount from wherever the page is', async () => {
    const { ask } = await start()
    const linkOn = async (path: string) => {
      const page = await (await ask('GET /', { headers: asBrowser }, path)).text()
      const [, href = ''] = /href="([^"]*providers\/acme\/main)"/.exec(page) ?? []
      return new URL(href, `http://app.example/status${path}`).pathname
    }
    expect(await linkOn('')).toBe('/status/providers/acme/main')
    expect(await linkOn('/')).toBe('/status/providers/acme/main')
    expect(await linkOn('?search=acme/main')).toBe('/status/providers/acme/main')
  })

  it('lets no cache, frame, sniffing or foreign content near any response', async () => {
    const { ask } = await start({ required: ['globex/main'] })
    const responses = [
      await ask('GET /', { headers: asBrowser }),
      await ask('GET /'),
      await ask('GET /nonsense'),
      await ask('DELETE /providers'),
      await ask('GET /health/ready'),
      await ask('POST /providers/{tenant}/{provider}/refresh'),
    ]
    for (const { headers, url } of responses) {
      expect(headers.get('cache-control'), url).toBe('no-store')
      expect(headers.get('x-content-type-options'), url).toBe('nosniff')
      expect(headers.get('content-security-policy'), url).toContain("default-src 'none'")
      expect(headers.get('content-security-policy'), url).toContain("frame-ancestors 'none'")
      expect(headers.get('content-security-policy'), url).not.toContain('unsafe')
      expect(headers.get('referrer-policy'), url).toBe('no-referrer')
    }
  })

  it('answers HEAD as GET, without a body', async () => {
    const { ask } = await start()
    for (const path of ['/', '/providers', '/providers/acme/main', '/health/live']) {
      const [head, get] = [await ask('HEAD', { method: 'HEAD' }, path), await ask('GET', { method: 'GET' }, path)]
      expect(head.status, path).toBe(200)
      expect(await head.text()).toBe('')
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'))
      expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'))
    }
  })

  it.each([
    ['PUT', '/', 'GET, HEAD'],
    ['POST', '/providers', 'GET, HEAD'],
    ['DELETE', '/providers/acme/main', 'GET, HEAD'],
    ['OPTIONS', '/providers', 'GET, HEAD'],
    ['GET', '/providers/acme/main/refresh', 'POST'],
    ['POST', '/health/live', 'GET, HEAD'],
    ['POST', '/health/ready', 'GET, HEAD'],
  ])('answers %s %s with 405 and Allow', async (method, path, allow) => {
    const { ask } = await start()
    const operation = path.startsWith('/health/') ? `GET ${path}` : `${method} ${path}`
    const response = await ask(operation, { method }, path)
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
  })

  it.each([
    '/nonsense',
    '/providers/acme',
    '/providers/acme/main/nonsense',
    '/providers/acme/main/refresh/again',
    '/providers/stranger/main',
    '/providers/__proto__/main',
    '/providers/acme%2Fmain',
    '/providers/%00/main',
    '/health',
  ])('answers %s with 404', async (path) => {
    const { ask } = await start()
    expect((await ask('GET /providers/{tenant}/{provider}', {}, path)).status).toBe(404)
  })

  it('answers a path that cannot be decoded with 404, unless the framework refuses it first', async () => {
    const { ask } = await start()
    expect([400, 404]).toContain((await ask('GET', { method: 'GET' }, '/providers/acme/%E0%A4%A')).status)
  })

  it('lists the providers by urgency, in pages', async () => {
    const { registry, ask } = await start()
    await registry.resolve('acme', 'main')
    await registry.register({ tenant: 'idle', provider: 'main', jwksUri: issuer.jwksUri })
    await registry.resolve('globex', 'main').catch(() => undefined)
    const list = async (query: string) => {
      const response = await ask('GET /providers', {}, `/providers${query}`)
      expect(response.status, query).toBe(200)
      const { total, providers } = (await response.json()) as {
        total: number
        providers: { tenant: string; condition: string }[]
      }
      return [total, ...providers.map(({ tenant, condition }) => `${tenant} ${condition}`)]
    }
    expect(await list('')).toEqual([3, 'globex unavailable', 'idle unused', 'acme fresh'])
    expect(await list('?limit=1&offset=1')).toEqual([3, 'idle unused'])
    expect(await list('?offset=7')).toEqual([3])
    expect(await list('?condition=unavailable')).toEqual([1, 'globex unavailable'])
    expect(await list('?health=unavailable')).toEqual([2, 'globex unavailable', 'idle unused'])
    expect(await list('?tenant=acme')).toEqual([1, 'acme fresh'])
    expect(await list('?search=OB')).toEqual([1, 'globex unavailable'])
    expect(await list('?search=')).toEqual([3, 'globex unavailable', 'idle unused', 'acme fresh'])
  })

  it.each([
    'limit=0',
    'limit=501',
    'limit=1e2',
    'offset=-1',
    'offset=x',
    'condition=bad',
    'health=unused',
    `search=${'x'.repeat(201)}`,
  ])('answers %s with 400 and the name of the parameter', async (query) => {
    const { ask } = await start()
    const response = await ask('GET /providers', {}, `/providers?${query}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: 'invalid_request', parameter: query.split('=')[0] })
    expect((await ask('GET /', { headers: asBrowser }, `/?${query}`)).status).toBe(400)
  })

  it('refreshes a provider by POST and reports the outcome', async () => {
    const { registry, ask } = await start()
    const refresh = 'POST /providers/{tenant}/{provider}/refresh'
    const done = await ask(refresh, { headers: { 'content-type': 'application/json' } })
    expect(await done.json()).toEqual({ ok: true, modified: true, added: ['key-1'], removed: [], changed: [] })
    expect(registry.status('acme', 'main').health).toBe('fresh')
    const failed = await ask(refresh, { headers: sameOrigin }, '/providers/globex/main/refresh')
    expect(failed.status).toBe(200)
    expect(await failed.json()).toMatchObject({ ok: false, error: { code: 'ERR_UPSTREAM_UNREACHABLE' } })
    expect((await ask(refresh, { headers: sameOrigin }, '/providers/stranger/main/refresh')).status).toBe(404)
  })

  it('sends the form of the page back to the page', async () => {
    const { registry, ask } = await start()
    const headers = { ...sameOrigin, ...asBrowser, 'content-type': 'application/x-www-form-urlencoded' }
    const response = await ask('POST /providers/{tenant}/{provider}/refresh', { headers, body: 'a=b' })
    expect([response.status, response.headers.get('location')]).toEqual([303, '../../../'])
    expect(registry.status('acme', 'main').health).toBe('fresh')
  })

  it.each([
    ['of another site', { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }],
    ['of another site of the same company', { 'sec-fetch-site': 'same-site', 'content-type': 'application/json' }],
    ['with a foreign Origin', { origin: 'https://evil.example', 'content-type': 'application/json' }],
    ['with the Origin of a sandboxed frame', { origin: 'null', 'content-type': 'application/json' }],
    ['that a form can make', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['as text that looks like JSON', { 'content-type': 'text/plain; application/json' }],
    ['without a type', {}],
  ])('refuses a POST %s', async (_, headers) => {
    const { registry, ask } = await start()
    const response = await ask('POST /providers/{tenant}/{provider}/refresh', { headers })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ error: 'cross_site_request' })
    expect(registry.status('acme', 'main').metrics.refreshes).toBe(0)
  })

  it('is ready while every required provider can serve, and counts no other', async () => {
    const { registry, ask } = await start({ required: ['acme/main'], authorize: () => false })
    const ready = () => ask('GET /health/ready')
    await registry.refresh('globex', 'main')
    const first = await ready()
    expect([first.status, await first.text(), first.headers.get('retry-after')]).toEqual([
      503,
      '{"status":"not-ready"}',
      '1',
    ])
    // The probe has started to fetch the keys, which no request would do.
    await expect.poll(async () => (await ready()).status).toBe(200)
    expect(await (await ready()).text()).toBe('{"status":"ready"}')
    await registry.close()
    expect((await ready()).status).toBe(503)
    expect((await ask('GET /health/live')).status).toBe(200)
  })

  it.each([
    ['of a provider that is down', 'globex/main'],
    ['of a provider that is not registered', 'stranger/main'],
  ])('is not ready where the keys %s are required, and does not say which', async (_, name) => {
    const { ask } = await start({ required: ['acme/main', name] })
    for (let count = 0; count < 3; count += 1) {
      const response = await ask('GET /health/ready')
      expect([response.status, await response.text()]).toEqual([503, '{"status":"not-ready"}'])
    }
  })

  it('fetches for probes no more often than for requests', async () => {
    const clock = createManualClock()
    const { registry, ask } = await start({ required: ['globex/main'] }, clock)
    await Promise.all(Array.from({ length: 50 }, () => ask('GET /health/ready')))
    await expect.poll(() => registry.status('globex', 'main').metrics.refreshes).toBe(1)
    await Promise.all(Array.from({ length: 50 }, () => ask('GET /health/ready')))
    expect(registry.status('globex', 'main').metrics.refreshes).toBe(1)
    await clock.advance(10_000)
    await ask('GET /health/ready')
    await expect.poll(() => registry.status('globex', 'main').metrics.refreshes).toBe(2)
  })

  it('answers 503 where a closed registry cannot', async () => {
    const { registry, ask } = await start()
    await registry.close()
    expect((await ask('GET /providers/{tenant}/{provider}')).status).toBe(503)
    expect((await ask('POST /providers/{tenant}/{provider}/refresh', { headers: sameOrigin })).status).toBe(503)
    expect((await ask('GET /')).status).toBe(200)
  })
})

describe('the status handler of Fastify', () => {
  it('leaves bodies of other routes alone', async () => {
    const framework = frameworks.find(({ name }) => name === 'Fastify 5')
    const app = await framework?.start(await startRegistry(), { authorize: () => true })
    onTestFinished(() => app?.close())
    const init = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } }
    expect(await (await fetch(`${app?.origin}/echo`, init)).json()).toEqual({ a: 1 })
  })
})

describe('the OpenAPI document', () => {
  it('passes the linter of Redocly without a warning', async () => {
    const cli = fileURLToPath(new URL('../node_modules/@redocly/cli/bin/cli.js', import.meta.url))
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
    const { stdout } = await promisify(execFile)(process.execPath, [cli, 'lint', '--format=json', documentPath], {
      env,
    })
    const { totals, problems } = JSON.parse(stdout) as { totals: object; problems: unknown[] }
    expect(problems).toEqual([])
    expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 })
  })

  it('describes no response that was not seen', () => {
    const described = operations.flatMap((operation) => statusesOf(operation).map((status) => `${operation} ${status}`))
    const missing = described.filter((each) => !seen.has(each))
    expect(missing).toEqual([])
  })
})
