/** A request, as far as authentication looks at it; an adapter takes it from its framework's. */
export interface AuthRequest {
  /** The method, in upper case. */
  readonly method: string
  /** The request target as the client sent it (RFC 9112 §3.2), under a mount, too. */
  readonly url: string
  /** The host name without port, where the framework knows better than the `Host` header (trusted proxies). */
  readonly hostname?: string | undefined
  /** Headers by lower-case name; an array where a header came more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The framework's own request, for resolvers of the application. */
  readonly raw?: unknown
}
