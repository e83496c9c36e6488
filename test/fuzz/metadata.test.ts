import { JwksAuthError } from '@jwks-auth/core'
import { authenticate, startAuthenticatorFor } from '@jwks-auth/test-support/start'
import { createManualClock, createTestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Transport, TransportRequest } from '../../packages/core/src/http/transport.ts'
import { parseUrl } from '../../packages/core/src/http/url-rules.ts'
import { createJwksSource } from '../../packages/core/src/registry/discovery.ts'
import { checkRegistration } from '../../packages/core/src/registry/registration.ts'
import { expectRefusalUnless } from './answers.ts'
import { fragments, jsonText, latin1, objectText } from './arbitraries.ts'
import { inMemory, overSockets, timeout } from './runs.ts'

function documents(issuer: string, jwksUri: string): fc.Arbitrary<string> {
  const uris = [jwksUri, 'http://169.254.169.254/latest', 'file:///etc/passwd', '//x', 'https://a:b@x', '', 1, null]
  const members = {
    issuer: [issuer, `${issuer}/`, issuer.toUpperCase(), [issuer], ''],
    jwks_uri: uris,
    __proto__: [{}],
  }
  return fc.oneof(
    { weight: 4, arbitrary: objectText(members) },
    { weight: 2, arbitrary: jsonText.map((text) => `{"issuer":${JSON.stringify(issuer)},"jwks_uri":${text}}`) },
    jsonText,
    fragments(['{"issuer":', '"jwks_uri":', JSON.stringify(issuer), JSON.stringify(jwksUri), ',', '}'], latin1(10)),
    latin1(300),
  )
}

/** What a discovery does when the issuer answers with these bytes: the URLs that it asks, and why it fails. */
async function discover(issuer: string, document: string) {
  const registration = checkRegistration(
    { tenant: 'acme', provider: 'auth0', issuer },
    {
      rules: { requireHttps: true, allowedDomains: [], hasDispatcher: false, canGuardConnections: true },
      defaults: {},
      network: 'any',
      where: '',
      share: (options) => options,
      existing: () => undefined,
    },
  )
  const asked: string[] = []
  const transport: Transport = {
    async get({ url }: TransportRequest) {
      asked.push(url)
      const isMetadata = url.includes('/.well-known/')
      return { status: 200, headers: {}, body: isMetadata ? document : '{"keys":[]}' }
    },
    async close() {},
  }
  const source = createJwksSource(registration, transport, createManualClock())
  const request = { headersFor: () => ({}), signal: new AbortController().signal, timeout: 1_000, relocate: false }
  try {
    await source(request)
  } catch (error) {
    if (error instanceof JwksAuthError) return { asked, failure: error.message }
    throw error
  }
  return { asked, failure: undefined }
}

/** The document's members; none where it is no object. */
function membersOf(document: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(document)) as Record<string, unknown>
  } catch {
    return {}
  }
}

describe('metadata of any bytes', () => {
  it(
    'names a key set only as the text of an absolute URL, and only for its own issuer',
    async () => {
      const issuer = 'https://issuer.example'
      const property = fc.asyncProperty(documents(issuer, 'https://keys.example/jwks'), async (document) => {
        const { asked, failure } = await discover(issuer, document)
        const { issuer: named, jwks_uri: uri } = membersOf(document)
        const isGood = named === issuer && typeof uri === 'string' && parseUrl(uri) !== undefined
        // Where the first document is not usable, the other well-known location has the same one here.
        expect(asked.slice(isGood ? 1 : 2)).toEqual(isGood ? [uri] : [])
        expect(failure === undefined).toBe(isGood)
        expect(failure ?? '').toMatch(/^[\x20-\x7e]*$/)
        expect(failure ?? '').not.toMatch(/169\.254|passwd/)
      })
      await fc.assert(property, inMemory)
    },
    timeout,
  )
})

describe('an issuer that publishes any bytes for its metadata', () => {
  it('has its tokens refused as designed, unless they name its key set', { timeout }, async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example' })
    onTestFinished(() => issuer.close())
    const names = ['openid', 'oauth'] as const
    await fc.assert(
      fc.asyncProperty(documents(issuer.issuer, issuer.jwksUri), fc.constantFrom(...names), async (body, endpoint) => {
        issuer.answerNormally()
        if (endpoint === 'oauth') issuer.answerAlways('openid', { kind: 'reply', status: 404 })
        issuer.answerAlways(endpoint, { kind: 'reply', body })
        const options = { jwksUri: undefined, retryPolicy: { maxRetries: 0, deadline: 2_000 } }
        const authenticator = startAuthenticatorFor(issuer, options)
        const outcome = await authenticate(authenticator, await issuer.sign())
        const { issuer: named, jwks_uri: uri } = membersOf(body)
        // The other location is well, and is tried where this one has no usable metadata.
        const isUnusable = named !== issuer.issuer || typeof uri !== 'string' || parseUrl(uri) === undefined
        const isUsed = endpoint === 'openid' && isUnusable
        expectRefusalUnless(isUsed || (named === issuer.issuer && uri === issuer.jwksUri), outcome)
        await authenticator.close()
      }),
      overSockets,
    )
  })
})
