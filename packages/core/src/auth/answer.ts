import { type ErrorCode, JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeysUnavailableError, ScopeMissingError } from '../base/errors/request-errors.ts'

/** An answer to a refused request, to be copied as it is. */
export interface AuthAnswer {
  /** The status. */
  readonly status: number
  /** Headers by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** The body: `{"error": …, "error_description": …}` as text. */
  readonly body: string
}

/** What a `WWW-Authenticate` challenge says beside the error. */
export interface ChallengeParameters {
  /** The protection space (RFC 9110 §11.5). */
  readonly realm: string
  /** The URL of the protected resource's metadata (RFC 9728 §5.1). */
  readonly resourceMetadata: string | undefined
}

/** How one kind of refusal is answered, in words that stand between quotation marks as they are. */
interface Row {
  readonly status: number
  readonly error: string
  readonly description: string
  /** Whether there is a challenge, and whether it names the error (RFC 6750 §3). */
  readonly challenge: 'none' | 'bare' | 'error'
}

const missing: Row = {
  status: 401,
  error: 'unauthorized',
  description: 'A bearer token is required.',
  challenge: 'bare',
}

/** One sentence for whatever depends on the tenant: whoever forges tokens learns nothing of who is a tenant here. */
const invalidToken: Row = {
  status: 401,
  error: 'invalid_token',
  description: 'The access token is not valid for this request.',
  challenge: 'error',
}

const unavailable: Row = {
  status: 503,
  error: 'temporarily_unavailable',
  description: 'The access token cannot be checked at the moment. Try again later.',
  challenge: 'none',
}

const rows: Readonly<Partial<Record<ErrorCode, Row>>> = Object.freeze({
  ERR_TOKEN_MISSING: missing,
  ERR_AUTHORIZATION_MALFORMED: {
    status: 400,
    error: 'invalid_request',
    description: 'The request must carry exactly one bearer token.',
    challenge: 'error',
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
  ERR_ISSUER_NOT_ALLOWED: invalidToken,
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

/** How far authentication had come: once the tenant is known, an answer says no more than that the token is not valid. */
export type Stage = 'before-tenant' | 'tenant-known'

/** True for an error that is answered; any other is the application's, and goes its framework's way. */
export function isAnswered(error: unknown): error is JwksAuthError {
  return error instanceof JwksAuthError && rows[error.code] !== undefined
}

/** The answer to a refusal: the one table for all frameworks. Nothing of the request is in it. */
export function answerTo(error: JwksAuthError, challenge: ChallengeParameters, stage: Stage): AuthAnswer {
  const known = rows[error.code] ?? unavailable
  const row = stage === 'tenant-known' && known.error === invalidToken.error ? invalidToken : known
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  }
  if (row.challenge !== 'none') headers['www-authenticate'] = challengeFor(row, error, challenge)
  if (row.status === 503) headers['retry-after'] = retryAfter(error)
  return { status: row.status, headers, body: `{"error":"${row.error}","error_description":"${row.description}"}` }
}

/** RFC 9110 §10.2.3, in seconds. */
function retryAfter(error: JwksAuthError): string {
  return String(error instanceof KeysUnavailableError ? Math.max(1, Math.ceil(error.retryAfter / 1000)) : 1)
}

/** RFC 6750 §3; `scope` only where it says which ones are missing. */
function challengeFor(row: Row, error: JwksAuthError, { realm, resourceMetadata }: ChallengeParameters): string {
  let challenge = `Bearer realm="${realm}"`
  if (row.challenge === 'error') challenge += `, error="${row.error}", error_description="${row.description}"`
  if (error instanceof ScopeMissingError) challenge += `, scope="${error.requiredScopes.join(' ')}"`
  if (resourceMetadata !== undefined) challenge += `, resource_metadata="${resourceMetadata}"`
  return challenge
}
