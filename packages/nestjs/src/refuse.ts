import type { PublicErrorCode, RequestNotAuthenticatedError } from '@jwks-auth/core'
import { HttpException } from '@nestjs/common'
import type { Call } from './call.ts'

/**
 * A refused request. Nest's own exception filter sends its status and its response, `{ error, error_description }`; the
 * guard has set the headers by then. The message is `error_description`. The specific error, a `JwksAuthError`, is the
 * `cause`: log it, do not send it.
 */
export class RequestNotAuthenticatedException extends HttpException {
  /** The `error` of the response body. */
  readonly code: PublicErrorCode
  /** Headers of the response by lower-case name: `www-authenticate`, `retry-after`, `cache-control`. */
  readonly headers: Readonly<Record<string, string>>

  constructor({ code, message, status, headers, cause }: RequestNotAuthenticatedError) {
    // Like all refusals without a stack trace, which would cost more than checking a bad token; save where `Error` is frozen.
    const limit = Error.stackTraceLimit
    Reflect.set(Error, 'stackTraceLimit', 0)
    super({ error: code, error_description: message }, status, { cause })
    Reflect.set(Error, 'stackTraceLimit', limit)
    this.message = message
    this.code = code
    this.headers = headers
  }
}

/** Rejects with what the exception filters of the call's transport render. */
export async function refuse(error: RequestNotAuthenticatedError, call: Call): Promise<never> {
  if (call.type !== 'ws') {
    setHeaders(call, error.headers)
    throw new RequestNotAuthenticatedException(error)
  }
  // Here, since applications without WebSockets do not have that package.
  const { WsException } = await import('@nestjs/websockets')
  const payload = { status: 'error', error: error.code, error_description: error.message }
  throw Object.assign(new WsException(payload), { cause: error.cause })
}

/** Sets headers of the response, where one is still to come. */
export function setHeaders({ response }: Call, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response?.header(name, value)
}
