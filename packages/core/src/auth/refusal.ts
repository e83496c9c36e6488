import type { AuthRequest } from '../base/auth-request.ts'
import {
  type JwksAuthError,
  type PublicErrorCode,
  RequestNotAuthenticatedError,
} from '../base/errors/jwks-auth-error.ts'
import {
  AuthenticationInsufficientError,
  KeysUnavailableError,
  ScopeMissingError,
  TenantLookupFailedError,
} from '../base/errors/request-errors.ts'
import type { Auth } from './auth.ts'

/** The response to a refused request, to be sent as it is. */
export interface RefusalResponse {
  /** The status. */
  readonly status: number
  /** Headers by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** The body: `{"error": …, "error_description": …}` as text. */
  readonly body: string
}

/** A refused request. */
export interface AuthRefusal {
  /** Always `false`. */
  readonly ok: false
  /** Why. For logs: its `code` and message may tell which tenants exist. */
  readonly error: JwksAuthError
  /** What to send. */
  readonly response: RefusalResponse
}

/** What creates the refusals of guards: an authenticator. */
export interface RefusingAuthenticator {
  /**
   * The refusal for an error of a guard, with the authenticator's challenge; `onRefused` observes it. `auth` is whom the
   * guard has refused.
   */
  refuse(error: JwksAuthError, request: AuthRequest, auth?: Pick<Auth<unknown>, 'tenant' | 'provider'>): AuthRefusal
  /** The wall clock, in milliseconds since the epoch, for guards. */
  now(): number
  /** The option of that name: refusals go to the framework's own error path. */
  readonly passErrors: boolean
}

/** How a request's authentication ended. */
export type AuthOutcome<Claims> =
  | {
      /** Always `true`. */
      readonly ok: true
      /** Absent where there were no credentials and `credentialsRequired` is false. */
      readonly auth: Auth<Claims> | undefined
      /** Headers for the application's response, by lower-case name. */
      readonly headers?: Readonly<Record<string, string>>
    }
  | AuthRefusal

/** How the verification of a token ended that came without a request: unlike in {@link AuthOutcome}, `auth` is there. */
export type VerifyOutcome<Claims> =
  | {
      /** Always `true`. */
      readonly ok: true
      /** The verified token. */
      readonly auth: Auth<Claims>
    }
  | AuthRefusal

/** What a `WWW-Authenticate` challenge contains beside the error. */
export interface ChallengeParameters {
  /** The protection space (RFC 9110 §11.5). */
  readonly realm: string
  /** The scopes that a 401 names (RFC 6750 §3). */
  readonly scopes: readonly string[]
  /** The URL of the protected resource's metadata (RFC 9728 §5.1). */
  readonly resourceMetadata: string | undefined
}

/** The response to one kind of refusal. The texts need no escaping within a quoted string. */
export interface RefusalRow {
  readonly status: number
  readonly error: PublicErrorCode
  readonly description: string
  /** Whether there is a challenge, and whether it names the error (RFC 6750 §3). */
  readonly challenge: 'none' | 'bare' | 'error'
}

const missing: RefusalRow = {
  status: 401,
  error: 'unauthorized',
  description: 'A bearer token is required.',
  challenge: 'bare',
}

/** One sentence for everything that depends on the tenant, so that forged tokens cannot list tenants. */
const invalidToken: RefusalRow = {
  status: 401,
  error: 'invalid_token',
  description: 'The access token is not valid for this request.',
  challenge: 'error',
}

const unavailable: RefusalRow = {
  status: 503,
  error: 'temporarily_unavailable',
  description: 'The access token cannot be checked at the moment. Try again later.',
  challenge: 'none',
}

