import { AsyncLocalStorage } from 'node:async_hooks'
import type { KeyObject } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { JWKSMultipleMatchingKeys } from 'jose/errors'
import { LRUCache } from 'lru-cache'
import { type Clock, detachedClock, instant, keepAlive } from '../base/clock.ts'
import { RegistryClosedError, StoreFailedError } from '../base/errors/jwks-auth-error.ts'
import { AlgorithmNotAllowedError, KeyNotFoundError } from '../base/errors/request-errors.ts'
import { createEventBus, type EventBus, type Instrumentation } from '../base/events.ts'
import { stringOption } from '../base/options.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import { createTransport, type Transport } from '../http/transport.ts'
import type { KeySet } from '../jwks/key-set.ts'
import { createKeyImporter, type SignatureAlgorithm } from '../jwks/verification-key.ts'
import { type RegistryEvents, registryEventTypes } from '../jwks-cache/cache-events.ts'
import { createFetchLimit } from '../jwks-cache/fetch-limit.ts'
import type { CacheContext, ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { Random } from '../jwks-cache/retry.ts'
import { createRefusedKids } from '../jwks-cache/unknown-kid.ts'
import { createPersistence, type Persistence, type RestoreReport } from '../persistence/persistence.ts'
import { checkProviderOptions, mergeProviderOptions } from './provider-options.ts'
import { createProviderTable, type ProviderTable } from './provider-table.ts'
import {
  internals,
  providerStatus,
  type RegisteredProvider,
  type Registry,
  type RegistryInternals,
} from './registry.ts'
import { checkRegistryOptions, type RegistryOptions } from './registry-options.ts'
import { readUsage } from './series.ts'

/** A provider as a key resolver needs it. */
export interface ResolvableProvider {
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly cache: ProviderCache
}

/**
 * Creates a key resolver for `jose.jwtVerify`, as `jose.createRemoteJWKSet` does.
 *
 * It rejects with the error of `ProviderCache.findKeys` where no key can be had, with `AlgorithmNotAllowedError` for an
 * `alg` that the provider does not allow, and with jose's `JWKSMultipleMatchingKeys` where several keys fit the token.
 * That error is an async iterable of these keys, at most four, to be tried one after the other.
 */
function createKeyResolver(clock: Clock, provider: () => ResolvableProvider): JWTVerifyGetKey {
  return async ({ alg, kid }) => {
    const { algorithms, cache } = provider()
    if (!algorithms.some((allowed) => allowed === alg)) throw new AlgorithmNotAllowedError()
    const found = await cache.findKeys(kid, alg, instant(clock))
    if (found instanceof Error) throw found
    const keys = found.flatMap((key) => cache.importKey(key, alg)?.keyObject ?? [])
    const [key] = keys
    if (key === undefined) throw new KeyNotFoundError()
    if (keys.length > 1) throw multipleMatchingKeys(keys)
    return key
  }
}

function multipleMatchingKeys(keys: readonly KeyObject[]): JWKSMultipleMatchingKeys {
  const error = new JWKSMultipleMatchingKeys()
  // jose declares CryptoKeys here. `jwtVerify` takes KeyObjects as well, and remembers their conversion.
  return Object.defineProperty(error, Symbol.asyncIterator, {
    value: async function* () {
      yield* keys
    },
  })
}

/** Creates the methods of a registry that revoke and forget single keys. */
function createKeyOperations(
  { find }: Pick<ProviderTable, 'find'>,
  persistence: Persistence,
  events: EventBus<RegistryEvents>,
): Pick<Registry, 'revokeKey' | 'unrevokeKey' | 'forgetKey'> {
  const { revocations } = persistence
  return {
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
  }
}

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
  const cacheOf = (key: ProviderKey): ProviderCache | undefined => providers.get(providerName(key))?.usedCache
  const persistence = createPersistence(checked, { clock, random, events, closed, runDetached, cacheOf })
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
    inMemory,
  }
  const table = createProviderTable(providers, checked, { context, persistence, connections })
  const { find, usedCaches } = table

  function statusOf({ key, usedCache }: RegisteredProvider) {
    return providerStatus(key, usedCache, { now: instant(clock), failingSides: persistence.failingSides() })
  }

  return {
    async register(registration) {
      await table.register(registration, { network: 'public', where: '' }).loaded
    },
    unregister: async (tenant, provider) => await table.unregister({ tenant, provider }),
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
    ...createKeyOperations(table, persistence, events),
    keyResolver: (tenant, provider) => createKeyResolver(clock, () => find(tenant, provider)),
    status: (tenant, provider) => statusOf(find(tenant, provider)),
    statuses: () => table.all().map(statusOf),
    persistAll: () => persistence.persistAll(usedCaches()),
    restore: async () => await restoreAll(table.all(), persistence),
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
      closed,
      usage() {
        const now = instant(clock)
        return usedCaches().map((cache) => readUsage(cache, now))
      },
      registerNow: table.register,
      check: table.check,
      checkDefaults: (given) => checkProviderOptions('', mergeProviderOptions(defaults, given), rules),
      release: table.release,
    },
  }
}

async function restoreAll(providers: readonly RegisteredProvider[], persistence: Persistence): Promise<RestoreReport> {
  const report: Record<keyof RestoreReport, ProviderKey[]> = {
    restored: [],
    unchanged: [],
    absent: [],
    refused: [],
    failed: [],
  }
  await Promise.all(
    providers.map(async (registered) => {
      const result = await persistence.load(registered.cache)
      if (result === 'absent') registered.dropUnused()
      report[REPORTED[result]].push(registered.key)
    }),
  )
  return report
}

const REPORTED = Object.freeze({
  loaded: 'restored',
  kept: 'unchanged',
  absent: 'absent',
  refused: 'refused',
  failed: 'failed',
} as const)

function toJwks({ keys }: KeySet): JSONWebKeySet {
  return { keys: keys.map(({ jwk }) => structuredClone(jwk)) }
}
