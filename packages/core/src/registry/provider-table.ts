import { ProviderNotRegisteredError, RegistryClosedError } from '../base/errors/jwks-auth-error.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { Transport } from '../http/transport.ts'
import type { CacheContext, ProviderCache } from '../jwks-cache/provider-cache.ts'
import { Upstream } from '../jwks-cache/upstream.ts'
import type { Persistence } from '../persistence/persistence.ts'
import { createJwksSource } from './discovery.ts'
import type { CheckedProviderOptions } from './provider-options.ts'
import { type CheckedRegistration, checkRegistration, isSameRegistration } from './registration.ts'
import type { RegisterOptions } from './registry.ts'
import { type ProviderParts, RegisteredProvider } from './registry.ts'
import type { CheckedRegistryOptions } from './registry-options.ts'
import { createSharedValues } from './registry-options.ts'

/** The providers of one registry: which are registered, by whom they are leased, and when they leave memory. */
export interface ProviderTable {
  /** @throws RegistryClosedError or ProviderNotRegisteredError */
  find(tenant: string, provider: string): RegisteredProvider
  /** All of them, in the order of their registration. */
  all(): readonly RegisteredProvider[]
  /** The caches of those that were used. */
  usedCaches(): readonly ProviderCache[]
  /** Checks a registration; throws what {@link register} would throw. */
  check(registration: unknown, options: RegisterOptions): CheckedRegistration
  /** Registers a provider, or returns the one that is registered already. */
  register(registration: unknown, options: RegisterOptions): RegisteredProvider
  /** Removes a provider and what is stored of it; false where there is none. */
  unregister(key: ProviderKey): Promise<boolean>
  /** Ends a lease; `RegistryInternals` says what follows. */
  release(registered: RegisteredProvider, reason: 'evicted' | 'removed'): void
}

/** What a {@link ProviderTable} works with. */
export interface ProviderTableParts {
  readonly context: CacheContext
  readonly persistence: Persistence
  readonly connections: Transport
}

/**
 * Creates the table of a registry.
 *
 * @param providers filled with the providers by {@link providerName}
 */
export function createProviderTable(
  providers: Map<string, RegisteredProvider>,
  { rules, defaults, maxProviders }: Pick<CheckedRegistryOptions, 'rules' | 'defaults' | 'maxProviders'>,
  { context, persistence, connections }: ProviderTableParts,
): ProviderTable {
  const { closed, inMemory } = context
  const share = createSharedValues<CheckedProviderOptions>()
  const upstreams = createUpstreams(connections, context)
  const parts: ProviderParts = { context, persistence, upstreamOf: upstreams.use }

  function check(registration: unknown, { network, where, replaced }: RegisterOptions): CheckedRegistration {
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

  function register(given: unknown, options: RegisterOptions): RegisteredProvider {
    const registration = check(given, options)
    const existing = providers.get(providerName(registration.key))
    if (existing === undefined) return add(registration, options)
    const mayReplace = existing === options.replaced && !existing.isPermanent
    if (mayReplace && !isSameRegistration(existing.registration, registration)) {
      existing.isRemoved = true
      remove(existing, 'deleted')
      return add(registration, options)
    }
    if (options.isLeased !== true) existing.isPermanent = true
    else if (existing !== options.replaced) existing.leases += 1
    return existing
  }

  function add(registration: CheckedRegistration, { isLeased = false }: RegisterOptions): RegisteredProvider {
    const registered = new RegisteredProvider(registration, parts)
    if (isLeased) registered.leases = 1
    else registered.isPermanent = true
    providers.set(providerName(registration.key), registered)
    // Beyond what memory holds, the first use loads it.
    if (persistence.connect !== undefined && inMemory.size < maxProviders) registered.loaded = loadSnapshot(registered)
    if (registration.options.prefetch === 'always') registered.cache.start()
    return registered
  }

  async function loadSnapshot(registered: RegisteredProvider): Promise<void> {
    if ((await persistence.loadInTime(registered.cache)) === 'absent') registered.dropUnused()
  }

  /** Removes a provider from memory, with all that it uses there. */
  function remove(registered: RegisteredProvider, lifecycle: 'retired' | 'deleted'): void {
    const { key, usedCache, registration } = registered
    providers.delete(providerName(key))
    upstreams.release(registration)
    if (usedCache === undefined) return
    usedCache.retire(lifecycle)
    inMemory.delete(usedCache)
    persistence.disconnectInBackground(usedCache)
  }

  async function removeStored(registered: RegisteredProvider): Promise<void> {
    registered.isRemoved = true
    // Created, if it was not used, to delete what the store has.
    const cache = persistence.connect === undefined ? registered.usedCache : registered.cache
    cache?.retire('deleted')
    const deleting = cache === undefined ? undefined : persistence.delete(cache)
    remove(registered, 'deleted')
    await deleting
  }

  return {
    find(tenant, provider) {
      if (closed.aborted) throw new RegistryClosedError()
      const found = providers.get(providerName({ tenant, provider }))
      if (found === undefined) throw new ProviderNotRegisteredError()
      return found
    },
    all: () => [...providers.values()],
    usedCaches: () => [...providers.values()].flatMap(({ usedCache }) => usedCache ?? []),
    check,
    register,
    async unregister(key) {
      const registered = providers.get(providerName(key))
      if (registered !== undefined) await removeStored(registered)
      return registered !== undefined
    },
    release(registered, reason) {
      if (providers.get(providerName(registered.key)) !== registered) return
      registered.leases -= 1
      if (registered.leases > 0 || registered.isPermanent) return
      if (reason === 'evicted') remove(registered, 'retired')
      // The store's trouble is an event.
      else removeStored(registered).catch(() => undefined)
      persistence.revocations.release(registered.key)
    },
  }
}

/** Registrations that fetch the same key set in the same way share one upstream, as long as one of them is there. */
function createUpstreams(connections: Transport, context: CacheContext) {
  const upstreams = new Map<string, { readonly upstream: Upstream; readonly users: Set<string> }>()
  return {
    use(registration: CheckedRegistration): Upstream {
      const { upstreamKey, options, key } = registration
      const shared = upstreams.get(upstreamKey) ?? {
        upstream: new Upstream(
          upstreamKey,
          createJwksSource(registration, connections, context.clock),
          options,
          context,
        ),
        users: new Set<string>(),
      }
      upstreams.set(upstreamKey, shared)
      shared.users.add(providerName(key))
      return shared.upstream
    },
    release({ upstreamKey, key }: CheckedRegistration): void {
      const shared = upstreams.get(upstreamKey)
      shared?.users.delete(providerName(key))
      if (shared?.users.size === 0) upstreams.delete(upstreamKey)
    },
  }
}
