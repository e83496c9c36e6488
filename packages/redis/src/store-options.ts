import type { RedisClient } from './redis-client.ts'

/** Options of the store after all checks. */
export interface CheckedStoreOptions {
  /** The client, as given. */
  readonly client: RedisClient
  /** The prefix of keys and channel. */
  readonly namespace: string
  /** Whether the store has coordination. */
  readonly coordinate: boolean
  /** The client's prefix; empty without one. */
  readonly keyPrefix: string
}

const KNOWN = ['client', 'namespace', 'coordinate']

/**
 * Checks the options once, when the store is made.
 *
 * @throws TypeError that names a wrong option
 */
export function checkStoreOptions(options: unknown): CheckedStoreOptions {
  if (!isObject(options)) throw new TypeError('options must be an object')
  const unknown = Object.keys(options).find((name) => options[name] !== undefined && !KNOWN.includes(name))
  if (unknown !== undefined) {
    throw new TypeError(`options has no option ${JSON.stringify(unknown)}; it takes ${KNOWN.join(', ')}`)
  }
  const { client, namespace = 'jwks-auth', coordinate = true } = options
  if (!isClient(client)) throw new TypeError(clientProblem(client))
  if (typeof namespace !== 'string' || !/^[A-Za-z0-9_.:-]{1,64}$/.test(namespace)) {
    throw new TypeError('namespace must be 1 to 64 characters of A-Z, a-z, 0-9, "_", ".", ":" and "-"')
  }
  if (typeof coordinate !== 'boolean') throw new TypeError('coordinate must be true or false')
  return { client, namespace, coordinate, keyPrefix: keyPrefixOf(client) }
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

function missingMethods(value: Record<string, unknown>): readonly string[] {
  return ['evalsha', 'eval'].filter((name) => typeof value[name] !== 'function')
}

function optionalMethodProblem(value: Record<string, unknown>): string | undefined {
  const wrong = ['duplicate', 'listen'].find((name) => value[name] !== undefined && typeof value[name] !== 'function')
  return wrong === undefined ? undefined : `client.${wrong} must be a function`
}

/**
 * node-redis 4 and later spell it `evalSha`. Versions up to 3 have `evalsha`, but take a callback and return no promise;
 * `internal_send_command` is theirs alone.
 */
function isNodeRedis(value: Record<string, unknown>): boolean {
  return typeof value['evalSha'] === 'function' || typeof value['internal_send_command'] === 'function'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
