import type { Registry } from '@jwks-auth/core'
import {
  createStatusResponder,
  frameworkRequest,
  isResponseOver,
  type StatusHandlerOptions,
  type StatusResponse,
} from '@jwks-auth/core/adapter'
import type { Request, RequestHandler, Response } from 'express'

export type { StatusHandlerOptions }

/**
 * Creates a handler with the status of a registry's providers, as a page and as JSON:
 * `app.use('/status', createStatusHandler(registry, { authorize }))`. It answers every path below its mount.
 *
 * @param options `authorize` gets Express's request
 * @throws TypeError that names a wrong option, or where `authorize` is missing
 */
export function createStatusHandler(registry: Registry, options: StatusHandlerOptions<Request>): RequestHandler {
  const respond = createStatusResponder(registry, options)
  return (req, res, next) => {
    // Express 4 does not see what a promise rejects with.
    respond(frameworkRequest(req, req), req.url).then((response) => send(response, res), next)
  }
}

function send({ status, headers, body }: StatusResponse, res: Response): void {
  if (isResponseOver(res)) return
  res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  res.end(body)
}
