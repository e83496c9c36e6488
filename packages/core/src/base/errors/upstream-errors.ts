import { JwksAuthError } from './jwks-auth-error.ts'

/** The document of a provider that a request was for. */
export type UpstreamDocument = 'metadata' | 'key set'

/** How far a request had come: what it was doing when it failed. */
export type UpstreamStep =
  | 'preparing the request'
  | 'name resolution'
  | 'connecting'
  | 'TLS handshake'
  | 'waiting for the response'
  | 'reading the response'

/** What a failed request was for, and how far it had come. */
export interface UpstreamRequestErrorOptions extends ErrorOptions {
  /** The document that was requested; absent where that is not known. */
  readonly document?: UpstreamDocument | undefined
  /** What the request was doing; absent where that is not known. */
  readonly step?: UpstreamStep | undefined
}

/** No response from the provider: no such host, connection refused, reset or cut off, certificate not trusted. */
export class UpstreamUnreachableError extends JwksAuthError {
  override readonly name = 'UpstreamUnreachableError'
  override readonly code = 'ERR_UPSTREAM_UNREACHABLE'
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  /** What the request was doing. */
  readonly step: UpstreamStep | undefined
  constructor(options?: UpstreamRequestErrorOptions) {
    super(`The provider could not be reached, or its response was cut off${whereIn(options)}`, options)
    this.document = options?.document
    this.step = options?.step
  }
}

/** The provider took longer than `attemptTimeout`, or all attempts together longer than `deadline`. */
export class UpstreamTimedOutError extends JwksAuthError {
  override readonly name = 'UpstreamTimedOutError'
  override readonly code = 'ERR_UPSTREAM_TIMED_OUT'
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  /** What the request was doing. */
  readonly step: UpstreamStep | undefined
  constructor(options?: UpstreamRequestErrorOptions) {
    super(`The provider did not respond in time${whereIn(options)}`, options)
    this.document = options?.document
    this.step = options?.step
  }
}

/** The request could not be made: the registry's `dispatcher` refused it, or the option `headers` or `ca` gave nothing usable. */
export class UpstreamRequestFailedError extends JwksAuthError {
  override readonly name = 'UpstreamRequestFailedError'
  override readonly code = 'ERR_UPSTREAM_REQUEST_FAILED'
  /** What failed, as half a sentence. */
  readonly reason: string
  constructor(reason: string, options?: ErrorOptions) {
    super(`The request to the provider could not be made: ${reason}`, options)
    this.reason = reason
  }
}

/** Options of an {@link UpstreamStatusError}. */
export interface UpstreamStatusErrorOptions extends ErrorOptions {
  /** The `Retry-After` of the response, in milliseconds. */
  readonly retryAfter?: number | undefined
  /** The document that was requested. Default `'key set'`. */
  readonly document?: UpstreamDocument | undefined
}

/** The provider responded with a status that is neither 200 nor the expected 304. */
export class UpstreamStatusError extends JwksAuthError {
  override readonly name = 'UpstreamStatusError'
  override readonly code = 'ERR_UPSTREAM_STATUS'
  /** The status of the response. */
  readonly status: number
  /** The `Retry-After` of the response (RFC 9110 §10.2.3), in milliseconds. */
  readonly retryAfter: number | undefined
  /** The document that was requested. */
  readonly document: UpstreamDocument
  constructor(status: number, options?: UpstreamStatusErrorOptions) {
    const document = options?.document ?? 'key set'
    super(`The provider responded with status ${status} to a request for its ${document}`, options)
    this.status = status
    this.retryAfter = options?.retryAfter
    this.document = document
  }
}

/** A URL or the target of a redirect is not allowed by `requireHttps`, `allowedDomains` or `maxRedirects`. */
export class UpstreamUrlNotAllowedError extends JwksAuthError {
  override readonly name = 'UpstreamUrlNotAllowedError'
  override readonly code = 'ERR_UPSTREAM_URL_NOT_ALLOWED'
  /** The rule that it breaks, as half a sentence. */
  readonly reason: string
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  constructor(reason: string, options?: UpstreamRequestErrorOptions) {
    super(`The URL of the provider is not allowed: ${reason}${whereIn({ document: options?.document })}`, options)
    this.reason = reason
    this.document = options?.document
  }
}

/** The host's address is not allowed by `network` and `allowAddresses`. */
export class UpstreamAddressNotAllowedError extends JwksAuthError {
  override readonly name = 'UpstreamAddressNotAllowedError'
  override readonly code = 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED'
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  constructor(options?: UpstreamRequestErrorOptions) {
    super(
      `The provider's address is not allowed; see the options network and allowAddresses${whereIn({ document: options?.document })}`,
      options,
    )
    this.document = options?.document
  }
}

/** The server's certificate was not verified by way of a key of `pinnedSpki`. */
export class KeyPinMismatchError extends JwksAuthError {
  override readonly name = 'KeyPinMismatchError'
  override readonly code = 'ERR_KEY_PIN_MISMATCH'
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  constructor(options?: UpstreamRequestErrorOptions) {
    super(
      `No key of pinnedSpki is on the verified path of the provider's certificate${whereIn({ document: options?.document })}`,
      options,
    )
    this.document = options?.document
  }
}

/** The decoded body is longer than `maxResponseBytes`. */
export class ResponseTooLargeError extends JwksAuthError {
  override readonly name = 'ResponseTooLargeError'
  override readonly code = 'ERR_RESPONSE_TOO_LARGE'
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  constructor(options?: UpstreamRequestErrorOptions) {
    super(`The provider's response is longer than maxResponseBytes${whereIn({ document: options?.document })}`, options)
    this.document = options?.document
  }
}

/** The response has a `Content-Encoding` that was not accepted, and its body does not read as JSON without decoding. */
export class ContentCodingNotSupportedError extends JwksAuthError {
  override readonly name = 'ContentCodingNotSupportedError'
  override readonly code = 'ERR_CONTENT_CODING_NOT_SUPPORTED'
  /** The document that was requested. */
  readonly document: UpstreamDocument | undefined
  constructor(options?: UpstreamRequestErrorOptions) {
    super(
      `The provider's response has a content coding that is not supported${whereIn({ document: options?.document })}`,
      options,
    )
    this.document = options?.document
  }
}

/** The response is not a JSON Web Key Set (RFC 7517 §5), or none of its keys can be used. */
export class KeySetMalformedError extends JwksAuthError {
  override readonly name = 'KeySetMalformedError'
  override readonly code = 'ERR_KEY_SET_MALFORMED'
  constructor(reason: string, options?: ErrorOptions) {
    super(`The provider's key set cannot be used: ${reason}`, options)
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

/** The metadata document names another issuer than the configured one (RFC 8414 §3.3). */
export class MetadataIssuerMismatchError extends JwksAuthError {
  override readonly name = 'MetadataIssuerMismatchError'
  override readonly code = 'ERR_METADATA_ISSUER_MISMATCH'
  /** The configured issuer. */
  readonly expected: string
  /** The issuer in the document, its first 256 characters; absent where it is not a string. Upstream text, so not in the message. */
  readonly received: string | undefined
  constructor(expected: string, received: unknown, options?: ErrorOptions) {
    super(`The metadata for ${expected} names another issuer`, options)
    this.expected = expected
    this.received = typeof received === 'string' ? received.slice(0, 256) : undefined
  }
}

function whereIn({ document, step }: UpstreamRequestErrorOptions = {}): string {
  const parts = [document, step].filter((part) => part !== undefined)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}
