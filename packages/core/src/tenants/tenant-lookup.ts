import { type Clock, elapsed, type Instant, instant } from '../base/clock.ts'
import { TenantLookupFailedError } from '../base/errors/request-errors.ts'
import { isIdentifier } from '../base/options.ts'
import { isThenable } from '../base/steps.ts'
import { createLookupLimit } from './lookup-limit.ts'
import { type CachedTenants, createTenantCache, type TenantCacheBounds } from './tenant-cache.ts'

/** What a configuration was made into. */
export interface AcceptedTenant<Tenant> {
  readonly tenant: Tenant
  /** True where it is to be looked up again soon, after `negativeTtl`. */
  readonly isProvisional: boolean
}

/** What tenants are looked up with. */
export interface TenantLookupParts<Tenant> extends CachedTenants<Tenant> {
  readonly clock: Clock
  readonly bounds: TenantCacheBounds
  /** Looks up the configuration of a tenant: the application's function, which may do anything. */
  lookUp(id: string): unknown
  /** Makes a tenant of its configuration; the previous one where nothing has changed. Throws for a wrong configuration. */
  accept(id: string, config: unknown, previous: Tenant | undefined): AcceptedTenant<Tenant>
  /** A lookup has failed. */
  failed(id: string, error: TenantLookupFailedError): void
}

/** A tenant, no such tenant, or that it could not be looked up. */
export type LookupResult<Tenant> = Tenant | undefined | TenantLookupFailedError

/** Tenants that are looked up on first use, and cached. */
export interface TenantLookup<Tenant> {
  /** Finds a tenant; a promise only where something has to be waited for, which never rejects. */
  find(id: unknown, now: Instant): LookupResult<Tenant> | Promise<LookupResult<Tenant>>
  /** True while a tenant is cached and requests are accepted for it without waiting for a lookup. */
  isInUse(id: string): boolean
  /** Looks a tenant up again at its next request. */
  invalidate(id: string): void
  /** Drops all tenants; lookups fail from then on. */
  close(): void
}

/** Milliseconds between two lookups of a tenant that keeps its last configuration, and in `Retry-After`. */
const RETRY_AFTER = 1_000

/** Creates a lookup without any tenant. */
export function createTenantLookup<Tenant extends object>(parts: TenantLookupParts<Tenant>): TenantLookup<Tenant> {
  const { clock, bounds } = parts
  const limit = createLookupLimit(clock, bounds.timeout)
  const tenants = createTenantCache(clock, bounds, parts)
  const flights = new Map<string, Promise<LookupResult<Tenant>>>()
  /** Tenants that were invalidated while they were looked up. */
  const outdated = new Set<string>()
  let isClosed = false

  /** Looks a tenant up, or waits for the lookup in progress. */
  function lookUp(id: string): LookupResult<Tenant> | Promise<LookupResult<Tenant>> {
    const flight = flights.get(id)
    if (flight !== undefined) return flight
    let result: unknown
    try {
      result = callLookUp(id)
      if (!isThenable(result)) return accept(id, result)
    } catch (error) {
      return failed(id, error)
    }
    const started = settle(id, result)
    flights.set(id, started)
    return started
  }

  /** For the requests to come; it cannot reject. */
  function lookUpInBackground(id: string): void {
    const result = lookUp(id)
    if (isThenable(result)) result.then(undefined, () => undefined)
  }

  function callLookUp(id: string): unknown {
    // A tenant that is in use does not wait behind forged ones.
    return limit.run(() => parts.lookUp(id), tenants.peek(id) === undefined ? 'unknown' : 'known')
  }

  async function settle(id: string, first: PromiseLike<unknown>): Promise<LookupResult<Tenant>> {
    try {
      let config = await first
      while (outdated.delete(id)) config = await callLookUp(id)
      return accept(id, config)
    } catch (error) {
      return failed(id, error)
    } finally {
      outdated.delete(id)
      flights.delete(id)
    }
  }

  /** Caches what was looked up. Throws for a wrong configuration. */
  function accept(id: string, config: unknown): Tenant | undefined {
    if (isClosed) throw new Error('the authenticator is closed')
    // Many databases return `null` where there is nothing.
    if (config === undefined || config === null) {
      tenants.addUnknown(id)
      return undefined
    }
    const { tenant, isProvisional } = parts.accept(id, config, tenants.peek(id)?.tenant)
    tenants.add(id, tenant, isProvisional ? Math.min(bounds.negativeTtl, bounds.ttl) : bounds.ttl)
    return tenant
  }

  /** The last configuration where that may be kept, or else the error. */
  function failed(id: string, cause: unknown): Tenant | TenantLookupFailedError {
    const error = new TenantLookupFailedError({ retryAfter: RETRY_AFTER, cause })
    const now = instant(clock)
    const entry = tenants.peek(id)
    if (entry !== undefined) entry.failedAt = now
    parts.failed(id, error)
    return entry !== undefined && tenants.isKept(entry, now) ? entry.tenant : error
  }

  return {
    find(id, now) {
      if (!isIdentifier(id)) return undefined
      const entry = tenants.get(id)
      if (entry === undefined) return tenants.isUnknown(id, now) ? undefined : lookUp(id)
      if (tenants.isFresh(entry, now)) return entry.tenant
      // After a failure, requests no longer wait: a database that hangs must not slow down every tenant.
      if (entry.failedAt === undefined || !tenants.isKept(entry, now)) return lookUp(id)
      if (elapsed(entry.failedAt, now) >= RETRY_AFTER) lookUpInBackground(id)
      return tenants.peek(id)?.tenant
    },
    isInUse: (id) => tenants.isInUse(id, instant(clock)),
    invalidate(id) {
      tenants.removeUnknown(id)
      if (flights.has(id)) outdated.add(id)
      const entry = tenants.peek(id)
      if (entry === undefined) return
      entry.isInvalidated = true
      entry.failedAt = undefined
    },
    close() {
      isClosed = true
      tenants.clear()
    },
  }
}
