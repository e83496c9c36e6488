import { type Auth, AuthenticatorNotRunError, RequestNotAuthenticatedError } from '@jwks-auth/core'
import { authOf } from '@jwks-auth/core/adapter'
import { createParamDecorator } from '@nestjs/common'
import { callOf } from './call.ts'
import { refuse } from './refuse.ts'

/** The options of {@link CurrentAuth}. */
export interface CurrentAuthOptions {
  /** True: `undefined` where the request is not authenticated, instead of a refusal. Default `false`. */
  readonly optional?: boolean
}

/**
 * Decorates a parameter of a handler with who is calling, an `Auth`. Where `credentialsRequired: false` let a request
 * without a token pass, it refuses the request with 401; where no guard ran, as behind `Public`, with 500, a mistake in the
 * application. With `{ optional: true }` the parameter is `undefined` then.
 */
export const CurrentAuth: (options?: CurrentAuthOptions) => ParameterDecorator = createParamDecorator<
  CurrentAuthOptions | undefined
>((options, context) => {
  const call = callOf(context)
  try {
    return authOf(call.request)
  } catch (error) {
    const isAnonymous = error instanceof RequestNotAuthenticatedError
    if (options?.optional === true && (isAnonymous || error instanceof AuthenticatorNotRunError)) return undefined
    if (isAnonymous) return refuse(error, call)
    throw error
  }
})

/**
 * Returns who is calling, typed with the claims of `Register`, for guards and interceptors after `JwksAuthGuard`.
 *
 * @param request the request of Express or Fastify, or the handshake of a WebSocket
 * @throws AuthenticatorNotRunError where no guard authenticated the request, as behind `Public`: a mistake in the application
 * @throws RequestNotAuthenticatedError, with the status 401, where `credentialsRequired: false` let a request without a
 *   token pass
 */
export const getAuth: (request: object) => Auth = authOf
