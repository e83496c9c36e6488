import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { AuthAnswer } from './answer.ts'
import type { Auth } from './auth.ts'

/** A request that is refused. */
export interface AuthRefusal {
  /** Always `false`. */
  readonly ok: false
  /** Why. Its `code` is for logs, not for clients. */
  readonly error: JwksAuthError
  /** What to answer. */
  readonly response: AuthAnswer
}

/** How a request's authentication ended. */
export type AuthOutcome<Claims> =
  | {
      /** Always `true`. */
      readonly ok: true
      /** Absent where there were no credentials and `credentialsRequired` is false. */
      readonly auth: Auth<Claims> | undefined
      /** Headers for the answer that the application gives, by lower-case name. */
      readonly headers?: Readonly<Record<string, string>>
    }
  | AuthRefusal
