import type { AuthRefusal } from '@jwks-auth/core'
import { frameworkError } from '@jwks-auth/core/adapter'
import type { NextFunction, Response } from 'express'

/** Sends a refusal, or passes it to the error handler. */
export function refuse({ error, response }: AuthRefusal, passErrors: boolean, res: Response, next: NextFunction): void {
  if (passErrors) {
    next(frameworkError({ error, response }))
    return
  }
  // Not `res.json`, which would add a charset to the type, and which a plain Node response does not have.
  res.writeHead(response.status, { ...response.headers, 'content-length': Buffer.byteLength(response.body) })
  res.end(response.body)
}
