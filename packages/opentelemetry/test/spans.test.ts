import { createAuthenticator, createRegistry } from '@jwks-auth/core'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { describe, expect, it, onTestFinished } from 'vitest'
import { installOpenTelemetry } from '../src/index.ts'
import { audience, idOf, linksOf, parentOf, setScene } from './scene.ts'

const provider = { 'jwks.tenant': 'acme', 'jwks.provider': 'auth0' }

describe('the spans of a first token', () => {
  it('are authenticate and resolve in the trace of the request, and refresh and fetch in one of their own', async () => {
    const { authenticate, inRequest, issuer, named, spans } = await setScene()
    const token = await issuer.sign()
    expect(await inRequest('request', () => authenticate(token))).toMatchObject({ ok: true })
    const [request, authentication, resolve, refresh, fetch] = [
      'request',
      'jwks.authenticate',
      'jwks.resolve',
      'jwks.refresh',
      'jwks.fetch',
    ].map((name) => {
      const [only, ...others] = named(name)
      expect(others).toEqual([])
      return only
    })
    if (!request || !authentication || !resolve || !refresh || !fetch) throw new Error('a span is missing')
    expect(spans()).toHaveLength(5)
    expect(parentOf(authentication)).toBe(idOf(request))
    expect(parentOf(resolve)).toBe(idOf(authentication))
    expect(parentOf(refresh)).toBeUndefined()
    expect(parentOf(fetch)).toBe(idOf(refresh))
    expect(linksOf(resolve)).toEqual([idOf(refresh)])
    expect(authentication.attributes).toEqual(provider)
    expect(resolve.attributes).toEqual(provider)
    expect(refresh.attributes).toEqual({ ...provider, 'jwks.fetch.reason': 'first' })
    expect(fetch.attributes).toEqual({ ...provider, 'jwks.fetch.reason': 'first' })
    expect(fetch.kind).toBe(SpanKind.CLIENT)
    for (const span of spans()) expect(span.status.code).toBe(SpanStatusCode.UNSET)
  })

  it('link all requests that wait to the one fetch that they share', async () => {
    const { authenticate, inRequest, issuer, named } = await setScene()
    const tokens = await Promise.all([1, 2, 3].map((jti) => issuer.sign({ jti: String(jti) })))
    await Promise.all(tokens.map((token, index) => inRequest(`request ${index}`, () => authenticate(token))))
    expect(named('jwks.fetch')).toHaveLength(1)
    const waiting = named('jwks.resolve')
    expect(waiting).toHaveLength(3)
    for (const span of waiting) expect(linksOf(span)).toEqual([idOf(named('jwks.refresh')[0])])
    expect(new Set(waiting.map((span) => span.spanContext().traceId)).size).toBe(3)
  })

  it('link providers that share a key set to the one request upstream', async () => {
    const { issuer, named, registry } = await setScene()
    for (const tenant of ['one', 'two']) {
      await registry.register({ tenant, provider: 'main', jwksUri: issuer.jwksUri, network: 'any' })
    }
    await Promise.all(['one', 'two'].map((tenant) => registry.resolve(tenant, 'main')))
    const [fetch, ...others] = named('jwks.fetch')
    expect(others).toEqual([])
    const refreshes = named('jwks.refresh')
    expect(refreshes).toHaveLength(2)
    expect(refreshes.filter((span) => linksOf(span).includes(idOf(fetch)))).toHaveLength(1)
    expect(refreshes.filter((span) => parentOf(fetch ?? span) === idOf(span))).toHaveLength(1)
  })
})

describe('a callback of the application', () => {
  it('runs in the span of its own request, also where the request has waited for the work of another one', async () => {
    const seen = new Map<unknown, string | undefined>()
    const { authenticate, inRequest, issuer, named } = await setScene({
      isRevoked: async ({ token }) => {
        seen.set(token, trace.getActiveSpan()?.spanContext().traceId)
        return false
      },
    })
    const tokens = [await issuer.sign({ jti: 'a' }), await issuer.sign({ jti: 'b' })]
    await Promise.all(tokens.map((token, index) => inRequest(`request ${index}`, () => authenticate(token))))
    const traces = tokens.map((token, index) => [token, named(`request ${index}`)[0]?.spanContext().traceId] as const)
    expect(seen).toEqual(new Map(traces))
  })
})

describe('a token that was verified before', () => {
  it('has no span, and leaves that of the request as it is', async () => {
    const { authenticate, clear, inRequest, issuer, spans } = await setScene()
    const token = await issuer.sign()
    await authenticate(token)
    clear()
    await inRequest('request', () => authenticate(token))
    expect(spans().map(({ name }) => name)).toEqual(['request'])
  })
})

