import { JwksAuthError } from './jwks-auth-error.ts'

/** The store did not do what it was asked to: it rejected, or took too long. */
export class StoreFailedError extends JwksAuthError {
  override readonly name = 'StoreFailedError'
  override readonly code = 'ERR_STORE_FAILED'
  constructor(reason: string, options?: ErrorOptions) {
    super(`The store of the registry failed: ${reason}`, options)
  }
}
