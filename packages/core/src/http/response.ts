/** Response headers by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>

/** A response, its redirects followed. */
export interface TransportResponse {
  readonly status: number
  readonly headers: ResponseHeaders
  /** The decoded body of a 200; empty for every other status. */
  readonly body: string
}
