import type { AuthRequest } from './auth-request.ts'
import { type NodeHeaders, nodeHeader, nodeHeaders } from './node-headers.ts'

/** What the requests of Express, Koa and Fastify have in common. */
export interface FrameworkRequest {
  /** The method, in upper case. */
  readonly method: string
  /** The request target as the client sent it. */
  readonly originalUrl: string
  /** The host name without port, by the framework's rules for proxies. */
  readonly hostname: string | undefined
}

/** Looks at the framework's request only for what it is asked: most requests need one header and nothing else. */
class LazyAuthRequest implements AuthRequest {
  readonly raw: FrameworkRequest
  readonly #node: NodeHeaders
  #headers: AuthRequest['headers'] | undefined

  constructor(request: FrameworkRequest, node: NodeHeaders) {
    this.raw = request
    this.#node = node
  }

  get method(): string {
    return this.raw.method
  }

  get url(): string {
    return this.raw.originalUrl
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
 * The request of a framework on Node, as authentication looks at it.
 *
 * @param request the framework's own, which resolvers get as `raw`
 * @param node the Node request under it
 */
export function frameworkRequest(request: FrameworkRequest, node: NodeHeaders): AuthRequest {
  return new LazyAuthRequest(request, node)
}

/** One header of a request, by its lower-case name. For a framework's request, no other header is looked at. */
export function headerOf(request: AuthRequest, name: string): string | readonly string[] | undefined {
  return request instanceof LazyAuthRequest ? request.header(name) : request.headers[name]
}
