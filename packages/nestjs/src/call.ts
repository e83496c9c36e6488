import type { FrameworkRequest, NodeResponse } from '@jwks-auth/core/adapter'
import type { ExecutionContext } from '@nestjs/common'

/** A request of Express, of Fastify, or of plain Node. */
export interface CallRequest extends FrameworkRequest {
  /** Headers by lower-case name. */
  readonly headers: Record<string, string | string[] | undefined>
  /** Fastify's Node request. */
  readonly raw?: Omit<CallRequest, 'raw'>
}

/** A response of Express or Fastify. */
export interface CallResponse extends NodeResponse {
  /** Sets a header. */
  header(name: string, value: string): unknown
  /** Fastify's Node response. */
  readonly raw?: NodeResponse
}

/** The call of a handler, whatever transport it came by. */
export interface Call {
  /** `http`, `graphql` or `ws`. */
  readonly type: string
  /** The request with the token: for a WebSocket its handshake. */
  readonly request: CallRequest
  /** Absent where no headers can be sent any more: WebSockets, subscriptions. */
  readonly response: CallResponse | undefined
  /** What is authenticated once: an HTTP request, or a message on a WebSocket. */
  readonly unit: object
}

/**
 * Returns the call that a guard or a parameter decorator runs for.
 *
 * @throws TypeError where the context contains no request: a mistake in the application
 */
export function callOf(context: ExecutionContext): Call {
  const type = context.getType<string>()
  const { request, response, unit } = partsOf(type, context)
  if (!isRequest(request)) throw new TypeError(missingRequest[type] ?? `@jwks-auth/nestjs does not support ${type}`)
  return { type, request, response: isResponse(response) ? response : undefined, unit: unit ?? request }
}

const missingRequest: Readonly<Record<string, string>> = {
  graphql: 'the GraphQL context contains no request: let the option `context` return it as `req`',
  ws: 'the WebSocket client has no handshake request: assign it to `client.request` in `handleConnection`',
}

/** The parts of a call as they are found, unchecked. */
type Parts = { readonly request: unknown; readonly response?: unknown; readonly unit?: object }

function partsOf(type: string, context: ExecutionContext): Parts {
  if (type === 'http') {
    const http = context.switchToHttp()
    return { request: http.getRequest(), response: http.getResponse() }
  }
  if (type === 'graphql') return partsOfOperation(context.getArgByIndex<GraphqlContext>(2), context)
  if (type === 'ws') return { request: context.switchToWs().getClient<{ request?: unknown }>().request, unit: context }
  return { request: undefined }
}

/** What Apollo and Mercurius put into the context of an operation, and graphql-ws into that of a subscription. */
interface GraphqlContext {
  readonly req?: Pick<GraphqlContext, 'extra' | 'res'>
  readonly res?: unknown
  readonly reply?: { readonly request?: unknown }
  readonly extra?: { readonly request?: unknown }
}

function partsOfOperation({ req, res, reply, extra }: GraphqlContext, context: ExecutionContext): Parts {
  const handshake = req?.extra?.request ?? extra?.request
  if (handshake !== undefined) return { request: handshake, unit: context }
  // Of Express, Apollo's context has the request only.
  return { request: reply?.request ?? req, response: res ?? reply ?? req?.res }
}

function isRequest(value: unknown): value is CallRequest {
  return isObject(value) && 'headers' in value && isObject(value.headers)
}

/** Both platforms call it `header`; a plain Node response has no such method. */
function isResponse(value: unknown): value is CallResponse {
  return isObject(value) && 'header' in value && typeof value.header === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
