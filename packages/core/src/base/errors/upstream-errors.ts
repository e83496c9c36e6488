import { JwksAuthError } from './jwks-auth-error.ts'

/** No answer from the provider: refused, reset, cut off, or no such host. */
export class UpstreamUnreachableError extends JwksAuthError {
  override readonly name = 'UpstreamUnreachableError'
  override readonly code = 'ERR_UPSTREAM_UNREACHABLE'
  constructor(options?: ErrorOptions) {
    super('The provider could not be reached, or broke off its answer', options)
  }
}

/** The provider took longer than `attemptTimeout`, or all attempts together longer than `deadline`. */
export class UpstreamTimedOutError extends JwksAuthError {
  override readonly name = 'UpstreamTimedOutError'
  override readonly code = 'ERR_UPSTREAM_TIMED_OUT'
  constructor(options?: ErrorOptions) {
    super('The provider did not answer in time', options)
  }
}

/** Options of an {@link UpstreamStatusError}. */
export interface UpstreamStatusErrorOptions extends ErrorOptions {
  /** The `Retry-After` that came with it, in milliseconds. */
  readonly retryAfter?: number | undefined
}

/** The provider answered with a status that is neither 200 nor the 304 that was asked for. */
export class UpstreamStatusError extends JwksAuthError {
  override readonly name = 'UpstreamStatusError'
  override readonly code = 'ERR_UPSTREAM_STATUS'
  /** The status that the provider sent. */
  readonly status: number
  /** The `Retry-After` that came with it (RFC 9110 §10.2.3), in milliseconds. */
  readonly retryAfter: number | undefined
  constructor(status: number, options?: UpstreamStatusErrorOptions) {
    super(`The provider answered with status ${status}`, options)
    this.status = status
    this.retryAfter = options?.retryAfter
  }
}

/** A URL, or a redirect's target, that `requireHttps`, `allowedDomains` or `maxRedirects` does not allow. */
export class UpstreamUrlNotAllowedError extends JwksAuthError {
  override readonly name = 'UpstreamUrlNotAllowedError'
  override readonly code = 'ERR_UPSTREAM_URL_NOT_ALLOWED'
  /** Which rule it breaks, as half a sentence. */
  readonly reason: string
  constructor(reason: string, options?: ErrorOptions) {
    super(`The URL of the provider is not allowed: ${reason}`, options)
    this.reason = reason
  }
}

/** The host's address is not one that `network` and `allowAddresses` let this provider have. */
export class UpstreamAddressNotAllowedError extends JwksAuthError {
  override readonly name = 'UpstreamAddressNotAllowedError'
  override readonly code = 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED'
  constructor(options?: ErrorOptions) {
    super("The provider's address is not allowed; see the options network and allowAddresses", options)
  }
}

/** The server's certificate was not verified by way of a key of `pinnedSpki`. */
export class KeyPinMismatchError extends JwksAuthError {
  override readonly name = 'KeyPinMismatchError'
  override readonly code = 'ERR_KEY_PIN_MISMATCH'
  constructor(options?: ErrorOptions) {
    super("No key of pinnedSpki is on the verified path of the provider's certificate", options)
  }
}

/** The decoded body is longer than `maxResponseBytes`. */
export class ResponseTooLargeError extends JwksAuthError {
  override readonly name = 'ResponseTooLargeError'
  override readonly code = 'ERR_RESPONSE_TOO_LARGE'
  constructor(options?: ErrorOptions) {
    super('The answer of the provider is longer than maxResponseBytes', options)
  }
}

/** The answer is no JSON Web Key Set (RFC 7517 §5), or none of its keys can be used. */
export class KeySetMalformedError extends JwksAuthError {
  override readonly name = 'KeySetMalformedError'
  override readonly code = 'ERR_KEY_SET_MALFORMED'
  constructor(reason: string, options?: ErrorOptions) {
    super(`The provider did not answer with a usable key set: ${reason}`, options)
  }
}

/** The metadata document is no JSON object or lacks a usable `jwks_uri` (OpenID Connect Discovery 1.0 §3, RFC 8414 §2). */
export class MetadataMalformedError extends JwksAuthError {
  override readonly name = 'MetadataMalformedError'
  override readonly code = 'ERR_METADATA_MALFORMED'
  constructor(reason: string, options?: ErrorOptions) {
    super(`The metadata of the issuer cannot be used: ${reason}`, options)
  }
}

/** The metadata document names another issuer than the one it was asked for (RFC 8414 §3.3). */
export class MetadataIssuerMismatchError extends JwksAuthError {
  override readonly name = 'MetadataIssuerMismatchError'
  override readonly code = 'ERR_METADATA_ISSUER_MISMATCH'
  /** The issuer that is configured. */
  readonly expected: string
  /** What the document says, its first 256 characters; absent where that is no string. Not in the message: it is upstream's. */
  readonly received: string | undefined
  constructor(expected: string, received: unknown, options?: ErrorOptions) {
    super(`The metadata for ${expected} names another issuer`, options)
    this.expected = expected
    this.received = typeof received === 'string' ? received.slice(0, 256) : undefined
  }
}
