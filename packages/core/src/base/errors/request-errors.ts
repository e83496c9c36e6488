import { RequestRefusedError } from './jwks-auth-error.ts'

/** No credentials, or none of the Bearer scheme (RFC 6750 §3.1). */
export class TokenMissingError extends RequestRefusedError {
  override readonly name = 'TokenMissingError'
  override readonly code = 'ERR_TOKEN_MISSING'
  constructor(options?: ErrorOptions) {
    super('The request carries no bearer token', options)
  }
}

/** The credentials are not those of RFC 6750 §2.1, or the request carries more than one token. */
export class AuthorizationMalformedError extends RequestRefusedError {
  override readonly name = 'AuthorizationMalformedError'
  override readonly code = 'ERR_AUTHORIZATION_MALFORMED'
  /** @param reason what is wrong, as half a sentence without any text of the request */
  constructor(reason: string, options?: ErrorOptions) {
    super(`The credentials of the request are malformed: ${reason}`, options)
  }
}

/** A token in a cookie that another site may have caused the browser to send. */
export class CrossSiteRequestError extends RequestRefusedError {
  override readonly name = 'CrossSiteRequestError'
  override readonly code = 'ERR_CROSS_SITE_REQUEST'
  constructor(options?: ErrorOptions) {
    super('The cookie with the token came with a request that is not known to be of the same origin', options)
  }
}

/** The token is longer than `maxTokenBytes`. */
export class TokenTooLongError extends RequestRefusedError {
  override readonly name = 'TokenTooLongError'
  override readonly code = 'ERR_TOKEN_TOO_LONG'
  constructor(options?: ErrorOptions) {
    super('The token is longer than maxTokenBytes', options)
  }
}

/** The token is not a JWT in compact form, strictly read (RFC 7515 §7.1, RFC 7519 §7.2). */
export class TokenMalformedError extends RequestRefusedError {
  override readonly name = 'TokenMalformedError'
  override readonly code = 'ERR_TOKEN_MALFORMED'
  constructor(options?: ErrorOptions) {
    super('The token is not a well-formed JWT', options)
  }
}

/** The token's `typ` is not one of those allowed for access tokens (RFC 8725 §3.11). */
export class TokenTypeNotAllowedError extends RequestRefusedError {
  override readonly name = 'TokenTypeNotAllowedError'
  override readonly code = 'ERR_TOKEN_TYPE_NOT_ALLOWED'
  constructor(options?: ErrorOptions) {
    super('The typ of the token is not allowed', options)
  }
}

/** The token's `alg` is not among the provider's `algorithms` (RFC 8725 §3.1). */
export class AlgorithmNotAllowedError extends RequestRefusedError {
  override readonly name = 'AlgorithmNotAllowedError'
  override readonly code = 'ERR_ALGORITHM_NOT_ALLOWED'
  constructor(options?: ErrorOptions) {
    super('The alg of the token is not allowed', options)
  }
}

/** The protected header has `crit` or `b64`, and no extension is understood (RFC 7515 §4.1.11). */
export class CriticalHeaderNotUnderstoodError extends RequestRefusedError {
  override readonly name = 'CriticalHeaderNotUnderstoodError'
  override readonly code = 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'
  constructor(options?: ErrorOptions) {
    super('The token has a critical header that is not understood', options)
  }
}

/** No tenant could be derived from the request. */
export class TenantNotDeterminedError extends RequestRefusedError {
  override readonly name = 'TenantNotDeterminedError'
  override readonly code = 'ERR_TENANT_NOT_DETERMINED'
  constructor(options?: ErrorOptions) {
    super('No tenant could be derived from the request', options)
  }
}

/** The tenant that was derived from the request is not configured. */
export class TenantUnknownError extends RequestRefusedError {
  override readonly name = 'TenantUnknownError'
  override readonly code = 'ERR_TENANT_UNKNOWN'
  constructor(options?: ErrorOptions) {
    super('The tenant of the request is not configured', options)
  }
}

/** Options of a {@link TenantLookupFailedError}. */
export interface TenantLookupFailedErrorOptions extends ErrorOptions {
  /** When a retry may succeed, in milliseconds from now. */
  readonly retryAfter: number
}

/**
 * The tenant could not be looked up: the function `tenants` threw, rejected, took too long or returned a wrong
 * configuration, and there is none from before that may still be used. Not the client's fault.
 */
export class TenantLookupFailedError extends RequestRefusedError {
  override readonly name = 'TenantLookupFailedError'
  override readonly code = 'ERR_TENANT_LOOKUP_FAILED'
  /** When a retry may succeed, in milliseconds from when the error was created. */
  readonly retryAfter: number
  constructor(options: TenantLookupFailedErrorOptions) {
    super('The tenant of the request could not be looked up', options)
    this.retryAfter = options.retryAfter
  }
}

