import type { TransportResponse } from '../http/response.ts'

/** One request for a key set. */
export interface JwksRequest {
  /** The headers to send to a URL. */
  headersFor(url: string): Readonly<Record<string, string>>
  /** Aborts the exchange. */
  readonly signal: AbortSignal
  /** Milliseconds for the headers to arrive, and between two parts of the body. */
  readonly timeout: number
  /** True when the last refresh failed: perhaps the key set has moved. */
  readonly relocate: boolean
  /** Called when a request is written to a connection. */
  onSent?(): void
}

/** A response, and the URL that it came from. */
export interface JwksResponse extends TransportResponse {
  /** The requested URL. */
  readonly url: string
}

/** Fetches a provider's key set. The cache knows no URL; the source finds it. */
export type JwksSource = (request: JwksRequest) => Promise<JwksResponse>
