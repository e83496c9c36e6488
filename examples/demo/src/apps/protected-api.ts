import type { Registry, TenantConfig } from '@jwks-auth/core'

/** Whose tokens an API takes, by the tenant's name. */
export type Tenants = Readonly<Record<string, TenantConfig>>

/** A protected API that runs. */
export interface ProtectedApi {
  /** The framework that it is written in. */
  readonly name: string
  /** Where it listens, without a slash at the end. */
  readonly url: string
  /** Its cache of the providers' keys. */
  readonly registry: Registry
  /** Stops the server and the cache. */
  close(): Promise<void>
}
