import { LRUCache } from 'lru-cache'
import { type Clock, elapsed, type Instant, instant } from '../base/clock.ts'
import { type Complete, integer, type OptionTable, TEN_YEARS } from '../base/options.ts'

/** How looked-up tenants are cached. */
export interface TenantCacheOptions {
  /** Tenants, and as many ids that no tenant has. The least recently used one is dropped. 1 to 10 000 000. Default 10 000. */
  readonly max?: number | undefined
  /** Milliseconds until a tenant is looked up again. 0 or more. Default 300 000. */
  readonly ttl?: number | undefined
  /** Milliseconds for which an id that no tenant has is refused without a lookup. 0 or more. Default 10 000. */
  readonly negativeTtl?: number | undefined
  /** Milliseconds beyond `ttl` for which a tenant keeps its last configuration while lookups fail. Default 3 600 000. */
  readonly staleTtl?: number | undefined
  /**
   * Milliseconds that a lookup may take; then it has failed, and another one may start in its place. As long may it wait to
   * start, where 16 others are running. 1 or more. Default 3 000.
   */
  readonly timeout?: number | undefined
}

/** {@link TenantCacheOptions}, complete and checked. */
export type TenantCacheBounds = Complete<TenantCacheOptions>

/** Members of the option `tenantCache`. */
export const tenantCacheTable: OptionTable<TenantCacheOptions, TenantCacheBounds> = {
  max: integer({ min: 1, max: 10_000_000 }, 10_000),
  ttl: integer({ min: 0, max: TEN_YEARS }, 300_000),
  negativeTtl: integer({ min: 0, max: TEN_YEARS }, 10_000),
  staleTtl: integer({ min: 0, max: TEN_YEARS }, 3_600_000),
  timeout: integer({ min: 1, max: TEN_YEARS }, 3_000),
}

/** A cached tenant. */
export interface TenantEntry<Tenant> {
  readonly tenant: Tenant
  readonly readAt: Instant
  readonly ttl: number
  /** True where it is to be looked up again before its `ttl` has passed. */
  isInvalidated: boolean
  /** When a lookup has failed since. */
  failedAt: Instant | undefined
}

/** Looked-up tenants, and ids that no tenant has: these have a cache of their own, so that forged ones evict no tenant. */
export interface TenantCache<Tenant> {
  /** The entry of a tenant; counts as a use of it. */
  get(id: string): TenantEntry<Tenant> | undefined
  /** The entry of a tenant. */
  peek(id: string): TenantEntry<Tenant> | undefined
  /** True while the tenant need not be looked up again. */
  isFresh(entry: TenantEntry<Tenant>, now: Instant): boolean
  /** True while the tenant may keep its last configuration if lookups fail. */
  isKept(entry: TenantEntry<Tenant>, now: Instant): boolean
  /** True while requests are accepted for a tenant without waiting for a lookup. */
  isInUse(id: string, now: Instant): boolean
  /** True where a lookup has just shown that there is no such tenant. */
  isUnknown(id: string, now: Instant): boolean
  /** Adds a tenant, or replaces it. */
  add(id: string, tenant: Tenant, ttl: number): void
  /** Removes a tenant that is gone. */
  addUnknown(id: string): void
  /** Forgets that there is no such tenant. */
  removeUnknown(id: string): void
  /** Drops everything. */
  clear(): void
}

/** What a cache asks about its tenants. */
export interface CachedTenants<Tenant> {
  /** False where the tenant has to be looked up again, whatever its age. */
  isCurrent(tenant: Tenant): boolean
  /** The tenant is no longer cached. */
  release(tenant: Tenant, reason: 'evicted' | 'removed'): void
}

/** Creates an empty cache. */
export function createTenantCache<Tenant extends object>(
  clock: Clock,
  { max, negativeTtl, staleTtl }: TenantCacheBounds,
  { isCurrent, release }: CachedTenants<Tenant>,
): TenantCache<Tenant> {
  const known = new LRUCache<string, TenantEntry<Tenant>>({
    max,
    dispose: ({ tenant }, _, reason) => {
      if (reason === 'evict') release(tenant, 'evicted')
    },
  })
  const unknown = new LRUCache<string, Instant>({ max })

  function isFresh({ tenant, readAt, ttl, isInvalidated }: TenantEntry<Tenant>, now: Instant): boolean {
    return !isInvalidated && elapsed(readAt, now) < ttl && isCurrent(tenant)
  }

  function isKept({ tenant, readAt, ttl }: TenantEntry<Tenant>, now: Instant): boolean {
    return elapsed(readAt, now) < ttl + staleTtl && isCurrent(tenant)
  }

  return {
    get: (id) => known.get(id),
    peek: (id) => known.peek(id),
    isFresh,
    isKept,
    isInUse(id, now) {
      const entry = known.peek(id)
      if (entry === undefined) return false
      return isFresh(entry, now) || (entry.failedAt !== undefined && isKept(entry, now))
    },
    isUnknown(id, now) {
      const since = unknown.get(id)
      return since !== undefined && elapsed(since, now) < negativeTtl
    },
    add(id, tenant, ttl) {
      unknown.delete(id)
      known.set(id, { tenant, readAt: instant(clock), ttl, isInvalidated: false, failedAt: undefined })
    },
    addUnknown(id) {
      unknown.set(id, instant(clock))
      const removed = known.peek(id)
      known.delete(id)
      if (removed !== undefined) release(removed.tenant, 'removed')
    },
    removeUnknown: (id) => unknown.delete(id),
    clear() {
      for (const { tenant } of known.values()) release(tenant, 'evicted')
      known.clear()
      unknown.clear()
    },
  }
}
