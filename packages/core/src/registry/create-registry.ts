import { AsyncLocalStorage } from 'node:async_hooks'
import { setMaxListeners } from 'node:events'
import type { JSONWebKeySet } from 'jose'
import { LRUCache } from 'lru-cache'
import { type Clock, instant, keepAlive } from '../base/clock.ts'
import { ProviderNotRegisteredError, RegistryClosedError } from '../base/errors/registry-errors.ts'
import { StoreFailedError } from '../base/errors/store-errors.ts'
import { createEventBus } from '../base/events.ts'
import type { Instrumentation } from '../base/instrumentation.ts'
import { stringOption } from '../base/options.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import { createTransport, type Transport } from '../http/transport.ts'
import type { KeySet } from '../jwks/key-set.ts'
import { createKeyImporter } from '../jwks/verification-key.ts'
import type { Random } from '../jwks-cache/backoff.ts'
import { type RegistryEvents, registryEventTypes } from '../jwks-cache/cache-events.ts'
import { createFetchLimit } from '../jwks-cache/fetch-limit.ts'
import type { CacheContext, ProviderCache } from '../jwks-cache/provider-cache.ts'
import { createRefusedKids } from '../jwks-cache/refetch-budget.ts'
import { Upstream } from '../jwks-cache/upstream.ts'
import { createPersistence, type RestoreReport } from '../persistence/persistence.ts'
import { type CheckedProviderOptions, checkProviderOptions, mergeProviderOptions } from './check-provider-options.ts'
import { createJwksSource } from './discovery.ts'
import { createKeyResolver } from './key-resolver.ts'
import { readUsage } from './read-usage.ts'
import { type ProviderParts, RegisteredProvider } from './registered-provider.ts'
import { type CheckedRegistration, checkRegistration, isSameRegistration } from './registration.ts'
import { internals, type RegisterOptions, type Registry, type RegistryInternals } from './registry.ts'
import { checkRegistryOptions, type RegistryOptions } from './registry-options.ts'
import { createSharedValues } from './shared-values.ts'
import { providerStatus } from './status.ts'

/** What a registry is built on; the simulation brings its own. */
export interface RegistryParts {
  readonly random: Random
  readonly transport: (options: ReturnType<typeof checkRegistryOptions>) => Transport
}

/**
 * Makes a registry: a JWKS cache for any number of tenants and providers.
 *
 * @throws TypeError that names a wrong option
 */
export function createRegistry(options: RegistryOptions = {}): Registry {
  return createRegistryFrom(options, {
    random: Math.random,
    transport: ({ dispatcher }) => createTransport(dispatcher),
  })
}

