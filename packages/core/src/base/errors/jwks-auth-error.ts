/** Every `code` that an error of this package can have. The set is closed; `docs/errors.md` explains each. */
export type ErrorCode =
  | 'ERR_TOKEN_MISSING'
  | 'ERR_AUTHORIZATION_MALFORMED'
  | 'ERR_CROSS_SITE_REQUEST'
  | 'ERR_TOKEN_TOO_LONG'
  | 'ERR_TOKEN_MALFORMED'
  | 'ERR_TOKEN_TYPE_NOT_ALLOWED'
  | 'ERR_ALGORITHM_NOT_ALLOWED'
  | 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'
  | 'ERR_TENANT_NOT_DETERMINED'
  | 'ERR_TENANT_UNKNOWN'
  | 'ERR_TENANT_LOOKUP_FAILED'
  | 'ERR_ISSUER_NOT_ALLOWED'
  | 'ERR_ISSUER_SHARED'
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
  | 'ERR_CLAIMS_NOT_SUFFICIENT'
  | 'ERR_AUTHENTICATION_INSUFFICIENT'
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
 * The `code` of a {@link RequestNotAuthenticatedError}: the `error` of the response body, that of RFC 6750 §3.1 or RFC
 * 9470 §3 where they have one. It does not depend on the tenant or on keys, so it may be sent to clients.
 */
export type PublicErrorCode =
  | 'unauthorized'
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
  | 'temporarily_unavailable'
  | 'server_error'

/**
 * The base of every error of this package, never thrown itself. Messages are fixed sentences plus what the configuration
 * says; they contain no token, key or upstream text.
 */
export abstract class JwksAuthError extends Error {
  /** Which error this is; stable across releases, unlike the message. */
  abstract readonly code: ErrorCode | PublicErrorCode
}

/**
 * The base of the errors that refuse a request because of its credentials. They are created on the hot path, so they
 * have no stack trace: the code says where they come from.
 */
export abstract class RequestRefusedError extends JwksAuthError {
  constructor(message: string, options?: ErrorOptions) {
    const limit = Error.stackTraceLimit
    // An assignment would throw where `Error` is frozen, as with `--frozen-intrinsics`. There, it has a stack trace.
    Reflect.set(Error, 'stackTraceLimit', 0)
    super(message, options)
    Reflect.set(Error, 'stackTraceLimit', limit)
  }
}

/** What a {@link RequestNotAuthenticatedError} is created from. */
export interface RequestNotAuthenticatedOptions {
  /** The `error` of the response body. */
  readonly code: PublicErrorCode
  /** The `error_description` of the response body. */
  readonly message: string
  /** The status of the response. */
  readonly status: number
  /** Headers of the response by lower-case name, without `content-type`: the framework writes the body. */
  readonly headers: Readonly<Record<string, string>>
  /** The specific error, for logs. */
  readonly cause: JwksAuthError
}

/**
 * A refusal as `passErrors: true` hands it to the framework's own error path. Express, Koa and Fastify read `status`,
 * `statusCode`, `headers` and `expose`. Message and code are those of the response that would have been sent: they do not
 * tell a known tenant from an unknown one. The specific error is the `cause`: log it, do not send it.
 */
export class RequestNotAuthenticatedError extends RequestRefusedError {
  override readonly name = 'RequestNotAuthenticatedError'
  override readonly code: PublicErrorCode
  /** The status of the response: 400, 401, 403, 500 or 503. */
  readonly status: number
  /** The same as `status`, for Fastify and Express. */
  readonly statusCode: number
  /** Headers of the response by lower-case name: `www-authenticate`, `retry-after`, `cache-control`. */
  readonly headers: Readonly<Record<string, string>>
  /** Always `true`: the message may be sent (http-errors). */
  readonly expose = true
  constructor({ code, message, status, headers, cause }: RequestNotAuthenticatedOptions) {
    super(message, { cause })
    this.code = code
    this.status = status
    this.statusCode = status
    this.headers = headers
  }
}

/** The registry knows no such tenant and provider. */
export class ProviderNotRegisteredError extends JwksAuthError {
  override readonly name = 'ProviderNotRegisteredError'
  override readonly code = 'ERR_PROVIDER_NOT_REGISTERED'
  constructor(options?: ErrorOptions) {
    super('This tenant and provider are not registered', options)
  }
}

/** Something else is registered under this tenant and provider; `unregister` it first. */
export class ProviderTakenError extends JwksAuthError {
  override readonly name = 'ProviderTakenError'
  override readonly code = 'ERR_PROVIDER_TAKEN'
  constructor(tenant: string, provider: string, options?: ErrorOptions) {
    super(`Tenant ${tenant}, provider ${provider} is registered with other options; unregister it first`, options)
  }
}

/** The registry was used after `close()`. */
export class RegistryClosedError extends JwksAuthError {
  override readonly name = 'RegistryClosedError'
  override readonly code = 'ERR_REGISTRY_CLOSED'
  constructor(options?: ErrorOptions) {
    super('The registry is closed', options)
  }
}

/** What failed in a store, and for which provider. */
export interface StoreFailure extends ErrorOptions {
  /** What the store was asked to do. */
  readonly operation: string
  /** For which tenant; `'*'` for all. */
  readonly tenant: string
  /** For which provider; `'*'` for all. */
  readonly provider: string
}

/** The store rejected an operation, or took too long. */
export class StoreFailedError extends JwksAuthError {
  override readonly name = 'StoreFailedError'
  override readonly code = 'ERR_STORE_FAILED'
  /** What the store was asked to do: `load`, `save`, `delete`, `coordinate`, `revoke` or `subscribe`. */
  readonly operation: string
  /** For which tenant; `'*'` for all. */
  readonly tenant: string
  /** For which provider; `'*'` for all. */
  readonly provider: string
  constructor(reason: string, { operation, tenant, provider, ...options }: StoreFailure) {
    super(`The store failed (${operation}, tenant ${tenant}, provider ${provider}): ${reason}`, options)
    this.operation = operation
    this.tenant = tenant
    this.provider = provider
  }
}

/** Another process of the fleet has failed to fetch the keys a moment ago; this one shares its backoff. */
export class FleetFetchFailedError extends JwksAuthError {
  override readonly name = 'FleetFetchFailedError'
  override readonly code = 'ERR_FLEET_FETCH_FAILED'
  /** True where the failure was a 5xx or a broken network. */
  readonly isOutage: boolean
  constructor(isOutage: boolean, options?: ErrorOptions) {
    super('Another process of the fleet could not fetch the keys; see its lastError', options)
    this.isOutage = isOutage
  }
}
