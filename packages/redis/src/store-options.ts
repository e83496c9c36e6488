import type { RedisClient } from './redis-client.ts'

/** Options of the store after all checks. */
export interface CheckedStoreOptions {
  /** As it was given. */
  readonly client: RedisClient
  /** What keys and channel begin with. */
  readonly namespace: string
  /** Whether there is to be coordination. */
  readonly coordinate: boolean
  /** The client's; empty without one. */
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
  if (!isClient(client)) throw new TypeError('client must be a Redis or Cluster of ioredis, or have evalsha and eval')
  if (typeof namespace !== 'string' || !/^[A-Za-z0-9_.:-]{1,64}$/.test(namespace)) {
    throw new TypeError('namespace must be 1 to 64 characters of A-Z, a-z, 0-9, "_", ".", ":" and "-"')
  }
  if (typeof coordinate !== 'boolean') throw new TypeError('coordinate must be true or false')
  return { client, namespace, coordinate, keyPrefix: keyPrefixOf(client) }
}

/**
 * Cluster takes what is between the first `{` of a key and the next `}` for its hash tag. A prefix with a tag, or with
 * half of one, gives every key of a provider the same; one with an empty tag leaves none to any.
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
  return isObject(value) && typeof value['evalsha'] === 'function' && typeof value['eval'] === 'function'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
