import { type AuthRequest, headerIn } from './auth-request.ts'
import { type NodeHeaders, nodeHeader, nodeHeaders } from './node-headers.ts'

/** What the requests of Express, Koa, Fastify and plain Node have in common. */
export interface FrameworkRequest {
  /** The method, in upper case. */
  readonly method?: string | undefined
  /** The request target as the client sent it, where a framework changes `url` under a mount. */
  readonly originalUrl?: string | undefined
  /** The request target, where there is no `originalUrl`: plain Node. */
  readonly url?: string | undefined
  /** The host name without port, by the framework's rules for proxies. */
  readonly hostname?: string | undefined
}

/** Reads a framework's request lazily: most requests need one header and nothing else. */
class LazyAuthRequest implements AuthRequest {
  readonly raw: FrameworkRequest
  readonly #node: NodeHeaders
  #headers: AuthRequest['headers'] | undefined

  constructor(request: FrameworkRequest, node: NodeHeaders) {
    this.raw = request
    this.#node = node
  }

  get method(): string {
    return this.raw.method ?? 'GET'
  }

  get url(): string {
    return this.raw.originalUrl ?? this.raw.url ?? '/'
  }

  get hostname(): string | undefined {
    return this.raw.hostname
  }

  get headers(): AuthRequest['headers'] {
    this.#headers ??= nodeHeaders(this.#node)
    return this.#headers
  }

  header(name: string): string | readonly string[] | undefined {
    return nodeHeader(this.#node, name)
  }
}

/**
 * Returns the request of a framework on Node in the form that an authenticator takes.
 *
 * @param request the framework's own request, which resolvers and callbacks get as `raw`
 * @param node the Node request under it
 */
export function frameworkRequest(request: FrameworkRequest, node: NodeHeaders): AuthRequest {
  return new LazyAuthRequest(request, node)
}

/** True for a request that {@link frameworkRequest} made. */
export function isFrameworkRequest(request: unknown): request is AuthRequest {
  return request instanceof LazyAuthRequest
}

/** Returns one header of a request, by its lower-case name. Of a framework's request it reads no other header. */
export function headerOf(request: AuthRequest, name: string): string | readonly string[] | undefined {
  return request instanceof LazyAuthRequest ? request.header(name) : headerIn(request.headers, name)
}
