import type { Registry, TenantConfig } from '@jwks-auth/core'

/** The tenants whose tokens an API accepts, by name. */
export type Tenants = Readonly<Record<string, TenantConfig>>

/** A running protected API. */
export interface ProtectedApi {
  /** The framework that it is written in. */
  readonly name: string
  /** Where it listens, without a slash at the end. */
  readonly url: string
  /** Where its status page is. */
  readonly statusUrl: string
  /** Its cache of the providers' keys. */
  readonly registry: Registry
  /** Stops the server and the cache. */
  close(): Promise<void>
}