/** The response to each kind of refusal; other errors refuse no request. */
export const refusalRows: Readonly<Partial<Record<JwksAuthError['code'], RefusalRow>>> = Object.freeze({
  ERR_TOKEN_MISSING: missing,
  ERR_AUTHORIZATION_MALFORMED: {
    status: 400,
    error: 'invalid_request',
    description: 'The request must carry exactly one bearer token.',
    challenge: 'error',
  },
  // The credentials were not accepted, and a token that is good from its own site must not be discarded.
  ERR_CROSS_SITE_REQUEST: {
    status: 401,
    error: 'unauthorized',
    description: 'The cookie is accepted only with a request of the same origin.',
    challenge: 'bare',
  },
  ERR_TOKEN_TOO_LONG: {
    status: 400,
    error: 'invalid_request',
    description: 'The bearer token is too long.',
    challenge: 'error',
  },
  ERR_TOKEN_MALFORMED: { ...invalidToken, description: 'The access token is not a well-formed JWT.' },
  ERR_CRITICAL_HEADER_NOT_UNDERSTOOD: invalidToken,
  ERR_TOKEN_TYPE_NOT_ALLOWED: invalidToken,
  ERR_ALGORITHM_NOT_ALLOWED: invalidToken,
  ERR_TENANT_NOT_DETERMINED: invalidToken,
  ERR_TENANT_UNKNOWN: invalidToken,
  ERR_TENANT_LOOKUP_FAILED: unavailable,
  ERR_ISSUER_NOT_ALLOWED: invalidToken,
  ERR_ISSUER_SHARED: invalidToken,
  ERR_TOKEN_EXPIRED: { ...invalidToken, description: 'The access token has expired.' },
  ERR_TOKEN_NOT_YET_VALID: invalidToken,
  ERR_TOKEN_ISSUED_IN_FUTURE: invalidToken,
  ERR_TOKEN_TOO_OLD: invalidToken,
  ERR_AUDIENCE_NOT_ALLOWED: invalidToken,
  ERR_CLIENT_NOT_ALLOWED: invalidToken,
  ERR_CLAIM_MISSING: invalidToken,
  ERR_CLAIM_MALFORMED: invalidToken,
  ERR_CLAIM_NOT_BOUND: invalidToken,
  ERR_CLAIMS_REJECTED: invalidToken,
  ERR_TOKEN_REJECTED: invalidToken,
  ERR_TOKEN_REVOKED: invalidToken,
  ERR_CONFIRMATION_NOT_CHECKED: invalidToken,
  ERR_KEY_NOT_FOUND: invalidToken,
  ERR_KEY_REVOKED: invalidToken,
  ERR_SIGNATURE_INVALID: invalidToken,
  ERR_SCOPE_MISSING: {
    status: 403,
    error: 'insufficient_scope',
    description: 'The access token lacks a scope that this request requires.',
    challenge: 'error',
  },
  // Without a scope in the challenge, or clients would ask for more of them again and again.
  ERR_CLAIMS_NOT_SUFFICIENT: {
    status: 403,
    error: 'insufficient_scope',
    description: 'The access token lacks a claim that this request requires.',
    challenge: 'error',
  },
  // RFC 9470 §3.
  ERR_AUTHENTICATION_INSUFFICIENT: {
    status: 401,
    error: 'insufficient_user_authentication',
    description: 'The user has to authenticate more strongly or more recently for this request.',
    challenge: 'error',
  },
  ERR_KEYS_UNAVAILABLE: unavailable,
  // Requests that come while the application shuts down.
  ERR_REGISTRY_CLOSED: unavailable,
  ERR_AUTHENTICATOR_NOT_RUN: {
    status: 500,
    error: 'server_error',
    description: 'A guard ran before jwksAuth: mount jwksAuth ahead of the routes that it protects.',
    challenge: 'none',
  },
})

/** Until the tenant is known, a response may say what is wrong; after that, only that the token is not valid. */
export type Stage = 'before-tenant' | 'tenant-known'

/** The response to a refusal: one table for all frameworks. It contains nothing of the request. */
export function refusalResponse(error: JwksAuthError, challenge: ChallengeParameters, stage: Stage): RefusalResponse {
  const known = refusalRows[error.code] ?? unavailable
  const row = stage === 'tenant-known' && known.error === invalidToken.error ? invalidToken : known
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  }
  if (row.challenge !== 'none') headers['www-authenticate'] = challengeFor(row, error, challenge)
  if (row.status === 503) headers['retry-after'] = retryAfter(error)
  return { status: row.status, headers, body: `{"error":"${row.error}","error_description":"${row.description}"}` }
}

/** The error to pass to a framework's own error path with `passErrors`: safe to send, the specific one is its cause. */
export function frameworkError({ error, response }: Omit<AuthRefusal, 'ok'>): RequestNotAuthenticatedError {
  const { status, body } = response
  const { 'content-type': _contentType, ...headers } = response.headers
  const { error: code, error_description: message } = JSON.parse(body) as {
    readonly error: PublicErrorCode
    readonly error_description: string
  }
  return new RequestNotAuthenticatedError({ code, message, status, headers, cause: error })
}

/** RFC 9110 §10.2.3, in seconds. */
function retryAfter(error: JwksAuthError): string {
  const isTemporary = error instanceof KeysUnavailableError || error instanceof TenantLookupFailedError
  return String(isTemporary ? Math.max(1, Math.ceil(error.retryAfter / 1000)) : 1)
}

/** RFC 6750 §3. A 403 names the scopes that the route requires, if it requires any. */
function challengeFor(row: RefusalRow, error: JwksAuthError, challenge: ChallengeParameters): string {
  const { realm, resourceMetadata } = challenge
  const required = error instanceof ScopeMissingError ? error.requiredScopes : []
  const scopes = row.status === 401 ? challenge.scopes : required
  let text = `Bearer realm="${realm}"`
  if (row.challenge === 'error') text += `, error="${row.error}", error_description="${row.description}"`
  if (error instanceof AuthenticationInsufficientError) text += authenticationParameters(error)
  if (scopes.length > 0) text += `, scope="${scopes.join(' ')}"`
  if (resourceMetadata !== undefined) text += `, resource_metadata="${resourceMetadata}"`
  return text
}

/** RFC 9470 §3; `max_age` is in seconds. */
function authenticationParameters({ acrValues, maxAge }: AuthenticationInsufficientError): string {
  const ofClass = acrValues === undefined ? '' : `, acr_values="${acrValues.join(' ')}"`
  return maxAge === undefined ? ofClass : `${ofClass}, max_age="${Math.floor(maxAge / 1000)}"`
}