/** {@link createRegistry} with its randomness and its network handed in. */
export function createRegistryFrom(options: RegistryOptions, { random, transport }: RegistryParts): RegistryInternals {
  const checked = checkRegistryOptions(options)
  const { rules, defaults, maxProviders, maxConcurrentFetches } = checked
  // Background work must neither join a request's trace nor keep its AsyncLocalStorage store in memory.
  const runDetached: CacheContext['runDetached'] = AsyncLocalStorage.snapshot()
  const clock = detachedClock(checked.clock, runDetached)
  const connections = transport(checked)
  const closing = new AbortController()
  const closed = closing.signal
  // Every fetch in flight listens, and there may be far more than the ten at which Node suspects a leak.
  setMaxListeners(0, closed)
  const events = createEventBus<RegistryEvents>(registryEventTypes)
  const instrumentation: Instrumentation = { tracer: undefined }
  const providers = new Map<string, RegisteredProvider>()
  const upstreams = new Map<string, { readonly upstream: Upstream; readonly users: Set<string> }>()
  const cacheOf = (key: ProviderKey): ProviderCache | undefined => providers.get(providerName(key))?.usedCache
  const persistence = createPersistence(checked, { clock, random, events, closed, runDetached, cacheOf })
  const { revocations } = persistence
  const inMemory = new LRUCache<ProviderCache, true>({
    max: maxProviders,
    dispose: (_, cache, reason) => {
      if (reason === 'evict') cache.evict()
    },
  })
  const context: CacheContext = {
    clock,
    random,
    events,
    instrumentation,
    limit: createFetchLimit(maxConcurrentFetches, clock),
    closed,
    runDetached,
    importer: createKeyImporter(),
    refusedKids: createRefusedKids(),
    touch: (cache) => {
      if (inMemory.get(cache) === undefined) inMemory.set(cache, true)
    },
  }
  const parts: ProviderParts = { context, persistence, upstreamOf }
  const share = createSharedValues<CheckedProviderOptions>()

  /** Registrations that fetch the same key set in the same way share one upstream. */
  function upstreamOf(registration: CheckedRegistration): Upstream {
    const { upstreamKey, options, key } = registration
    const shared = upstreams.get(upstreamKey) ?? {
      upstream: new Upstream(upstreamKey, createJwksSource(registration, connections, clock), options, context),
      users: new Set<string>(),
    }
    upstreams.set(upstreamKey, shared)
    shared.users.add(providerName(key))
    return shared.upstream
  }

  function releaseUpstream({ upstreamKey, key }: CheckedRegistration): void {
    const shared = upstreams.get(upstreamKey)
    shared?.users.delete(providerName(key))
    if (shared?.users.size === 0) upstreams.delete(upstreamKey)
  }

  function find(tenant: string, provider: string): RegisteredProvider {
    if (closed.aborted) throw new RegistryClosedError()
    const found = providers.get(providerName({ tenant, provider }))
    if (found === undefined) throw new ProviderNotRegisteredError()
    return found
  }

  function check(registration: unknown, { network, where, replaced }: RegisterOptions) {
    if (closed.aborted) throw new RegistryClosedError()
    return checkRegistration(registration, {
      rules,
      defaults,
      network,
      where,
      share,
      existing: (key) => {
        const existing = providers.get(providerName(key))
        return existing === replaced && existing?.isPermanent === false ? undefined : existing?.registration
      },
    })
  }

  function registerNow(registration: unknown, options: RegisterOptions): RegisteredProvider {
    const { isLeased = false, replaced } = options
    const checkedRegistration = check(registration, options)
    const name = providerName(checkedRegistration.key)
    const same = providers.get(name)
    if (same !== undefined) {
      const isReplaced = same === replaced && !same.isPermanent
      if (!isReplaced || isSameRegistration(same.registration, checkedRegistration)) {
        if (!isLeased) same.isPermanent = true
        else if (same !== replaced) same.leases += 1
        return same
      }
      same.isRemoved = true
      remove(same, 'deleted')
    }
    const registered = new RegisteredProvider(checkedRegistration, parts)
    if (isLeased) registered.leases = 1
    else registered.isPermanent = true
    providers.set(name, registered)
    // Beyond what memory holds, the first use loads it.
    if (persistence.connect !== undefined && inMemory.size < maxProviders) registered.loaded = loadSnapshot(registered)
    if (checkedRegistration.options.prefetch === 'always') registered.cache.start()
    return registered
  }

  /** Removes a provider from memory, with all that it uses there. */
  function remove(registered: RegisteredProvider, lifecycle: 'retired' | 'deleted'): void {
    const { key, usedCache, registration } = registered
    providers.delete(providerName(key))
    releaseUpstream(registration)
    if (usedCache === undefined) return
    usedCache.retire(lifecycle)
    inMemory.delete(usedCache)
    persistence.disconnectInBackground(usedCache)
  }

  /** Removes a provider and what is stored of it. */
  async function unregister(registered: RegisteredProvider): Promise<void> {
    registered.isRemoved = true
    // Created, if it was not used, to delete what the store has.
    const cache = persistence.connect === undefined ? registered.usedCache : registered.cache
    cache?.retire('deleted')
    const deleting = cache === undefined ? undefined : persistence.delete(cache)
    remove(registered, 'deleted')
    await deleting
  }

  function release(registered: RegisteredProvider, reason: 'evicted' | 'removed'): void {
    if (providers.get(providerName(registered.key)) !== registered) return
    registered.leases -= 1
    if (registered.leases > 0 || registered.isPermanent) return
    if (reason === 'evicted') remove(registered, 'retired')
    // The store's trouble is an event.
    else unregister(registered).catch(() => undefined)
    revocations.release(registered.key)
  }

  async function loadSnapshot(registered: RegisteredProvider): Promise<void> {
    if ((await persistence.loadInTime(registered.cache)) === 'absent') registered.dropUnused()
  }

  function usedCaches(): readonly ProviderCache[] {
    return [...providers.values()].flatMap(({ usedCache }) => usedCache ?? [])
  }

  function statusOf({ key, usedCache }: RegisteredProvider) {
    return providerStatus(key, usedCache, { now: instant(clock), failingSides: persistence.failingSides() })
  }

  return {
    async register(registration) {
      await registerNow(registration, { network: 'public', where: '' }).loaded
    },
    async unregister(tenant, provider) {
      const registered = providers.get(providerName({ tenant, provider }))
      if (registered === undefined) return false
      await unregister(registered)
      return true
    },
    async resolve(tenant, provider, kid) {
      const { cache } = find(tenant, provider)
      if (kid === undefined) {
        const keySet = await cache.keySet()
        if (keySet instanceof Error) throw keySet
        return toJwks(keySet)
      }
      const found = await cache.findKeys(stringOption('kid', kid), undefined, instant(clock))
      if (found instanceof Error) throw found
      return toJwks(cache.state.usable)
    },
    async refresh(tenant, provider) {
      const outcome = await find(tenant, provider).cache.refresh()
      if (!outcome.ok) return outcome
      const { modified, added, removed, changed } = outcome
      return { ok: true, modified, added, removed, changed }
    },
    async revokeKey(tenant, provider, kid) {
      const { key, cache } = find(tenant, provider)
      const revoke = () => revocations.of(key).revoke(stringOption('kid', kid), cache.state.cached?.published)
      const isRepeated = revocations.of(key).has(kid)
      let record = revoke()
      cache.revocationsChanged()
      events.emit('key-revoked', { ...key, kid })
      // Another process may have lifted that very record, and this one has not heard of it yet.
      if (isRepeated) await keepAlive(revocations.load(key).then(() => revocations.refresh()))
      if (!revocations.of(key).has(kid)) {
        record = revoke()
        cache.revocationsChanged()
      }
      await keepAlive(revocations.persist(key, [record]))
    },
    async unrevokeKey(tenant, provider, kid) {
      const { key, cache } = find(tenant, provider)
      // What another process has revoked just now is to be lifted, too.
      await revocations.load(key)
      await revocations.refresh()
      const lifted = revocations.of(key).lift(stringOption('kid', kid))
      if (lifted.length === 0) return false
      cache.revocationsChanged()
      events.emit('key-unrevoked', { ...key, kid })
      await keepAlive(revocations.persist(key, lifted))
      return true
    },
    async forgetKey(tenant, provider, kid) {
      const { cache, registration } = find(tenant, provider)
      if (registration.options.keyLifetime !== 'immutable') {
        throw new TypeError(
          "forgetKey is for providers with keyLifetime 'immutable'; refresh() replaces the keys of other providers",
        )
      }
      await persistence.load(cache)
      if (!cache.forget(stringOption('kid', kid))) return false
      if (!(await persistence.saved(cache))) {
        throw new StoreFailedError('the key is dropped from memory only', { operation: 'save', tenant, provider })
      }
      return true
    },
    keyResolver: (tenant, provider) => createKeyResolver(clock, () => find(tenant, provider)),
    status: (tenant, provider) => statusOf(find(tenant, provider)),
    statuses: () => [...providers.values()].map(statusOf),
    persistAll: () => persistence.persistAll(usedCaches()),
    async restore() {
      const report: Record<keyof RestoreReport, ProviderKey[]> = {
        restored: [],
        unchanged: [],
        absent: [],
        refused: [],
        failed: [],
      }
      await Promise.all(
        [...providers.values()].map(async (registered) => {
          const result = await persistence.load(registered.cache)
          if (result === 'absent') registered.dropUnused()
          report[REPORTED[result]].push(registered.key)
        }),
      )
      return report
    },
    on: (type, listener) => events.on(type, listener),
    async close() {
      if (closed.aborted) return
      closing.abort(new RegistryClosedError())
      const caches = usedCaches()
      for (const cache of caches) cache.retire('retired')
      await Promise.all([persistence.close(caches), connections.close()])
      inMemory.clear()
    },
    [internals]: {
      clock,
      events,
      instrumentation,
      runDetached,
      isClosed: () => closed.aborted,
      usage() {
        const now = instant(clock)
        return usedCaches().map((cache) => readUsage(cache, now))
      },
      registerNow,
      check,
      checkDefaults: (given) => checkProviderOptions('', mergeProviderOptions(defaults, given), rules),
      release,
    },
  }
}

const REPORTED = Object.freeze({
  loaded: 'restored',
  kept: 'unchanged',
  absent: 'absent',
  refused: 'refused',
  failed: 'failed',
} as const)

/** The clock, with timers that call back in the async context in which the registry was created. */
function detachedClock(clock: Clock, runDetached: CacheContext['runDetached']): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback, delay) => runDetached(() => clock.setTimeout(callback, delay)),
    clearTimeout: (timer) => clock.clearTimeout?.(timer),
  }
}

function toJwks({ keys }: KeySet): JSONWebKeySet {
  return { keys: keys.map(({ jwk }) => structuredClone(jwk)) }
}
