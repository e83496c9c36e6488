import { type Clock, systemClock } from '../base/clock.ts'
import {
  booleanOption,
  functionOption,
  integerOption,
  knownOptions,
  objectOption,
  stringOption,
  type Unchecked,
  withDefault,
} from '../base/options.ts'
import { isBun } from '../http/bun-exchange.ts'
import type { HttpDispatcher } from '../http/exchange.ts'
import { checkIntegrityKeys, checkStore } from '../stores/check-store.ts'
import { fileStore } from '../stores/file-store.ts'
import type { SnapshotStore } from '../stores/snapshot-store.ts'
import { checkDomains, checkEffects, checkProviderOptions, type RegistryRules } from './check-provider-options.ts'
import { type ProviderOptions, providerOptionNames } from './provider-options.ts'

/** Options of `createRegistry`. */
export interface RegistryOptions {
  /** Only `https:` URLs, for every provider. Default `true`. */
  readonly requireHttps?: boolean | undefined
  /** Hosts to which requests may go, each with everything below it, by whole labels. Default `[]`: any host. */
  readonly allowedDomains?: readonly string[] | undefined
  /** Defaults for every provider that is registered. */
  readonly defaults?: Partial<ProviderOptions> | undefined
  /**
   * Keeps key sets and revocations across restarts, and, where it can, for a whole fleet: `fileStore`, `redisStore` of
   * `@jwks-auth/redis`, or anything with its three methods. No request fails because of it. Default none.
   */
  readonly store?: SnapshotStore | undefined
  /** A directory to keep keys in: short for `store: fileStore({ directory })`. Default none. */
  readonly publicKeyPath?: string | undefined
  /** Milliseconds, 1 to 60 000, that a request waits for the store; after that the store is treated as absent. Default 250. */
  readonly storeTimeout?: number | undefined
  /**
   * Authenticates what is in the store with HMAC-SHA256: a secret of at least 32 bytes, or a list of which the first
   * signs and all verify. Without one, whoever can write to the store can make this process trust any key; so a shared
   * store requires it, or an explicit `false`. Beside any store, an explicit `undefined` is a `TypeError`. Default none.
   */
  readonly integrityKey?: string | readonly string[] | false | undefined
  /** Key sets in memory, at least 1; the least recently used is dropped. Default 10 000. */
  readonly maxProviders?: number | undefined
  /** Upstream requests under way at once, at least 1, shared fairly between tenants. Default 32. */
  readonly maxConcurrentFetches?: number | undefined
  /**
   * Makes the requests instead of the guarded agent, for a proxy above all: a `Dispatcher` of undici 6, 7 or 8, whose
   * `request` method is called. It resolves names, connects and does TLS by itself, so `network`, `allowAddresses`,
   * `pinnedSpki` and `ca` beside it are a `TypeError`, and nothing keeps it from private addresses. Not closed by
   * `close()`. Default none.
   */
  readonly dispatcher?: HttpDispatcher | undefined
  /** The source of time, for tests. Default: the machine's clocks. */
  readonly clock?: Clock | undefined
}

/** The names of {@link RegistryOptions}. */
export const registryOptionNames: readonly (keyof RegistryOptions)[] = Object.freeze([
  'requireHttps',
  'allowedDomains',
  'defaults',
  'store',
  'publicKeyPath',
  'storeTimeout',
  'integrityKey',
  'maxProviders',
  'maxConcurrentFetches',
  'dispatcher',
  'clock',
])

/** Registry options, complete and checked. */
export interface CheckedRegistryOptions {
  readonly rules: RegistryRules
  readonly defaults: Unchecked
  readonly store: SnapshotStore | undefined
  readonly storeTimeout: number
  /** Empty where nothing is authenticated. */
  readonly integrityKeys: readonly string[]
  readonly maxProviders: number
  readonly maxConcurrentFetches: number
  readonly dispatcher: HttpDispatcher | undefined
  readonly clock: Clock
}

/**
 * Checks the options of `createRegistry`.
 *
 * @throws TypeError that names the option
 */
export function checkRegistryOptions(value: unknown): CheckedRegistryOptions {
  const given = objectOption('options', value)
  knownOptions('createRegistry', given, registryOptionNames)
  const rules = checkRules(given)
  const defaults = given['defaults'] === undefined ? {} : objectOption('defaults', given['defaults'])
  knownOptions('defaults', defaults, providerOptionNames)
  checkEffects('defaults.', defaults)
  checkProviderOptions('defaults.', defaults, rules)
  const store = checkStoreOptions(given)
  checkStoreEffects(given, store)
  return {
    rules,
    defaults: Object.freeze({ ...defaults }),
    store,
    storeTimeout: integerOption('storeTimeout', withDefault(given['storeTimeout'], 250), { min: 1, max: 60_000 }),
    integrityKeys: checkIntegrityKeys(given['integrityKey'], store),
    maxProviders: integerOption('maxProviders', withDefault(given['maxProviders'], 10_000), {
      min: 1,
      max: 10_000_000,
    }),
    maxConcurrentFetches: integerOption('maxConcurrentFetches', withDefault(given['maxConcurrentFetches'], 32), {
      min: 1,
    }),
    dispatcher: checkDispatcher(given['dispatcher']),
    clock: checkClock(given['clock']),
  }
}

function checkStoreOptions(given: Unchecked): SnapshotStore | undefined {
  const { store, publicKeyPath } = given
  if (publicKeyPath === undefined) return store === undefined ? undefined : checkStore(store)
  if (store !== undefined) throw new TypeError('publicKeyPath cannot be set beside store: it is short for a file store')
  return fileStore({ directory: stringOption('publicKeyPath', publicKeyPath) })
}

/**
 * Refuses options about a store that is not there, and an `integrityKey` that is given as `undefined`: most often that is
 * an environment variable that is not set, and without a key whoever can write to the store is trusted.
 */
function checkStoreEffects(given: Unchecked, store: SnapshotStore | undefined): void {
  if (store !== undefined) {
    if (!Object.hasOwn(given, 'integrityKey') || given['integrityKey'] !== undefined) return
    throw new TypeError(
      'integrityKey is undefined: is an environment variable missing? Leave the option out, or set it to false, to trust whoever can write to the store',
    )
  }
  for (const name of ['storeTimeout', 'integrityKey']) {
    if (given[name] !== undefined) throw new TypeError(`${name} has no effect without store or publicKeyPath`)
  }
}

function checkRules(given: Unchecked): RegistryRules {
  return {
    requireHttps: booleanOption('requireHttps', withDefault(given['requireHttps'], true)),
    allowedDomains: checkDomains('allowedDomains', withDefault(given['allowedDomains'], [])),
    hasDispatcher: given['dispatcher'] !== undefined,
    canGuardConnections: !isBun,
  }
}

function checkDispatcher(value: unknown): HttpDispatcher | undefined {
  if (value === undefined) return undefined
  functionOption('dispatcher.request', objectOption('dispatcher', value)['request'])
  return value as HttpDispatcher
}

function checkClock(value: unknown): Clock {
  if (value === undefined) return systemClock
  const clock = objectOption('clock', value)
  functionOption('clock.now', clock['now'])
  functionOption('clock.monotonic', clock['monotonic'])
  functionOption('clock.setTimeout', clock['setTimeout'])
  return value as Clock
}
