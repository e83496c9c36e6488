/** Every `code` that an error of this package can carry. The set is closed; `docs/errors.md` explains each. */
export type ErrorCode =
  | 'ERR_TOKEN_MISSING'
  | 'ERR_AUTHORIZATION_MALFORMED'
  | 'ERR_TOKEN_TOO_LONG'
  | 'ERR_TOKEN_MALFORMED'
  | 'ERR_TOKEN_TYPE_NOT_ALLOWED'
  | 'ERR_ALGORITHM_NOT_ALLOWED'
  | 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'
  | 'ERR_TENANT_NOT_DETERMINED'
  | 'ERR_TENANT_UNKNOWN'
  | 'ERR_ISSUER_NOT_ALLOWED'
  | 'ERR_TOKEN_EXPIRED'
  | 'ERR_TOKEN_NOT_YET_VALID'
  | 'ERR_TOKEN_ISSUED_IN_FUTURE'
  | 'ERR_TOKEN_TOO_OLD'
  | 'ERR_AUDIENCE_NOT_ALLOWED'
  | 'ERR_CLIENT_NOT_ALLOWED'
  | 'ERR_CLAIM_MISSING'
  | 'ERR_CLAIM_MALFORMED'
  | 'ERR_CLAIM_NOT_BOUND'
  | 'ERR_CLAIMS_REJECTED'
  | 'ERR_TOKEN_REJECTED'
  | 'ERR_TOKEN_REVOKED'
  | 'ERR_CONFIRMATION_NOT_CHECKED'
  | 'ERR_KEY_NOT_FOUND'
  | 'ERR_KEY_REVOKED'
  | 'ERR_SIGNATURE_INVALID'
  | 'ERR_SCOPE_MISSING'
  | 'ERR_KEYS_UNAVAILABLE'
  | 'ERR_AUTHENTICATOR_NOT_RUN'
  | 'ERR_PROVIDER_NOT_REGISTERED'
  | 'ERR_PROVIDER_TAKEN'
  | 'ERR_REGISTRY_CLOSED'
  | 'ERR_UPSTREAM_UNREACHABLE'
  | 'ERR_UPSTREAM_TIMED_OUT'
  | 'ERR_UPSTREAM_REQUEST_FAILED'
  | 'ERR_UPSTREAM_STATUS'
  | 'ERR_UPSTREAM_URL_NOT_ALLOWED'
  | 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED'
  | 'ERR_KEY_PIN_MISMATCH'
  | 'ERR_RESPONSE_TOO_LARGE'
  | 'ERR_CONTENT_CODING_NOT_SUPPORTED'
  | 'ERR_KEY_SET_MALFORMED'
  | 'ERR_METADATA_MALFORMED'
  | 'ERR_METADATA_ISSUER_MISMATCH'
  | 'ERR_STORE_FAILED'
  | 'ERR_FLEET_FETCH_FAILED'

/**
 * The base of every error of this package, never thrown itself: `error instanceof JwksAuthError` tells ours
 * from others, `error.code` tells ours apart. Messages are fixed sentences plus what the configuration says;
 * no token, key or upstream text is in them.
 */
export abstract class JwksAuthError extends Error {
  /** Which error this is; stable across releases, unlike the message. */
  abstract readonly code: ErrorCode
}

/**
 * The base of the errors that refuse a request because of its credentials. They are made on the hot path,
 * so they carry no stack trace: where they come from is in their code.
 */
export abstract class RequestRefusedError extends JwksAuthError {
  constructor(message: string, options?: ErrorOptions) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(message, options)
    Error.stackTraceLimit = limit
  }
}
