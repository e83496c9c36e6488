import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AuthRequest } from '../base/auth-request.ts'
import { ClaimsRejectedError, TokenRejectedError, TokenRevokedError } from '../base/errors/claim-errors.ts'
import { isThenable } from '../base/thenable.ts'
import type { Auth } from './auth.ts'
import { callbackError } from './callback-error.ts'

/**
 * What a callback of the application threw, on its way out: it is never answered by our table, not even where it is an
 * error of this package's.
 */
export class CallbackFailure extends Error {
  /** What it is on its way out as. */
  readonly error: Error
  constructor(thrown: unknown) {
    super('A callback given to jwksAuth failed', { cause: thrown })
    this.error = callbackError(thrown)
  }
}

/** A schema for claims, complete and checked. */
export type ClaimsSchema = StandardSchemaV1<unknown, unknown>

/** The option `validate`, whatever its claims are. */
export type Validate = (auth: Auth<never>) => unknown

/** The option `isRevoked`, whatever its claims are. */
export type IsRevoked = (auth: Auth<never>, request: AuthRequest) => unknown

/**
 * What the schema makes of the claims; a promise only if the schema answers with one.
 *
 * @throws ClaimsRejectedError or CallbackFailure
 */
export function askSchema(schema: ClaimsSchema, claims: unknown): unknown {
  let answer: unknown
  try {
    answer = schema['~standard'].validate(claims)
  } catch (error) {
    throw new CallbackFailure(error)
  }
  return isThenable(answer) ? later(answer, schemaOutput) : schemaOutput(answer)
}

/**
 * Asks `validate`; a promise only if that answers with one.
 *
 * @throws TokenRejectedError for `false`; CallbackFailure for what is neither that nor `true` nor nothing
 */
export function askValidate(validate: Validate, auth: Auth<unknown>): unknown {
  let answer: unknown
  try {
    answer = validate(auth as Auth<never>)
  } catch (error) {
    throw new CallbackFailure(error)
  }
  return isThenable(answer) ? later(answer, acceptValid) : acceptValid(answer)
}

/**
 * Asks `isRevoked`; a promise only if that answers with one.
 *
 * @throws TokenRevokedError for `true`; CallbackFailure for what is neither that nor `false`
 */
export function askIsRevoked(isRevoked: IsRevoked, auth: Auth<unknown>, request: AuthRequest): unknown {
  let answer: unknown
  try {
    answer = isRevoked(auth as Auth<never>, request)
  } catch (error) {
    throw new CallbackFailure(error)
  }
  return isThenable(answer) ? later(answer, acceptUnrevoked) : acceptUnrevoked(answer)
}

function schemaOutput(answer: unknown): unknown {
  const { issues, value } = answer as { readonly issues?: unknown; readonly value?: unknown }
  if (issues !== undefined) throw new ClaimsRejectedError()
  return value
}

function acceptValid(answer: unknown): void {
  if (answer === false) throw new TokenRejectedError()
  // 0, null and '' look like a no, and anything else like a mistake: neither may pass for a yes.
  if (answer !== true && answer !== undefined) throw wrongAnswer('validate must return true, false or nothing')
}

function acceptUnrevoked(answer: unknown): void {
  if (answer === true) throw new TokenRevokedError()
  // A forgotten `return` must not make every token good.
  if (answer !== false) throw wrongAnswer('isRevoked must return true or false')
}

function wrongAnswer(message: string): CallbackFailure {
  return new CallbackFailure(new TypeError(message))
}

function later(answer: PromiseLike<unknown>, judge: (answer: unknown) => unknown): Promise<unknown> {
  return Promise.resolve(answer).then(judge, (error: unknown) => Promise.reject(new CallbackFailure(error)))
}
