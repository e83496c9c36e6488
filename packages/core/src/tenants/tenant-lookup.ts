import { LRUCache } from 'lru-cache'
import { type Clock, elapsed, type Instant, instant, keepAlive, schedule } from '../base/clock.ts'
import { TenantLookupFailedError } from '../base/errors/request-errors.ts'
import { type Complete, integer, isIdentifier, type OptionTable, TEN_YEARS } from '../base/options.ts'
import { isThenable } from '../base/steps.ts'

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
function createTenantCache<Tenant extends object>(
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

/** Lookups that run at the same time. */
const MAX_CONCURRENT = 16

/** Bounds how many lookups run at the same time, and how long each may take. */
export interface LookupLimit {
  /**
   * Calls a lookup once a slot is free. One that returns no promise takes no slot, and its result is returned at once
   * where nothing is waiting. A promise that takes longer than the time limit frees its slot and rejects here.
   *
   * @param priority `'known'` comes before `'unknown'`: a tenant that is in use does not wait behind forged ones
   */
  run(lookUp: () => unknown, priority: 'known' | 'unknown'): unknown
}

/** Creates a limit. Waiting for a slot and the lookup itself may each take `timeout` milliseconds. */
function createLookupLimit(clock: Clock, timeout: number): LookupLimit {
  const queues = { known: new Set<() => void>(), unknown: new Set<() => void>() }
  let running = 0

  function startWaiting(): void {
    for (const queue of [queues.known, queues.unknown]) {
      for (const start of queue) {
        if (running >= MAX_CONCURRENT) return
        start()
      }
    }
  }

  /** Takes a slot until the promise settles or the time is over. */
  function settle(thenable: PromiseLike<unknown>): Promise<unknown> {
    const result = Promise.resolve(thenable)
    running += 1
    let isRunning = true
    const end = (): void => {
      if (!isRunning) return
      isRunning = false
      running -= 1
      cancel()
      startWaiting()
    }
    let cancel = (): void => undefined
    const timedOut = new Promise<never>((_, reject) => {
      cancel = schedule(clock, timeout, () => {
        end()
        reject(new Error(`the lookup took longer than ${timeout} ms`))
      })
    })
    result.then(end, end)
    return Promise.race([result, timedOut])
  }

  /** Calls a lookup; rejects with what it throws. */
  async function call(lookUp: () => unknown): Promise<unknown> {
    const result = lookUp()
    return isThenable(result) ? await settle(result) : result
  }

  function wait(lookUp: () => unknown, queue: Set<() => void>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        queue.delete(start)
        cancel()
        resolve(call(lookUp))
      }
      const cancel = schedule(clock, timeout, () => {
        queue.delete(start)
        reject(new Error(`no lookup could start within ${timeout} ms: ${MAX_CONCURRENT} others are running`))
      })
      queue.add(start)
    })
  }

  return {
    run(lookUp, priority) {
      if (running >= MAX_CONCURRENT) return keepAlive(wait(lookUp, queues[priority]))
      const result = lookUp()
      return isThenable(result) ? keepAlive(settle(result)) : result
    },
  }
}

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
