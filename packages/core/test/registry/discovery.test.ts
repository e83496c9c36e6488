import { startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { type Answer, createManualClock, type TestIssuer, type TestIssuerOptions } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { ProviderOptions, Registry, RegistryOptions } from '../../src/index.ts'

/** A registry that knows an issuer only. */
async function startDiscovering(
  issuer: string,
  options: RegistryOptions = {},
  ofProvider: ProviderOptions = {},
): Promise<Registry> {
  const registry = startRegistry(options)
  const rules = { network: 'any', retryPolicy: { maxRetries: 0 }, prefetch: 'never', ...ofProvider } as const
  await registry.register({ tenant: 'acme', provider: 'auth0', issuer, ...rules })
  return registry
}

function asked(issuer: TestIssuer): readonly string[] {
  return issuer.requests.map(({ url }) => url)
}

async function causeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => 'resolved',
    (error: unknown) => (error as { cause?: { code?: unknown } }).cause?.code,
  )
}

const openid = '/.well-known/openid-configuration'
const oauth = '/.well-known/oauth-authorization-server'

describe('discovery', () => {
  it.each<[string, TestIssuerOptions, string, readonly string[]]>([
    ['an issuer without path', {}, '', [openid, '/jwks']],
    ['an issuer with a path', { path: '/oauth2/default' }, '', [`/oauth2/default${openid}`, '/oauth2/default/jwks']],
  ])('asks %s for its OpenID metadata', async (_, options, suffix, urls) => {
    const issuer = await startIssuer(options)
    const registry = await startDiscovering(issuer.issuer + suffix)
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
    expect(asked(issuer)).toEqual(urls)
  })

  it('of an issuer with a slash at its end asks in the same place, and wants that very issuer', async () => {
    const issuer = await startIssuer()
    issuer.setMetadata({ issuer: `${issuer.issuer}/` })
    const registry = await startDiscovering(`${issuer.issuer}/`)
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
    expect(asked(issuer)).toEqual([openid, '/jwks'])
  })

  it.each([
    [{}, [openid, oauth, '/jwks']],
    [{ path: '/a/b' }, [`/a/b${openid}`, `${oauth}/a/b`, '/a/b/jwks']],
  ])('with %j falls back on RFC 8414, which puts the path last', async (options, urls) => {
    const issuer = await startIssuer(options)
    issuer.answerAlways('openid', { kind: 'reply', status: 404 })
    const registry = await startDiscovering(issuer.issuer)
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
    expect(asked(issuer)).toEqual(urls)
  })

  it.each<[string, Answer]>([
    ...[204, 304, 400, 401, 403, 404, 406, 408, 410, 429, 500, 501, 502, 503].map(
      (status) => [String(status), { kind: 'reply', status }] as [string, Answer],
    ),
    ['a redirect without a target', { kind: 'reply', status: 302 }],
    ['a redirect to a web page', { kind: 'redirect', location: '/login' }],
    ['a redirect in a circle', { kind: 'redirect', location: openid }],
    ['a redirect to another origin that is refused', { kind: 'redirect', location: 'http://169.254.169.254/' }],
    ['a web page with 200', { kind: 'garbage' }],
    ['an empty body', { kind: 'reply', body: '' }],
    ['a JSON list', { kind: 'reply', body: '[]' }],
    ['no jwks_uri', { kind: 'reply', body: '{"issuer":"ISSUER"}' }],
    ['another issuer', { kind: 'reply', body: '{"issuer":"https://evil.example","jwks_uri":"https://evil.example/"}' }],
    ['a body that is too large', { kind: 'oversized-body', bytes: 2_000_000 }],
    ['a truncated body', { kind: 'truncated-body' }],
    ['a reset connection', { kind: 'reset' }],
  ])('goes on to RFC 8414 where the first location has no usable metadata: %s', async (_, answer) => {
    const issuer = await startIssuer()
    const body = 'body' in answer ? { body: String(answer.body).replace('ISSUER', issuer.issuer) } : {}
    issuer.answerAlways('openid', { ...answer, ...body })
    const registry = await startDiscovering(issuer.issuer)
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
    expect(asked(issuer).slice(-2)).toEqual([oauth, '/jwks'])
  })

  it('reports the failure at the first location where neither has anything', async () => {
    const issuer = await startIssuer()
    issuer.answerAlways('openid', { kind: 'reply', status: 503, headers: { 'retry-after': '7' } })
    issuer.answerAlways('oauth', { kind: 'reply', status: 404 })
    const registry = await startDiscovering(issuer.issuer)
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({
      cause: {
        code: 'ERR_UPSTREAM_STATUS',
        status: 503,
        retryAfter: 7_000,
        document: 'metadata',
        message: 'The provider responded with status 503 to a request for its metadata',
      },
    })
  })

  it('says that the metadata could not be fetched where the provider does not respond', async () => {
    const issuer = await startIssuer()
    await issuer.stop()
    const registry = await startDiscovering(issuer.issuer)
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({
      cause: { code: 'ERR_UPSTREAM_UNREACHABLE', document: 'metadata', step: 'connecting' },
    })
  })

  it.each<[string, (issuer: TestIssuer) => Readonly<Record<string, unknown>>, string]>([
    ['another issuer', () => ({ issuer: 'https://evil.example' }), 'ERR_METADATA_ISSUER_MISMATCH'],
    ['the issuer with a slash', ({ issuer }) => ({ issuer: `${issuer}/` }), 'ERR_METADATA_ISSUER_MISMATCH'],
    ['the issuer in another case', ({ issuer }) => ({ issuer: issuer.toUpperCase() }), 'ERR_METADATA_ISSUER_MISMATCH'],
    ['the issuer in a list', ({ issuer }) => ({ issuer: [issuer] }), 'ERR_METADATA_ISSUER_MISMATCH'],
    ['no issuer', () => ({ issuer: undefined }), 'ERR_METADATA_ISSUER_MISMATCH'],
    ['no jwks_uri', () => ({ jwks_uri: undefined }), 'ERR_METADATA_MALFORMED'],
    ['a jwks_uri that is a path', () => ({ jwks_uri: '/jwks' }), 'ERR_METADATA_MALFORMED'],
    ['a jwks_uri that is a list', ({ jwksUri }) => ({ jwks_uri: [jwksUri] }), 'ERR_METADATA_MALFORMED'],
    ['a jwks_uri of another scheme', () => ({ jwks_uri: 'file:///etc/passwd' }), 'ERR_UPSTREAM_URL_NOT_ALLOWED'],
    ['a jwks_uri with credentials', () => ({ jwks_uri: 'http://u:p@127.0.0.1/' }), 'ERR_UPSTREAM_URL_NOT_ALLOWED'],
  ])('refuses metadata with %s', async (_, members, code) => {
    const issuer = await startIssuer()
    issuer.setMetadata(members(issuer))
    const registry = await startDiscovering(issuer.issuer)
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe(code)
    expect(issuer.requestCount('jwks')).toBe(0)
  })

  it('names both issuers where they differ, and that of the document outside of the message', async () => {
    const issuer = await startIssuer()
    issuer.setMetadata({ issuer: 'https://evil.example' })
    const registry = await startDiscovering(issuer.issuer)
    const cause = await registry.resolve('acme', 'auth0').then(
      () => undefined,
      (error: unknown) => (error as Error).cause,
    )
    expect(cause).toMatchObject({ expected: issuer.issuer, received: 'https://evil.example' })
    expect((cause as Error).message).not.toContain('evil')
  })

  it.each([
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"x"'],
    ['no whole JSON', '{'],
    ['empty', ''],
  ])('refuses metadata that is %s', async (_, body) => {
    const issuer = await startIssuer()
    for (const endpoint of ['openid', 'oauth'] as const) issuer.answerAlways(endpoint, { kind: 'reply', body })
    const registry = await startDiscovering(issuer.issuer)
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe('ERR_METADATA_MALFORMED')
  })
})

