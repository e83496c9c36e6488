import { describe, expect, it } from 'vitest'
import { frameworkError, refusalResponse } from '../../src/auth/refusal.ts'
import { KeysUnavailableError, RequestNotAuthenticatedError, ScopeMissingError } from '../../src/index.ts'
import { errorOfCode } from '../base/error-classes.ts'

const plain = { realm: 'api', scopes: [], resourceMetadata: undefined }
const concealed = [
  'ERR_TENANT_NOT_DETERMINED',
  'ERR_TENANT_UNKNOWN',
  'ERR_ISSUER_NOT_ALLOWED',
  'ERR_ALGORITHM_NOT_ALLOWED',
  'ERR_TOKEN_TYPE_NOT_ALLOWED',
  'ERR_TOKEN_EXPIRED',
  'ERR_AUDIENCE_NOT_ALLOWED',
  'ERR_CLAIM_NOT_BOUND',
  'ERR_KEY_NOT_FOUND',
  'ERR_KEY_REVOKED',
  'ERR_SIGNATURE_INVALID',
] as const

describe('the response to a refusal', () => {
  it.each([
    ['ERR_TOKEN_MISSING', 'Bearer realm="api"'],
    [
      'ERR_AUTHORIZATION_MALFORMED',
      'Bearer realm="api", error="invalid_request", error_description="The request must carry exactly one bearer token."',
    ],
    [
      'ERR_TOKEN_TOO_LONG',
      'Bearer realm="api", error="invalid_request", error_description="The bearer token is too long."',
    ],
    [
      'ERR_SIGNATURE_INVALID',
      'Bearer realm="api", error="invalid_token", error_description="The access token is not valid for this request."',
    ],
    [
      'ERR_SCOPE_MISSING',
      'Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope that this request requires.", scope="read"',
    ],
    ['ERR_KEYS_UNAVAILABLE', undefined],
    ['ERR_AUTHENTICATOR_NOT_RUN', undefined],
  ] as const)('to %s challenges with %s', (code, challenge) => {
    expect(refusalResponse(errorOfCode[code](), plain, 'tenant-known').headers['www-authenticate']).toBe(challenge)
  })

  it('is the same for whatever depends on the tenant, once the tenant is known', () => {
    const responses = concealed.map((code) =>
      JSON.stringify(refusalResponse(errorOfCode[code](), plain, 'tenant-known')),
    )
    expect(new Set(responses).size).toBe(1)
  })

  it('says that a token has expired before the tenant is known', () => {
    const { body } = refusalResponse(errorOfCode.ERR_TOKEN_EXPIRED(), plain, 'before-tenant')
    expect(JSON.parse(body).error_description).toBe('The access token has expired.')
  })

  it('is JSON, not to be stored', () => {
    for (const make of Object.values(errorOfCode)) {
      const { headers, body } = refusalResponse(make(), plain, 'tenant-known')
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
      expect(Object.keys(JSON.parse(body))).toEqual(['error', 'error_description'])
    }
  })

  it.each([
    [1, '1'],
    [1_000, '1'],
    [1_001, '2'],
    [59_999, '60'],
  ])('to keys that are unavailable for %i ms has a Retry-After of %s', (retryAfter, header) => {
    const { headers } = refusalResponse(new KeysUnavailableError({ retryAfter }), plain, 'tenant-known')
    expect(headers['retry-after']).toBe(header)
  })

  it('names realm and metadata of the resource where they are configured', () => {
    const challenge = {
      realm: 'orders',
      scopes: [],
      resourceMetadata: 'https://api.example/.well-known/oauth-protected-resource',
    }
    const { headers } = refusalResponse(errorOfCode.ERR_TOKEN_MISSING(), challenge, 'before-tenant')
    expect(headers['www-authenticate']).toBe(
      'Bearer realm="orders", resource_metadata="https://api.example/.well-known/oauth-protected-resource"',
    )
  })

  it('names all scopes that are required', () => {
    const { headers } = refusalResponse(new ScopeMissingError(['a', 'b']), plain, 'tenant-known')
    expect(headers['www-authenticate']).toContain('scope="a b"')
  })
})

describe('the error that passErrors hands to a framework', () => {
  const refusalOf = (code: keyof typeof errorOfCode) => {
    const error = errorOfCode[code]()
    return { error, response: refusalResponse(error, plain, 'tenant-known') }
  }

  it('has the message and the code of the response, and the specific error as its cause', () => {
    const refusal = refusalOf('ERR_SIGNATURE_INVALID')
    const passed = frameworkError(refusal)
    expect(passed).toBeInstanceOf(RequestNotAuthenticatedError)
    expect(passed).toMatchObject({
      code: 'invalid_token',
      message: 'The access token is not valid for this request.',
      status: 401,
      statusCode: 401,
      expose: true,
      headers: { 'cache-control': 'no-store', 'www-authenticate': expect.stringContaining('invalid_token') },
    })
    expect(passed.headers).not.toHaveProperty('content-type')
    expect(passed.cause).toBe(refusal.error)
  })

  it('is the same for everything that depends on the tenant, its stack included', () => {
    const shown = concealed.map((code) => {
      const { message, name, code: publicCode, status, headers, stack } = frameworkError(refusalOf(code))
      return JSON.stringify({ message, name, publicCode, status, headers, stack })
    })
    expect(new Set(shown).size).toBe(1)
  })

  it('has the status of the response, whatever refused the request', () => {
    for (const code of [
      'ERR_KEYS_UNAVAILABLE',
      'ERR_SCOPE_MISSING',
      'ERR_TOKEN_TOO_LONG',
      'ERR_REGISTRY_CLOSED',
    ] as const) {
      const refusal = refusalOf(code)
      expect(frameworkError(refusal).status).toBe(refusal.response.status)
    }
  })
})