describe('the outcome of a span', () => {
  it('is the code of a refusal, which is no fault', async () => {
    const { authenticate, issuer, named } = await setScene()
    await authenticate(await issuer.sign({ aud: 'elsewhere', sub: 'secret' }))
    const [span] = named('jwks.authenticate')
    expect(span?.attributes).toEqual({ ...provider, 'error.type': 'ERR_AUDIENCE_NOT_ALLOWED' })
    expect(span?.status.code).toBe(SpanStatusCode.UNSET)
  })

  it('is a fault where the provider cannot be reached', async () => {
    const { authenticate, issuer, spans } = await setScene()
    const token = await issuer.sign()
    await issuer.stop()
    await authenticate(token)
    const outcomes = spans().map(({ name, attributes, status }) => [name, attributes['error.type'], status.code])
    expect(outcomes.toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
      ['jwks.authenticate', 'ERR_KEYS_UNAVAILABLE', SpanStatusCode.ERROR],
      ['jwks.fetch', 'ERR_UPSTREAM_UNREACHABLE', SpanStatusCode.ERROR],
      ['jwks.refresh', 'ERR_UPSTREAM_UNREACHABLE', SpanStatusCode.ERROR],
      ['jwks.resolve', 'ERR_KEYS_UNAVAILABLE', SpanStatusCode.ERROR],
    ])
  })

  it('is no fault of the key that is not published', async () => {
    const { authenticate, issuer, named, registry } = await setScene()
    await authenticate(await issuer.sign())
    await expect(registry.resolve('acme', 'auth0', 'unknown')).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    const resolve = named('jwks.resolve').at(-1)
    expect(resolve?.attributes['error.type']).toBe('ERR_KEY_NOT_FOUND')
    expect(resolve?.status.code).toBe(SpanStatusCode.UNSET)
    expect(linksOf(resolve ?? (undefined as never))).toEqual([idOf(named('jwks.refresh').at(-1))])
    expect(named('jwks.refresh').at(-1)?.attributes['jwks.fetch.reason']).toBe('unknown-kid')
  })

  it('names the error of a callback, and not its text', async () => {
    const { authenticate, issuer, spans } = await setScene({
      validate: () => {
        throw new RangeError('secret')
      },
    })
    await expect(authenticate(await issuer.sign())).rejects.toThrow('secret')
    const [span] = spans().filter(({ name }) => name === 'jwks.authenticate')
    expect(span?.attributes['error.type']).toBe('RangeError')
    expect(JSON.stringify(spans().map(({ attributes, status, events }) => [attributes, status, events]))).not.toContain(
      'secret',
    )
  })

  it('contains nothing of the token', async () => {
    const { authenticate, issuer, spans } = await setScene()
    const token = await issuer.sign({ sub: 'secret-subject' })
    await authenticate(token)
    await authenticate(`${token.slice(0, -12)}AAAAAAAAAAAA`)
    const text = JSON.stringify(
      spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    )
    for (const part of ['secret', ...token.split('.')]) expect(text).not.toContain(part)
  })
})

describe('the background work of a registry', () => {
  it('joins no trace, though a request has started it or the registry was created in a span', async () => {
    const { inRequest, issuer, named, tracerProvider, meterProvider } = await setScene()
    const registry = await inRequest('start', () => createRegistry({ requireHttps: false }))
    onTestFinished(() => registry.close())
    installOpenTelemetry(registry, { tracerProvider, meterProvider })
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri: issuer.jwksUri, network: 'any' })
    await inRequest('request', () => registry.refresh('acme', 'auth0'))
    const [refresh] = named('jwks.refresh')
    const traces = ['start', 'request'].map((name) => named(name)[0]?.spanContext().traceId)
    expect(traces).not.toContain(refresh?.spanContext().traceId)
    expect(refresh?.parentSpanContext).toBeUndefined()
  })
})

describe('without an SDK', () => {
  it('everything works, and nothing is recorded', async () => {
    const { installation, issuer, registry } = await setScene()
    installation.close()
    const plain = installOpenTelemetry(registry)
    const authenticator = createAuthenticator({
      registry,
      tenants: { other: { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience } },
    })
    const headers = { authorization: `Bearer ${await issuer.sign()}` }
    expect(await authenticator.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({ ok: true })
    plain.close()
  })
})

describe('an installation', () => {
  it('records nothing once it is closed, and can be made again', async () => {
    const { authenticate, clear, installation, issuer, registry, spans, points, ...sdk } = await setScene()
    await authenticate(await issuer.sign())
    installation.close()
    clear()
    await registry.refresh('acme', 'auth0')
    expect(spans()).toEqual([])
    expect(await points('jwks.cache.requests')).toEqual([])
    installOpenTelemetry(registry, { tracerProvider: sdk.tracerProvider, meterProvider: sdk.meterProvider })
    await registry.refresh('acme', 'auth0')
    expect(spans()).toHaveLength(2)
  })

  it('is refused where there is one, and for what is no registry', async () => {
    const { registry } = await setScene()
    expect(() => installOpenTelemetry(registry)).toThrow('the registry has a tracer already')
    expect(() => installOpenTelemetry({} as never)).toThrow('createRegistry')
  })

  it.each([
    ['tracerProvider', { tracerProvider: {} }],
    ['meterProvider', { meterProvider: 7 }],
    ['maxSeries', { maxSeries: 0 }],
    ['options has no option "tracer"', { tracer: {} }],
    ['options must be an object', null],
  ])('is refused with a TypeError that names %s', async (message, options) => {
    const registry = createRegistry()
    onTestFinished(() => registry.close())
    expect(() => installOpenTelemetry(registry, options as never)).toThrow(TypeError)
    expect(() => installOpenTelemetry(registry, options as never)).toThrow(message)
  })
})
