import { RequestRefusedError } from './jwks-auth-error.ts'

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
