import { LRUCache } from 'lru-cache'
import { type Clock, systemClock } from '../base/clock.ts'
import {
  boolean,
  functionOption,
  integer,
  knownOptions,
  type OptionTable,
  objectOption,
  optional,
  readOptions,
  stringOption,
  type Unchecked,
} from '../base/options.ts'
import { valueText } from '../base/provider-key.ts'
import { type HttpDispatcher, isBun } from '../http/exchange.ts'
import { fileStore } from '../stores/file-store.ts'
import { checkIntegrityKeys, checkStore, type SnapshotStore } from '../stores/snapshot-store.ts'
import {
  checkDomains,
  checkEffects,
  checkProviderOptions,
  type ProviderOptions,
  providerOptionNames,
  type RegistryRules,
} from './provider-options.ts'

/** Different values that are kept to be shared. Beyond that, the rest is not shared. */
const MAX_SHARED_VALUES = 1_000

/**
 * Creates a function that returns an equal earlier value, if there was one: of a hundred thousand tenants, most have the
 * same options, and share one object. For frozen values that are the same if their {@link valueText} is.
 */
export function createSharedValues<Value extends object>(): (value: Value) => Value {
  const values = new LRUCache<string, Value>({ max: MAX_SHARED_VALUES })
  return (value) => {
    const text = valueText(value)
    const known = values.get(text)
    if (known === undefined) values.set(text, value)
    return known ?? value
  }
}

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

const table = {
  requireHttps: boolean(true),
  allowedDomains: optional(checkDomains, []),
  defaults: optional(objectOption, {}),
  store: optional((_, value) => checkStore(value)),
  publicKeyPath: optional((name, value) => fileStore({ directory: stringOption(name, value) })),
  storeTimeout: integer({ min: 1, max: 60_000 }, 250),
  integrityKey: optional((_, value) => checkIntegrityKeys(value, undefined)),
  maxProviders: integer({ min: 1, max: 10_000_000 }, 10_000),
  maxConcurrentFetches: integer({ min: 1 }, 32),
  dispatcher: optional(checkDispatcher),
  clock: optional(checkClock, systemClock),
} satisfies OptionTable<RegistryOptions>

/** The options of `createRegistry`. */
export const registryOptionTable: OptionTable<RegistryOptions> = table

/** The names of {@link RegistryOptions}. */
export const registryOptionNames: readonly string[] = Object.keys(table)

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
  checkStoreEffects(given)
  const { requireHttps, allowedDomains, defaults, publicKeyPath, ...checked } = readOptions('', given, table)
  const hasDispatcher = checked.dispatcher !== undefined
  const rules = { requireHttps, allowedDomains, hasDispatcher, canGuardConnections: !isBun }
  knownOptions('defaults', defaults, providerOptionNames)
  checkEffects('defaults.', defaults)
  checkProviderOptions('defaults.', defaults, rules)
  const store = checked.store ?? publicKeyPath
  const integrityKeys = checked.integrityKey ?? checkIntegrityKeys(undefined, store)
  return { ...checked, rules, defaults: Object.freeze({ ...defaults }), store, integrityKeys }
}

/**
 * Refuses two stores, options about a store that is not there, and an `integrityKey` that is given as `undefined`: most
 * often that is an environment variable that is not set, and without a key whoever can write to the store is trusted.
 */
function checkStoreEffects(given: Unchecked): void {
  const hasStore = given['store'] !== undefined
  const hasPath = given['publicKeyPath'] !== undefined
  if (hasStore && hasPath) throw new TypeError('publicKeyPath cannot be set beside store: it is short for a file store')
  if (hasStore || hasPath) {
    if (!Object.hasOwn(given, 'integrityKey') || given['integrityKey'] !== undefined) return
    throw new TypeError(
      'integrityKey is undefined: is an environment variable missing? Leave the option out, or set it to false, to trust whoever can write to the store',
    )
  }
  for (const name of ['storeTimeout', 'integrityKey']) {
    if (given[name] !== undefined) throw new TypeError(`${name} has no effect without store or publicKeyPath`)
  }
}

function checkDispatcher(name: string, value: unknown): HttpDispatcher {
  functionOption(`${name}.request`, objectOption(name, value)['request'])
  return value as HttpDispatcher
}

function checkClock(name: string, value: unknown): Clock {
  const clock = objectOption(name, value)
  for (const method of ['now', 'monotonic', 'setTimeout']) functionOption(`${name}.${method}`, clock[method])
  return value as Clock
}
