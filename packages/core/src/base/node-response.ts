/** The members of a Node response that say whether anything can still be sent; `stream` is that of HTTP/2. */
export interface NodeResponse {
  /** True once the status and the headers are sent. */
  readonly headersSent?: boolean
  /** True once the end of the body was written. */
  readonly writableEnded?: boolean
  /** True once the response is closed, also by a client that went away. */
  readonly destroyed?: boolean
  /** The HTTP/2 stream, in the place of `destroyed`. */
  readonly stream?:
    | {
        /** True once the stream is closed. */
        readonly destroyed: boolean
      }
    | null
    | undefined
}

/**
 * True where a request is over: a response was sent already, perhaps by a time limit, or the client has gone away. Then
 * an adapter neither sends a response nor runs the handler.
 */
export function isResponseOver({ headersSent, writableEnded, destroyed, stream }: NodeResponse): boolean {
  return headersSent === true || writableEnded === true || destroyed === true || stream?.destroyed === true
}