/** Another tenant has the token's `iss`, too, and neither audience nor `boundClaims` tells their tokens apart. */
export class IssuerSharedError extends RequestRefusedError {
  override readonly name = 'IssuerSharedError'
  override readonly code = 'ERR_ISSUER_SHARED'
  constructor(options?: ErrorOptions) {
    super('The issuer of the token belongs to another tenant, too, and nothing tells their tokens apart', options)
  }
}

/** The token's `iss` is not one of the tenant's issuers. */
export class IssuerNotAllowedError extends RequestRefusedError {
  override readonly name = 'IssuerNotAllowedError'
  override readonly code = 'ERR_ISSUER_NOT_ALLOWED'
  constructor(options?: ErrorOptions) {
    super('The token does not come from an issuer of this tenant', options)
  }
}

/** The key set has no key that fits the token, also after a refetch where one was allowed. */
export class KeyNotFoundError extends RequestRefusedError {
  override readonly name = 'KeyNotFoundError'
  override readonly code = 'ERR_KEY_NOT_FOUND'
  constructor(options?: ErrorOptions) {
    super('No key of the issuer fits the token', options)
  }
}

/** The key was revoked with `revokeKey`. */
export class KeyRevokedError extends RequestRefusedError {
  override readonly name = 'KeyRevokedError'
  override readonly code = 'ERR_KEY_REVOKED'
  constructor(options?: ErrorOptions) {
    super('The key of the token was revoked', options)
  }
}

/** The signature does not verify with the key that the token names (RFC 7515 §5.2). */
export class SignatureInvalidError extends RequestRefusedError {
  override readonly name = 'SignatureInvalidError'
  override readonly code = 'ERR_SIGNATURE_INVALID'
  constructor(options?: ErrorOptions) {
    super('The signature of the token is not valid', options)
  }
}

/** A scope is absent that the route requires (RFC 6750 §3.1). */
export class ScopeMissingError extends RequestRefusedError {
  override readonly name = 'ScopeMissingError'
  override readonly code = 'ERR_SCOPE_MISSING'
  /** The scopes that the route requires. */
  readonly requiredScopes: readonly string[]
  constructor(requiredScopes: readonly string[], options?: ErrorOptions) {
    super('The token lacks a scope that this route requires', options)
    this.requiredScopes = requiredScopes
  }
}

/** A claim is absent, or has another value than the route requires. Asking for other scopes may not help. */
export class ClaimsNotSufficientError extends RequestRefusedError {
  override readonly name = 'ClaimsNotSufficientError'
  override readonly code = 'ERR_CLAIMS_NOT_SUFFICIENT'
  constructor(options?: ErrorOptions) {
    super('The token lacks a claim that this route requires', options)
  }
}

/** Options of an {@link AuthenticationInsufficientError}: what the route requires. */
export interface AuthenticationInsufficientErrorOptions extends ErrorOptions {
  /** The authentication context classes that are accepted. */
  readonly acrValues?: readonly string[] | undefined
  /** How long ago the user may have authenticated, in milliseconds. */
  readonly maxAge?: number | undefined
}

/** The user did not authenticate as strongly or as recently as the route requires (RFC 9470 §3). */
export class AuthenticationInsufficientError extends RequestRefusedError {
  override readonly name = 'AuthenticationInsufficientError'
  override readonly code = 'ERR_AUTHENTICATION_INSUFFICIENT'
  /** The authentication context classes that are accepted; `undefined` for any. */
  readonly acrValues: readonly string[] | undefined
  /** How long ago the user may have authenticated, in milliseconds; `undefined` for any time. */
  readonly maxAge: number | undefined
  constructor({ acrValues, maxAge, ...options }: AuthenticationInsufficientErrorOptions = {}) {
    super('The user did not authenticate as strongly or as recently as this route requires', options)
    this.acrValues = acrValues
    this.maxAge = maxAge
  }
}

/** Options of a {@link KeysUnavailableError}. */
export interface KeysUnavailableErrorOptions extends ErrorOptions {
  /** When a retry may succeed, in milliseconds from now. */
  readonly retryAfter: number
}

/**
 * No usable keys are cached and none can be fetched at the moment, or the last refetch for an unknown `kid` failed. Not
 * the client's fault.
 */
export class KeysUnavailableError extends RequestRefusedError {
  override readonly name = 'KeysUnavailableError'
  override readonly code = 'ERR_KEYS_UNAVAILABLE'
  /** When a retry may succeed, in milliseconds from when the error was created. */
  readonly retryAfter: number
  constructor(options: KeysUnavailableErrorOptions) {
    super('The keys of the issuer are not available at the moment', options)
    this.retryAfter = options.retryAfter
  }
}

