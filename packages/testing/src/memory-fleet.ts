import type { FleetCoordination, FleetNotice, LeaseState, ProviderKey, RevocationStore } from '@jwks-auth/core'

/** Snapshots by provider, as text: what a {@link memoryFleet} shares with the store that it is part of. */
export interface MemorySnapshots {
  /** The snapshot as JSON text; `undefined` where there is none. */
  get(key: ProviderKey): string | undefined
  /** Replaces the snapshot. */
  set(key: ProviderKey, text: string): void
}

/** Something that expires. */
interface Expiring {
  readonly value: string
  readonly until: number
}

/** The optional parts of a store in memory. */
export interface MemoryFleet {
  /** The store's revocations. */
  readonly revocations: RevocationStore
  /** The store's coordination. */
  readonly coordination: FleetCoordination
  /** Replaces the generation after a save without a condition, or removes it with the snapshot. */
  changed(key: ProviderKey, generation: string | undefined): void
}

/**
 * Creates revocations and coordination in memory, for registries of one process that play a fleet.
 *
 * @param now - milliseconds by which leases, budgets and failures expire
 */
export function memoryFleet(snapshots: MemorySnapshots, now: () => number): MemoryFleet {
  const revoked = new Map<string, string>()
  const generations = new Map<string, string>()
  const leases = new Map<string, Expiring>()
  const failures = new Map<string, Expiring>()
  const refetches = new Map<string, Expiring>()
  const listeners = new Set<{ readonly listener: (notice: FleetNotice) => void }>()
  let revision = 0

  const nameOf = ({ tenant, provider }: ProviderKey): string => JSON.stringify([tenant, provider])
  const parse = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text))
  const notify = (notice: FleetNotice): void => {
    for (const { listener } of [...listeners]) listener(notice)
  }
  const current = (entries: Map<string, Expiring>, key: ProviderKey): string | undefined => {
    const entry = entries.get(nameOf(key))
    return entry !== undefined && entry.until > now() ? entry.value : undefined
  }
  const set = (entries: Map<string, Expiring>, key: ProviderKey, value: string, duration: number): void => {
    entries.set(nameOf(key), { value, until: now() + duration })
  }
  const removeIf = (entries: Map<string, Expiring>, key: ProviderKey, value: string): void => {
    if (current(entries, key) === value) entries.delete(nameOf(key))
  }
  const changed = (key: ProviderKey, generation: string | undefined): void => {
    failures.delete(nameOf(key))
    if (generation === undefined) generations.delete(nameOf(key))
    else generations.set(nameOf(key), generation)
  }
  const state = (key: ProviderKey, holder: LeaseState['holder']): LeaseState => ({
    holder,
    generation: generations.get(nameOf(key)),
    failure: parse(current(failures, key)),
  })

  return {
    changed,
    revocations: {
      revision: async () => `${revision}`,
      load: async () => [...revoked.values()].map(parse),
      async save(id, record) {
        revoked.set(id, JSON.stringify(record))
        revision += 1
        notify({ kind: 'revocations' })
      },
    },
    coordination: {
      async acquire(key, leaseId, ttl) {
        const holder = current(leases, key)
        if (holder !== undefined && holder !== leaseId) return state(key, 'other')
        set(leases, key, leaseId, ttl)
        return state(key, 'own')
      },
      async renew(key, leaseId, ttl) {
        if (current(leases, key) !== leaseId) return false
        set(leases, key, leaseId, ttl)
        return true
      },
      release: async (key, leaseId) => removeIf(leases, key, leaseId),
      inspect: async (key) => state(key, current(leases, key) === undefined ? 'none' : 'other'),
      load: async (key) => ({ snapshot: parse(snapshots.get(key)), generation: generations.get(nameOf(key)) }),
      async saveIf(key, snapshot, expected, next) {
        if (generations.get(nameOf(key)) !== expected) return false
        snapshots.set(key, JSON.stringify(snapshot))
        changed(key, next)
        notify({ kind: 'snapshot', key })
        return true
      },
      async shareFailure(key, leaseId, failure, ttl) {
        if (current(leases, key) !== leaseId) return
        set(failures, key, JSON.stringify(failure), ttl)
        notify({ kind: 'snapshot', key })
      },
      async reserveRefetch(key, refetchId, cooldown) {
        const holder = current(refetches, key)
        if (holder !== undefined) return holder === refetchId
        set(refetches, key, refetchId, cooldown)
        return true
      },
      returnRefetch: async (key, refetchId) => removeIf(refetches, key, refetchId),
      subscribe(listener) {
        const subscriber = { listener }
        listeners.add(subscriber)
        return () => void listeners.delete(subscriber)
      },
    },
  }
}
