import type { Authenticator, AuthRefusal } from '@jwks-auth/core'
import { type AuthInfo, authInfoOf, type ServerIdentity } from './auth-info.ts'

/** The error classes of the SDK, so that its `requireBearerAuth` recognizes them. */
export type SdkErrors =
  | {
      /** Of 1.x, `@modelcontextprotocol/sdk/server/auth/errors.js`: the SDK answers 401. */
      readonly InvalidTokenError: new (
        message: string,
      ) => Error
      /** Of 1.x, from the same module: the SDK answers 500. */
      readonly ServerError: new (
        message: string,
      ) => Error
    }
  | {
      /** Of 2.x, `@modelcontextprotocol/server`, with the code first. */
      readonly OAuthError: new (
        code: 'invalid_token' | 'server_error',
        message: string,
      ) => Error
    }

/** The `OAuthTokenVerifier` of the SDK. */
export interface TokenVerifier {
  /**
   * Verifies a token.
   *
   * @throws the SDK's error for an invalid token; its server error where the keys cannot be fetched; what a callback of the
   *   application threw
   */
  verifyAccessToken(token: string): Promise<AuthInfo>
}

/** Creates a verifier that throws the errors of the SDK. */
export function createTokenVerifier(
  authenticator: Authenticator<unknown>,
  server: ServerIdentity,
  errors: SdkErrors,
): TokenVerifier {
  checkErrors(errors)
  return {
    async verifyAccessToken(token) {
      const outcome = await authenticator.verify(token)
      if (!outcome.ok) throw sdkError(outcome, errors)
      // `verify` refuses an absent token.
      if (outcome.auth === undefined) throw new TypeError('verify returned no token')
      return authInfoOf(outcome.auth, server)
    },
  }
}

/** Anything that is not the client's fault must not be `invalid_token`, on which clients discard good tokens. */
function sdkError({ error, response }: AuthRefusal, errors: SdkErrors): Error {
  const isOfClient = response.status < 500
  const { error_description: message } = JSON.parse(response.body) as { readonly error_description: string }
  const thrown =
    'InvalidTokenError' in errors
      ? new (isOfClient ? errors.InvalidTokenError : errors.ServerError)(message)
      : new errors.OAuthError(isOfClient ? 'invalid_token' : 'server_error', message)
  return Object.assign(thrown, { cause: error })
}

function checkErrors(errors: SdkErrors): void {
  const given: Readonly<Record<string, unknown>> = { ...errors }
  const names = 'InvalidTokenError' in given ? ['InvalidTokenError', 'ServerError'] : ['OAuthError']
  if (names.every((name) => typeof given[name] === 'function')) return
  throw new TypeError(
    'tokenVerifier takes the error classes of the MCP SDK: of 1.x its errors module, of 2.x { OAuthError }',
  )
}
