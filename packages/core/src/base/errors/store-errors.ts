import { JwksAuthError } from './jwks-auth-error.ts'

/** What failed in a store, and for which provider. */
export interface StoreFailure extends ErrorOptions {
  /** What the store was asked to do. */
  readonly operation: string
  /** For which tenant; `'*'` for all. */
  readonly tenant: string
  /** For which provider; `'*'` for all. */
  readonly provider: string
}

/** The store rejected an operation, or took too long. */
export class StoreFailedError extends JwksAuthError {
  override readonly name = 'StoreFailedError'
  override readonly code = 'ERR_STORE_FAILED'
  /** What the store was asked to do: `load`, `save`, `delete`, `coordinate`, `revoke` or `subscribe`. */
  readonly operation: string
  /** For which tenant; `'*'` for all. */
  readonly tenant: string
  /** For which provider; `'*'` for all. */
  readonly provider: string
  constructor(reason: string, { operation, tenant, provider, ...options }: StoreFailure) {
    super(`The store failed (${operation}, tenant ${tenant}, provider ${provider}): ${reason}`, options)
    this.operation = operation
    this.tenant = tenant
    this.provider = provider
  }
}

/** Another process of the fleet has failed to fetch the keys a moment ago; this one shares its backoff. */
export class FleetFetchFailedError extends JwksAuthError {
  override readonly name = 'FleetFetchFailedError'
  override readonly code = 'ERR_FLEET_FETCH_FAILED'
  /** True where the failure was a 5xx or a broken network. */
  readonly isOutage: boolean
  constructor(isOutage: boolean, options?: ErrorOptions) {
    super('Another process of the fleet could not fetch the keys; see its lastError', options)
    this.isOutage = isOutage
  }
}
