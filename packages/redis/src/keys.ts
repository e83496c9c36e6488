import type { ProviderKey } from '@jwks-auth/core'

/**
 * Names in Redis. What is between braces is the hash tag of Redis Cluster: all keys of one provider have the same, and
 * so lie in one slot. Names are unambiguous because neither a namespace nor a provider's key has a brace or a slash.
 */
export interface RedisKeys {
  /** A hash: the snapshot and its generation. */
  snapshot(key: ProviderKey): string
  /** The copy of a snapshot that was refused. */
  refused(key: ProviderKey): string
  /** The token of the process that has the lease. */
  lease(key: ProviderKey): string
  /** The token of the look that spent the budget for unknown `kid`s. */
  look(key: ProviderKey): string
  /** A hash: all revocations, and their revision. */
  readonly revocations: string
  /** The channel for notices. */
  readonly channel: string
}

/** The names in one namespace. Channels are not keys, so that no client puts `keyPrefix` before them: it is done here. */
export function redisKeys(namespace: string, keyPrefix: string): RedisKeys {
  const keyOf = (kind: string) => (key: ProviderKey) => `${namespace}:{${tagOf(key)}}:${kind}`
  return Object.freeze({
    snapshot: keyOf('snapshot'),
    refused: keyOf('refused'),
    lease: keyOf('lease'),
    look: keyOf('look'),
    revocations: `${namespace}:{revocations}`,
    channel: `${keyPrefix}${namespace}:notices`,
  })
}

/** Whether a name can be part of a key; the registry's own records begin with a dot, unlike a registration's name. */
export function isRecordName(name: unknown): name is string {
  return typeof name === 'string' && /^[A-Za-z0-9_.-]+$/.test(name)
}

function tagOf({ tenant, provider }: ProviderKey): string {
  if (!isRecordName(tenant)) throw new TypeError('tenant must be characters of A-Z, a-z, 0-9, "_", "." and "-"')
  if (!isRecordName(provider)) throw new TypeError('provider must be characters of A-Z, a-z, 0-9, "_", "." and "-"')
  return `${tenant}/${provider}`
}
