import type { ProviderKey } from '@jwks-auth/core'

/**
 * Names in Redis. The part between braces is the hash tag of Redis Cluster: it is the same for all keys of one provider,
 * so they are in one slot. Names are unambiguous because neither a namespace nor a provider's key has a brace or a slash.
 */
export interface RedisKeys {
  /** A hash: the snapshot and its generation. */
  snapshot(key: ProviderKey): string
  /** A hash: the copy of a refused snapshot. */
  refused(key: ProviderKey): string
  /** The id of the process that holds the fetch lease. */
  lease(key: ProviderKey): string
  /** The id of the refetch that reserved the budget for unknown `kid`s. */
  refetch(key: ProviderKey): string
  /** The last failed fetch, while the fleet backs off. */
  failure(key: ProviderKey): string
  /** A hash: all revocations, and their revision. */
  readonly revocations: string
  /** The channel for notices. */
  readonly channel: string
}

/** Returns the names in one namespace. Channels are not keys: no client puts `keyPrefix` before them, so it is done here. */
export function redisKeys(namespace: string, keyPrefix: string): RedisKeys {
  const keyOf = (kind: string) => (key: ProviderKey) => `${namespace}:{${tagOf(key)}}:${kind}`
  return Object.freeze({
    snapshot: keyOf('snapshot'),
    refused: keyOf('refused'),
    lease: keyOf('lease'),
    refetch: keyOf('refetch'),
    failure: keyOf('failure'),
    revocations: `${namespace}:{revocations}`,
    channel: `${keyPrefix}${namespace}:notices`,
  })
}

/** True if a name can be part of a key. The registry's own records begin with a dot, unlike registrations. */
export function isRecordName(name: unknown): name is string {
  return typeof name === 'string' && /^[A-Za-z0-9_.-]+$/.test(name)
}

function tagOf({ tenant, provider }: ProviderKey): string {
  if (!isRecordName(tenant)) throw new TypeError('tenant must be characters of A-Z, a-z, 0-9, "_", "." and "-"')
  if (!isRecordName(provider)) throw new TypeError('provider must be characters of A-Z, a-z, 0-9, "_", "." and "-"')
  return `${tenant}/${provider}`
}
