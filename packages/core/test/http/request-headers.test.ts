import { inspect } from 'node:util'
import { startIssuer, startRegistry, startRegistryWith } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import type { ProviderOptions, RequestHeaders } from '../../src/index.ts'

const secret = 'Bearer top-secret-value'
const quick = { network: 'any', retryPolicy: { maxRetries: 0 } } as const

describe('Accept', () => {
  it('is what Kubernetes demands for key sets, and JSON for metadata', async () => {
    const issuer = await startIssuer({ keySetType: 'application/jwk-set+json' })
    const registry = startRegistry()
    await registry.register({ tenant: 'acme', provider: 'main', issuer: issuer.issuer, ...quick })
    expect(await registry.resolve('acme', 'main')).toEqual(issuer.jwks)
    expect(issuer.requests.map(({ headers }) => headers.accept)).toEqual([
      'application/json',
      'application/jwk-set+json, application/json',
    ])
  })
})

describe('headers', () => {
  it.each<[string, RequestHeaders]>([
    ['a record', { Authorization: secret, 'X-Api-Version': '2' }],
    ['a function', () => ({ Authorization: secret, 'x-api-version': '2' })],
    ['an async function', async () => ({ authorization: secret, 'X-API-VERSION': '2' })],
  ])('are sent with metadata and key set: %s', async (_, headers) => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    await registry.register({ tenant: 'acme', provider: 'main', issuer: issuer.issuer, headers, ...quick })
    await registry.resolve('acme', 'main')
    const sent = { authorization: secret, 'x-api-version': '2', 'user-agent': '@jwks-auth/core' }
    expect(issuer.requests.map((request) => request.headers)).toEqual([
      expect.objectContaining(sent),
      expect.objectContaining(sent),
    ])
  })

  it('of a function are read for each fetch', async () => {
    const issuer = await startIssuer()
    let version = 0
    const headers = () => {
      version += 1
      return { 'x-version': String(version) }
    }
    const registry = await startRegistryWith(issuer, {}, { headers })
    await registry.resolve('acme', 'auth0')
    await registry.refresh('acme', 'auth0')
    expect(issuer.requests.map((request) => request.headers['x-version'])).toEqual(['1', '2'])
  })

  it('may replace Accept and User-Agent, and never the validators', async () => {
    const issuer = await startIssuer()
    const headers = { accept: 'application/json', 'User-Agent': 'acme/1' }
    const registry = await startRegistryWith(issuer, {}, { headers })
    await registry.resolve('acme', 'auth0')
    expect(issuer.requests[0]?.headers).toMatchObject({ accept: 'application/json', 'user-agent': 'acme/1' })
  })

  it('are not sent past a redirect to another origin', async () => {
    const [issuer, other] = [await startIssuer(), await startIssuer()]
    issuer.answerOnce(
      'jwks',
      { kind: 'redirect', location: '/jwks?again' },
      { kind: 'redirect', location: other.jwksUri },
    )
    const registry = await startRegistryWith(issuer, {}, { headers: { authorization: secret } })
    await registry.resolve('acme', 'auth0')
    expect(issuer.requests.map(({ headers }) => headers.authorization)).toEqual([secret, secret])
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it('are not sent to a discovered jwks_uri at another origin', async () => {
    const [issuer, other] = [await startIssuer(), await startIssuer()]
    issuer.setMetadata({ jwks_uri: other.jwksUri })
    const registry = startRegistry()
    const registration = { tenant: 'acme', provider: 'main', issuer: issuer.issuer, headers: { authorization: secret } }
    await registry.register({ ...registration, ...quick })
    await registry.resolve('acme', 'main')
    expect(issuer.requests[0]?.headers.authorization).toBe(secret)
    expect(other.requests[0]?.headers).not.toHaveProperty('authorization')
  })

  it('appear in no event, status, error or message', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const seen: unknown[] = []
    for (const type of ['fetch', 'refresh', 'refresh-failed', 'key-added', 'stale'] as const) {
      registry.on(type, (event) => seen.push(event))
    }
    const registration = { tenant: 'acme', provider: 'auth0', jwksUri: issuer.jwksUri, ...quick }
    const headers = { authorization: secret }
    await registry.register({ ...registration, headers })
    await registry.resolve('acme', 'auth0')
    issuer.answerAlways('jwks', { kind: 'reset' })
    seen.push(await registry.refresh('acme', 'auth0'), registry.statuses())
    seen.push(await registry.register({ ...registration, headers: {} }).catch((error: unknown) => error))
    expect(inspect(seen, { depth: 20, showHidden: true })).not.toContain('top-secret')
  })

  it.each<[string, () => never, string]>([
    [
      'throws',
      () => {
        throw new Error('no token file')
      },
      'the function headers failed',
    ],
    ['rejects', () => Promise.reject(new Error('no token file')) as never, 'the function headers failed'],
    [
      'returns nothing',
      () => undefined as never,
      'the function headers returned something other than valid request headers',
    ],
    ['returns a line break', () => ({ a: 'b\r\nc: d' }) as never, 'the function headers returned something other than'],
    [
      'returns a forbidden name',
      () => ({ Host: 'evil.example' }) as never,
      'the function headers returned something other',
    ],
  ])('of a function that %s are a failure that names it', async (_, headers, reason) => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer, {}, { headers })
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({
      cause: { code: 'ERR_UPSTREAM_REQUEST_FAILED', message: expect.stringContaining(reason) },
    })
    expect(issuer.requestCount()).toBe(0)
  })

  it('of a function that hangs end with the attempt', async () => {
    const issuer = await startIssuer()
    const retryPolicy = { maxRetries: 0, attemptTimeout: 50 }
    const headers = () => new Promise<never>(() => undefined)
    const registry = await startRegistryWith(issuer, {}, { headers, retryPolicy })
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({ cause: { code: 'ERR_UPSTREAM_TIMED_OUT' } })
  })

  it.each<[string, unknown, string]>([
    ['a list', [], 'headers must be an object'],
    ['a string', 'a: b', 'headers must be an object'],
    ['null', null, 'headers must be an object'],
    ['a number as value', { a: 1 }, 'headers must have a valid header value for "a"'],
    ['a line break', { a: 'b\nc' }, 'headers must have a valid header value for "a"'],
    ['a name with a space', { 'a b': 'c' }, 'headers has a name that is not a header name'],
    ...['Host', 'content-length', 'Connection', 'TE', 'transfer-encoding', 'Upgrade', 'keep-alive', 'Expect'].map(
      (name) => [name, { [name]: 'x' }, `headers must not have "${name}"`] as [string, unknown, string],
    ),
    ...['Accept-Encoding', 'If-None-Match', 'if-modified-since', 'Range'].map(
      (name) => [name, { [name]: 'x' }, `headers must not have "${name}"`] as [string, unknown, string],
    ),
  ])('are a TypeError with %s', async (_, headers, message) => {
    const registration = { tenant: 'acme', provider: 'main', jwksUri: 'http://issuer.example/jwks' }
    const options = { headers } as ProviderOptions
    const registered = startRegistry().register({ ...registration, ...options })
    await expect(registered).rejects.toThrow(TypeError)
    await expect(registered).rejects.toThrow(message)
  })
})
