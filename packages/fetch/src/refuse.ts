import type { AuthRefusal, RefusalResponse, RequestNotAuthenticatedError } from '@jwks-auth/core'
import { frameworkError } from '@jwks-auth/core/adapter'

/** What Hono's own error handler calls. */
interface WithResponse {
  /** Returns the response to the refused request. */
  getResponse(): Response
}

/** Returns the response of a refusal, or throws its error for the framework's error handler. */
export function refuse({ error, response }: AuthRefusal, passErrors: boolean): Response {
  if (passErrors) throw withResponse(frameworkError({ error, response }))
  return responseOf(response)
}

/** The length is given, so that a server need not choose `Transfer-Encoding: chunked`, and HEAD has it, too. */
export function responseOf({ status, headers, body }: RefusalResponse): Response {
  return new Response(body, { status, headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) } })
}

/** Returns the response that an error of a refusal stands for. */
export function responseOfError({ code, message, status, headers }: RequestNotAuthenticatedError): Response {
  const body = JSON.stringify({ error: code, error_description: message })
  return responseOf({ status, headers: { ...headers, 'content-type': 'application/json' }, body })
}

/** Adds `getResponse` to an error of a refusal, as `HTTPException` of Hono has it. */
export function withResponse(error: RequestNotAuthenticatedError): RequestNotAuthenticatedError & WithResponse {
  return Object.assign(error, { getResponse: () => responseOfError(error) })
}
