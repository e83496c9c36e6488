import { UpstreamRequestFailedError } from '../base/errors/upstream-errors.ts'
import type { Attempt } from './connection.ts'
import type { IncomingBody } from './content-coding.ts'

/** One GET to one URL; redirects are not followed. */
export interface ExchangeRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds for the headers to arrive, and between two parts of the body. */
  readonly timeout: number
  /** Called when the request is written to a connection. */
  readonly onSent: (() => void) | undefined
}

/** The head of a response, and its body as it arrives. */
export interface IncomingResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: IncomingBody
}

/** Sends one request and waits for the head of the response. */
export type Exchange = (request: ExchangeRequest, attempt: Attempt) => Promise<IncomingResponse>

/** The part of an HTTP dispatcher that is needed here: any `Dispatcher` of undici 6, 7 or 8 has it. */
export interface HttpDispatcher {
  /** Sends one request and resolves with the head of the response, and its body as it arrives. */
  request(options: {
    readonly origin: string
    readonly path: string
    readonly method: 'GET'
    readonly headers: Record<string, string>
    readonly signal: AbortSignal
    readonly headersTimeout: number
    readonly bodyTimeout: number
  }): Promise<{
    readonly statusCode: number
    readonly headers: Record<string, string | string[] | undefined>
    readonly body: AsyncIterable<Uint8Array>
  }>
}

/** Sends requests by a dispatcher of the application's. It resolves names, connects and does TLS by itself. */
export function createDispatcherExchange(dispatcher: HttpDispatcher): Exchange {
  return async ({ url, headers, timeout, onSent }, { signal }) => {
    // It does not say when a request is sent.
    onSent?.()
    const options = {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers: { ...headers },
      signal,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    } as const
    try {
      const { statusCode, headers: received, body } = await dispatcher.request(options)
      return { status: statusCode, headers: received, body }
    } catch (error) {
      if (!isRefusal(error)) throw error
      throw new UpstreamRequestFailedError('the dispatcher refused it', { cause: error })
    }
  }
}

/** What undici throws for a request that it does not take, as opposed to one that failed on the network. */
const REFUSALS = new Set([
  ...['UND_ERR_INVALID_ARG', 'UND_ERR_INVALID_RETURN_VALUE', 'UND_ERR_NOT_SUPPORTED'],
  ...['UND_ERR_CLOSED', 'UND_ERR_DESTROYED'],
])

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return true
  return error instanceof TypeError || ('code' in error && REFUSALS.has(String(error.code)))
}
