import { setMaxListeners } from 'node:events'
import type { JSONWebKeySet } from 'jose'
import { LRUCache } from 'lru-cache'
import { instant } from '../base/clock.ts'
import { ProviderNotRegisteredError, RegistryClosedError } from '../base/errors/registry-errors.ts'
import { StoreFailedError } from '../base/errors/store-errors.ts'
import { createEventBus } from '../base/events.ts'
import { stringOption } from '../base/options.ts'
import { providerName } from '../base/provider-key.ts'
import type { Random } from '../cache/backoff.ts'
import { type RegistryEvents, registryEventTypes } from '../cache/cache-events.ts'
import { createFetchLimit } from '../cache/fetch-limit.ts'
import type { CacheContext, ProviderCache } from '../cache/provider-cache.ts'
import { createRefusedKids } from '../cache/unknown-kids.ts'
import type { Network } from '../http/address-rules.ts'
import { createTransport, type Transport } from '../http/transport.ts'
import { createKeyImporter } from '../jwks/import-key.ts'
import type { KeySet } from '../jwks/key-set.ts'
import type { CheckedProviderOptions } from './check-provider-options.ts'
import { createJwksSource } from './discovery.ts'
import { createKeyResolver } from './key-resolver.ts'
import { createPersistence } from './persistence.ts'
import { type ProviderParts, RegisteredProvider } from './registered-provider.ts'
import { checkRegistration } from './registration.ts'
import { internals, type Registry, type RegistryInternals } from './registry.ts'
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
  const { clock, rules, defaults, maxProviders, maxConcurrentFetches } = checked
  const connections = transport(checked)
  const closing = new AbortController()
  // Every fetch under way listens, and there may be far more than the ten at which Node suspects a leak.
  setMaxListeners(0, closing.signal)
  const events = createEventBus<RegistryEvents>(registryEventTypes)
  const providers = new Map<string, RegisteredProvider>()
  const persistence = createPersistence(checked, { clock, events, closed: closing.signal }, providers)
  const { access, revocations } = persistence
  const held = new LRUCache<ProviderCache, true>({
    max: maxProviders,
    dispose: (_, cache, reason) => {
      if (reason === 'evict') cache.evict()
    },
  })
  let latest: ProviderCache | undefined
  const context: CacheContext = {
    clock,
    random,
    events,
    limit: createFetchLimit(maxConcurrentFetches),
    closed: closing.signal,
    importer: createKeyImporter(),
    refusedKids: createRefusedKids(),
    revocations,
    access,
    touch: (cache) => {
      // The one that was used last is the last to go already.
      if (cache === latest) return
      latest = cache
      if (held.get(cache) === undefined) held.set(cache, true)
    },
  }

  const parts: ProviderParts = { context, source: (registration) => createJwksSource(registration, connections, clock) }
  const share = createSharedValues<CheckedProviderOptions>()

  function find(tenant: string, provider: string): RegisteredProvider {
    if (closing.signal.aborted) throw new RegistryClosedError()
    const found = providers.get(providerName({ tenant, provider }))
    if (found === undefined) throw new ProviderNotRegisteredError()
    return found
  }

  function check(registration: unknown, { network, where }: { readonly network: Network; readonly where: string }) {
    if (closing.signal.aborted) throw new RegistryClosedError()
    return checkRegistration(registration, {
      rules,
      defaults,
      network,
      where,
      share,
      existing: (key) => providers.get(providerName(key))?.registration,
    })
  }

  function registerNow(
    registration: unknown,
    where: { readonly network: Network; readonly where: string },
  ): RegisteredProvider {
    const checkedRegistration = check(registration, where)
    const { tenant, provider } = checkedRegistration.key
    const same = providers.get(providerName({ tenant, provider }))
    if (same !== undefined) return same
    const registered = new RegisteredProvider(checkedRegistration, parts)
    providers.set(providerName({ tenant, provider }), registered)
    // Past what memory holds, the first use loads it.
    if (access !== undefined && held.size < maxProviders) registered.loaded = persistence.load(registered)
    if (checkedRegistration.options.prefetch === 'always') registered.cache.start()
    return registered
  }

  return {
    async register(registration) {
      await registerNow(registration, { network: 'public', where: '' }).loaded
    },
    async unregister(tenant, provider) {
      const name = providerName({ tenant, provider })
      const registered = providers.get(name)
      if (registered === undefined) return false
      providers.delete(name)
      registered.isRemoved = true
      if (registered.usedCache !== undefined) {
        registered.usedCache.retire()
        held.delete(registered.usedCache)
      }
      if (access !== undefined) await registered.cache.snapshots?.delete()
      return true
    },
    async resolve(tenant, provider, kid) {
      const { cache } = find(tenant, provider)
      if (kid !== undefined) {
        const found = await cache.findKeys(stringOption('kid', kid), undefined, instant(clock))
        if (found instanceof Error) throw found
      }
      return toJwks(await cache.keySet())
    },
    async refresh(tenant, provider) {
      const outcome = await find(tenant, provider).cache.refresh()
      if (!outcome.ok) return outcome
      const { modified, added, removed, changed } = outcome
      return { ok: true, modified, added, removed, changed }
    },
    async revokeKey(tenant, provider, kid) {
      const { key, cache } = find(tenant, provider)
      const record = await revocations.of(key).add(stringOption('kid', kid), cache.holdings.published())
      await cache.holdings.applyRevocations()
      events.emit('key-revoked', { ...key, kid })
      await revocations.persist(key, [record])
    },
    async unrevokeKey(tenant, provider, kid) {
      const { key, cache } = find(tenant, provider)
      // What another process has revoked just now is to be taken back, too.
      await revocations.load(key)
      await revocations.refresh()
      const lifted = revocations.of(key).lift(stringOption('kid', kid))
      if (lifted.length === 0) return false
      await cache.holdings.applyRevocations()
      events.emit('key-unrevoked', { ...key, kid })
      await revocations.persist(key, lifted)
      return true
    },
    async forgetKey(tenant, provider, kid) {
      const { cache, registration } = find(tenant, provider)
      if (registration.options.keyLifetime !== 'immutable') {
        throw new TypeError(
          "forgetKey is for providers with keyLifetime 'immutable'; refresh() replaces the others' keys",
        )
      }
      await cache.snapshots?.load()
      if (!(await cache.holdings.forget(stringOption('kid', kid)))) return false
      if ((await cache.snapshots?.saved()) === false) throw new StoreFailedError('the key is forgotten here, not there')
      return true
    },
    keyResolver: (tenant, provider) => createKeyResolver(clock, () => find(tenant, provider)),
    status(tenant, provider) {
      const { key, usedCache } = find(tenant, provider)
      return providerStatus(key, usedCache, { now: clock.now(), store: persistence.state() })
    },
    statuses: () =>
      [...providers.values()].map(({ key, usedCache }) =>
        providerStatus(key, usedCache, { now: clock.now(), store: persistence.state() }),
      ),
    persistAll: () => persistence.persistAll(),
    restore: () => persistence.restore(),
    on: (type, listener) => events.on(type, listener),
    async close() {
      if (closing.signal.aborted) return
      closing.abort(new RegistryClosedError())
      for (const { usedCache } of providers.values()) usedCache?.retire()
      await Promise.all([persistence.close(), connections.close()])
      held.clear()
    },
    [internals]: { clock, registerNow, check },
  }
}

function toJwks({ keys }: KeySet): JSONWebKeySet {
  return { keys: keys.map(({ jwk }) => structuredClone(jwk)) }
}