/** A guard ran on a request that no authenticator had seen: a programming error, refused with 500. */
export class AuthenticatorNotRunError extends RequestRefusedError {
  override readonly name = 'AuthenticatorNotRunError'
  override readonly code = 'ERR_AUTHENTICATOR_NOT_RUN'
  constructor(options?: ErrorOptions) {
    super('A guard ran before jwksAuth: mount jwksAuth ahead of the routes that it protects', options)
  }
}

/** The token's `exp` has passed (RFC 7519 §4.1.4). */
export class TokenExpiredError extends RequestRefusedError {
  override readonly name = 'TokenExpiredError'
  override readonly code = 'ERR_TOKEN_EXPIRED'
  constructor(options?: ErrorOptions) {
    super('The token has expired', options)
  }
}

/** The token's `nbf` has not come yet (RFC 7519 §4.1.5). */
export class TokenNotYetValidError extends RequestRefusedError {
  override readonly name = 'TokenNotYetValidError'
  override readonly code = 'ERR_TOKEN_NOT_YET_VALID'
  constructor(options?: ErrorOptions) {
    super('The token is not valid yet', options)
  }
}

/** The token's `iat` lies in the future. */
export class TokenIssuedInFutureError extends RequestRefusedError {
  override readonly name = 'TokenIssuedInFutureError'
  override readonly code = 'ERR_TOKEN_ISSUED_IN_FUTURE'
  constructor(options?: ErrorOptions) {
    super('The token was issued in the future', options)
  }
}

/** The token was issued longer than `maxTokenAge` ago. */
export class TokenTooOldError extends RequestRefusedError {
  override readonly name = 'TokenTooOldError'
  override readonly code = 'ERR_TOKEN_TOO_OLD'
  constructor(options?: ErrorOptions) {
    super('The token is older than maxTokenAge', options)
  }
}

/** The token's `aud` names none of the configured audiences (RFC 7519 §4.1.3). */
export class AudienceNotAllowedError extends RequestRefusedError {
  override readonly name = 'AudienceNotAllowedError'
  override readonly code = 'ERR_AUDIENCE_NOT_ALLOWED'
  constructor(options?: ErrorOptions) {
    super('The token is meant for another audience', options)
  }
}

/** The token's `client_id` or `azp` is not among `clientIds`. */
export class ClientNotAllowedError extends RequestRefusedError {
  override readonly name = 'ClientNotAllowedError'
  override readonly code = 'ERR_CLIENT_NOT_ALLOWED'
  constructor(options?: ErrorOptions) {
    super('The token was issued to a client that is not allowed', options)
  }
}

/** A claim is absent that is always required (`iss`, `exp`) or that `requiredClaims` names. */
export class ClaimMissingError extends RequestRefusedError {
  override readonly name = 'ClaimMissingError'
  override readonly code = 'ERR_CLAIM_MISSING'
  constructor(options?: ErrorOptions) {
    super('The token lacks a required claim', options)
  }
}

/** A registered claim has a wrong type (RFC 7519 §4.1), or a time that is no date before the year 10000. */
export class ClaimMalformedError extends RequestRefusedError {
  override readonly name = 'ClaimMalformedError'
  override readonly code = 'ERR_CLAIM_MALFORMED'
  constructor(options?: ErrorOptions) {
    super('A claim of the token is not of its type', options)
  }
}

/** A claim has another value than `boundClaims` says. */
export class ClaimNotBoundError extends RequestRefusedError {
  override readonly name = 'ClaimNotBoundError'
  override readonly code = 'ERR_CLAIM_NOT_BOUND'
  constructor(options?: ErrorOptions) {
    super('A claim of the token is not the one that binds it to this tenant', options)
  }
}

/** The schema given as `claims` refused the verified claims. */
export class ClaimsRejectedError extends RequestRefusedError {
  override readonly name = 'ClaimsRejectedError'
  override readonly code = 'ERR_CLAIMS_REJECTED'
  constructor(options?: ErrorOptions) {
    super('The claims of the token do not satisfy the schema', options)
  }
}

/** The application's `validate` refused the token. */
export class TokenRejectedError extends RequestRefusedError {
  override readonly name = 'TokenRejectedError'
  override readonly code = 'ERR_TOKEN_REJECTED'
  constructor(options?: ErrorOptions) {
    super('The application does not accept the token', options)
  }
}

/** The application's `isRevoked` says that the token was revoked. */
export class TokenRevokedError extends RequestRefusedError {
  override readonly name = 'TokenRevokedError'
  override readonly code = 'ERR_TOKEN_REVOKED'
  constructor(options?: ErrorOptions) {
    super('The token was revoked', options)
  }
}

/** The token is bound to a key (`cnf`, RFC 7800) and nothing has checked that binding. */
export class ConfirmationNotCheckedError extends RequestRefusedError {
  override readonly name = 'ConfirmationNotCheckedError'
  override readonly code = 'ERR_CONFIRMATION_NOT_CHECKED'
  constructor(options?: ErrorOptions) {
    super('The token is bound to a key that was not checked', options)
  }
}