describe('metadataUri', () => {
  it('is fetched instead of the well-known locations', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const metadataUri = `${issuer.issuer}${oauth}`
    await registry.register({ tenant: 'acme', provider: 'auth0', issuer: issuer.issuer, metadataUri, network: 'any' })
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
    expect(asked(issuer)).toEqual([oauth, '/jwks'])
  })

  it.each(['https://another.example', 'accounts.example', 'http://127.0.0.1'])(
    'must have the configured issuer, which may be any string: %s',
    async (configured) => {
      const issuer = await startIssuer()
      issuer.setMetadata({ issuer: configured })
      const register = async (name: string) => {
        const registry = startRegistry()
        const metadataUri = `${issuer.issuer}${openid}`
        const quick = { network: 'any', retryPolicy: { maxRetries: 0 } } as const
        await registry.register({ tenant: 'acme', provider: 'auth0', issuer: name, metadataUri, ...quick })
        return registry
      }
      expect(await causeOf((await register(configured)).resolve('acme', 'auth0'))).toBe('resolved')
      expect(await causeOf((await register(`${configured}/`)).resolve('acme', 'auth0'))).toBe(
        'ERR_METADATA_ISSUER_MISMATCH',
      )
    },
  )

  it('is not given up for a well-known location where it fails', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const metadataUri = `${issuer.issuer}/elsewhere`
    const quick = { network: 'any', retryPolicy: { maxRetries: 0 } } as const
    await registry.register({ tenant: 'acme', provider: 'auth0', issuer: issuer.issuer, metadataUri, ...quick })
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe('ERR_UPSTREAM_STATUS')
    expect(asked(issuer)).toEqual(['/elsewhere'])
  })
})

