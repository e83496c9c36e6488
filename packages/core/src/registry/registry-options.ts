import type { Dispatcher } from 'undici'
import { type Clock, systemClock } from '../base/clock.ts'
import {
  booleanOption,
  functionOption,
  integerOption,
  knownOptions,
  objectOption,
  type Unchecked,
  withDefault,
} from '../base/options.ts'
import { checkDomains, checkProviderOptions, type RegistryRules } from './check-provider-options.ts'
import { type ProviderOptions, providerOptionNames } from './provider-options.ts'

/** What a registry is made with. */
export interface RegistryOptions {
  /** Only `https:` URLs, for every provider. Default `true`. */
  readonly requireHttps?: boolean | undefined
  /** Hosts that may be asked, each with everything below it, by whole labels. Default `[]`: any host. */
  readonly allowedDomains?: readonly string[] | undefined
  /** Defaults for every provider that is registered. */
  readonly defaults?: Partial<ProviderOptions> | undefined
  /** Key sets held in memory, at least 1; the least recently used is dropped. Default 10 000. */
  readonly maxProviders?: number | undefined
  /** Upstream requests under way at once, at least 1, shared fairly between tenants. Default 32. */
  readonly maxConcurrentFetches?: number | undefined
  /**
   * Makes the connections instead of the guarded agent: for a proxy or a private certificate authority. It
   * resolves names, connects and does TLS on its own, so `network`, `allowAddresses` and `pinnedSpki` beside it are a
   * `TypeError`, and nothing keeps it from private addresses. Not closed by `close()`.
   */
  readonly dispatcher?: Dispatcher | undefined
  /** Where time comes from. Default: the machine's clock. */
  readonly clock?: Clock | undefined
}

/** The names of {@link RegistryOptions}. */
export const registryOptionNames: readonly (keyof RegistryOptions)[] = Object.freeze([
  'requireHttps',
  'allowedDomains',
  'defaults',
  'maxProviders',
  'maxConcurrentFetches',
  'dispatcher',
  'clock',
])

/** Registry options, complete and checked. */
export interface CheckedRegistryOptions {
  readonly rules: RegistryRules
  readonly defaults: Unchecked
  readonly maxProviders: number
  readonly maxConcurrentFetches: number
  readonly dispatcher: Dispatcher | undefined
  readonly clock: Clock
}

/**
 * Checks what `createRegistry` was given.
 *
 * @throws TypeError that names the option
 */
export function checkRegistryOptions(value: unknown): CheckedRegistryOptions {
  const given = objectOption('options', value)
  knownOptions('createRegistry', given, registryOptionNames)
  const rules = checkRules(given)
  const defaults = given['defaults'] === undefined ? {} : objectOption('defaults', given['defaults'])
  knownOptions('defaults', defaults, providerOptionNames)
  checkProviderOptions('defaults.', defaults, rules)
  return {
    rules,
    defaults: Object.freeze({ ...defaults }),
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

function checkRules(given: Unchecked): RegistryRules {
  return {
    requireHttps: booleanOption('requireHttps', withDefault(given['requireHttps'], true)),
    allowedDomains: checkDomains('allowedDomains', withDefault(given['allowedDomains'], [])),
    hasDispatcher: given['dispatcher'] !== undefined,
  }
}

function checkDispatcher(value: unknown): Dispatcher | undefined {
  if (value === undefined) return undefined
  functionOption('dispatcher.dispatch', objectOption('dispatcher', value)['dispatch'])
  return value as Dispatcher
}

function checkClock(value: unknown): Clock {
  if (value === undefined) return systemClock
  const clock = objectOption('clock', value)
  functionOption('clock.now', clock['now'])
  functionOption('clock.setTimeout', clock['setTimeout'])
  return value as Clock
}
