import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { AuthAnswer } from './answer.ts'

/** The error with what Express, Koa and Fastify look for in one that they are to answer themselves. */
export function passable<Refusing extends JwksAuthError>(error: Refusing, { status, headers }: AuthAnswer): Refusing {
  // The framework writes a body of its own, so its type is the framework's, too.
  const { 'content-type': _contentType, ...others } = headers
  return Object.assign(error, { status, statusCode: status, headers: others, expose: true })
}
