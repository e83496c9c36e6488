import type { AuthRefusal } from '@jwks-auth/core'
import { frameworkError } from '@jwks-auth/core/adapter'
import type { FastifyReply } from 'fastify'

/** Ends a hook. */
export type Done = (error?: Error) => void

/** Sends a refusal, or passes it to the error handler. */
export function refuse({ error, response }: AuthRefusal, passErrors: boolean, reply: FastifyReply, done: Done): void {
  if (passErrors) {
    done(frameworkError({ error, response }))
    return
  }
  // A buffer: Fastify would add a charset to the type of a string.
  reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
}
