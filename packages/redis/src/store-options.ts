import { boolean, type Complete, isObject, type OptionTable, optional, packageOptions } from '@jwks-auth/core/adapter'
import type { RedisClient } from './redis-client.ts'

/** The options of `redisStore`. */
export interface RedisStoreOptions {
  /**
   * The client, yours to make and to close: `Redis` or `Cluster` of ioredis (5.11 or later, or 6) or iovalkey, or a
   * {@link RedisClient} of your own. A `keyPrefix` is put before keys and the channel; its first braces must not be `{}`,
   * which would spread the keys of one provider over several slots of Redis Cluster.
   */
  readonly client: RedisClient
  /**
   * The prefix of all keys and of the channel: 1 to 64 of `A-Z a-z 0-9 _ . : -`. Default `'jwks-auth'`. Processes that
   * use the same one share snapshots, revocations and leases, and therefore need the same `integrityKey`.
   */
  readonly namespace?: string | undefined
  /**
   * Whether processes share their fetches, their failures and their budget for unknown `kid`s, and notify each other of
   * changes. Default `true`. With `false` there are snapshots and revocations only, and each process fetches for itself.
   */
  readonly coordinate?: boolean | undefined
}

/** Options of the store after all checks. */
export interface CheckedStoreOptions extends Complete<RedisStoreOptions> {
  /** The client's prefix; empty without one. */
  readonly keyPrefix: string
}

const table = {
  client: { check: checkClient },
  namespace: optional(checkNamespace, 'jwks-auth'),
  coordinate: boolean(true),
} satisfies OptionTable<RedisStoreOptions>

/**
 * Checks the options once, when the store is made.
 *
 * @throws TypeError that names a wrong option
 */
export function checkStoreOptions(options: unknown): CheckedStoreOptions {
  if (isObject(options) && (missingMethods(options).length === 0 || isNodeRedis(options))) {
    throw new TypeError('redisStore takes options, { client }, and not the client itself')
  }
  const checked = packageOptions(options, table)
  return { ...checked, keyPrefix: keyPrefixOf(checked.client) }
}

function checkClient(_: string, value: unknown): RedisClient {
  if (!isClient(value)) throw new TypeError(clientProblem(value))
  return value
}

function checkNamespace(name: string, value: unknown): string {
  if (typeof value === 'string' && /^[A-Za-z0-9_.:-]{1,64}$/.test(value)) return value
  throw new TypeError(`${name} must be 1 to 64 characters of A-Z, a-z, 0-9, "_", ".", ":" and "-"`)
}

/**
 * Cluster takes what is between the first `{` of a key and the next `}` as its hash tag. A prefix with a tag, or with half
 * of one, gives every key of a provider the same one; one with an empty tag disables hash tags.
 */
function keyPrefixOf({ options }: RedisClient): string {
  const keyPrefix = options?.keyPrefix ?? ''
  const brace = keyPrefix.indexOf('{')
  if (brace !== -1 && keyPrefix[brace + 1] === '}') {
    throw new TypeError('client must not have a keyPrefix with "{}": keys of one provider would lie in different slots')
  }
  return keyPrefix
}

function isClient(value: unknown): value is RedisClient {
  return (
    isObject(value) &&
    missingMethods(value).length === 0 &&
    !isNodeRedis(value) &&
    optionalMethodProblem(value) === undefined
  )
}

/** A sentence about a value that is no client, naming what is missing. */
function clientProblem(value: unknown): string {
  const mustBe = 'client must be a Redis or Cluster of ioredis, or an object with the methods evalsha and eval'
  if (!isObject(value)) return mustBe
  if (isNodeRedis(value))
    return `${mustBe}; node-redis needs a wrapper: see "Another client" in the README of @jwks-auth/redis`
  return optionalMethodProblem(value) ?? `${mustBe}: ${missingMethods(value).join(' and ')} is missing`
}

function missingMethods(value: Readonly<Record<string, unknown>>): readonly string[] {
  return ['evalsha', 'eval'].filter((name) => typeof value[name] !== 'function')
}

function optionalMethodProblem(value: Readonly<Record<string, unknown>>): string | undefined {
  const wrong = ['duplicate', 'listen'].find((name) => value[name] !== undefined && typeof value[name] !== 'function')
  return wrong === undefined ? undefined : `client.${wrong} must be a function`
}

/**
 * node-redis 4 and later spell it `evalSha`. Versions up to 3 have `evalsha`, but take a callback and return no promise;
 * `internal_send_command` is theirs alone.
 */
function isNodeRedis(value: Readonly<Record<string, unknown>>): boolean {
  return typeof value['evalSha'] === 'function' || typeof value['internal_send_command'] === 'function'
}