describe('a discovered jwks_uri at another origin', () => {
  it.each<[string, ProviderOptions, string]>([
    ['is followed with an explicit network', { network: 'any' }, 'resolved'],
    ['is followed to an address that is allowed', { network: 'public', allowAddresses: ['127.0.0.1'] }, 'resolved'],
  ])('%s', async (_, options, outcome) => {
    const [issuer, other] = [await startIssuer(), await startIssuer()]
    issuer.setMetadata({ jwks_uri: other.jwksUri })
    const registry = await startDiscovering(issuer.issuer, {}, options)
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe(outcome)
  })

  it('is refused out of allowedDomains', async () => {
    const [issuer, other] = [await startIssuer(), await startIssuer()]
    issuer.setMetadata({ jwks_uri: other.jwksUri.replace('127.0.0.1', 'localhost') })
    const registry = await startDiscovering(issuer.issuer, { allowedDomains: ['127.0.0.1'] })
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe('ERR_UPSTREAM_URL_NOT_ALLOWED')
  })
})

describe('a key set that has moved', () => {
  it('is found at the refresh after the one that failed', async () => {
    const issuer = await startIssuer()
    const registry = await startDiscovering(issuer.issuer)
    await registry.resolve('acme', 'auth0')
    issuer.moveJwks('/moved')
    issuer.clearRequests()
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: false })
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: true })
    expect(asked(issuer)).toEqual(['/jwks', openid, '/moved'])
  })

  it('is found when the metadata has expired, though the old place still answers', async () => {
    const clock = createManualClock()
    const [issuer, other] = [await startIssuer({ clock }), await startIssuer({ clock, kid: 'other' })]
    issuer.setHeaders('openid', { 'cache-control': 'max-age=100' })
    const registry = await startDiscovering(issuer.issuer, { clock })
    await registry.resolve('acme', 'auth0')
    issuer.setMetadata({ jwks_uri: other.jwksUri })
    await clock.advance(99_999)
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: true, modified: false })
    await clock.advance(1)
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: true, added: ['other'], removed: ['key-1'] })
    expect(issuer.requestCount('openid')).toBe(2)
    expect(other.requests[0]?.headers).not.toHaveProperty('if-none-match')
  })

  it.each([
    ['is down', { kind: 'reply', status: 503 }],
    [
      'names another issuer',
      { kind: 'reply', body: '{"issuer":"https://evil.example","jwks_uri":"https://evil.example/"}' },
    ],
    ['is a web page', { kind: 'garbage' }],
  ] as const)('stays where it was last known to be while the metadata %s', async (_, answer) => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    issuer.setHeaders('openid', { 'cache-control': 'max-age=100' })
    const registry = await startDiscovering(issuer.issuer, { clock })
    await registry.resolve('acme', 'auth0')
    for (const endpoint of ['openid', 'oauth'] as const) issuer.answerAlways(endpoint, answer)
    await clock.advance(100_000)
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: true })
    expect(asked(issuer)).toEqual([openid, '/jwks', openid, oauth, '/jwks'])
  })

  it('is not looked for while all is well', async () => {
    const issuer = await startIssuer()
    const registry = await startDiscovering(issuer.issuer)
    await registry.resolve('acme', 'auth0')
    await registry.refresh('acme', 'auth0')
    expect(issuer.requestCount('openid')).toBe(1)
  })
})
