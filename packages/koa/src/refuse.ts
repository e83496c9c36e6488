import type { AuthRefusal } from '@jwks-auth/core'
import { frameworkError } from '@jwks-auth/core/adapter'
import type { Context } from 'koa'

/** Sends a refusal, or throws it for the error handler. */
export function refuse(
  { error, response }: AuthRefusal,
  passErrors: boolean,
  ctx: Pick<Context, 'status' | 'set' | 'body'>,
): undefined {
  if (passErrors) throw frameworkError({ error, response })
  ctx.status = response.status
  ctx.set({ ...response.headers })
  ctx.body = response.body
  return undefined
}
