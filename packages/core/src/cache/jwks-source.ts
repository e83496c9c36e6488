import type { TransportResponse } from '../http/transport.ts'

/** One request for a key set. */
export interface JwksRequest {
  /** The headers to send to a URL: directives, and validators if what is held came from there. */
  headersFor(url: string): Readonly<Record<string, string>>
  /** Gives the exchange up. */
  readonly signal: AbortSignal
  /** Milliseconds for the headers to come, and between two parts of the body. */
  readonly timeout: number
  /** True when the last refresh failed: perhaps the key set has moved. */
  readonly relocate: boolean
  /** Called when a request, for metadata or for the key set, is written to a connection. */
  readonly onSent?: (() => void) | undefined
}

/** What came back, and from where. */
export interface JwksAnswer extends TransportResponse {
  /** The URL that was asked. */
  readonly url: string
}

/** Where a provider's key set comes from. The cache knows no URL; who makes the source finds it. */
export type JwksSource = (request: JwksRequest) => Promise<JwksAnswer>
