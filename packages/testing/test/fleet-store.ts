import type { FleetNotice, ProviderKey, Snapshot, SnapshotStore } from '@jwks-auth/core'

/** The state of a server, shared by all processes. */
export interface FleetPlace {
  readonly snapshots: Map<string, string>
  readonly generations: Map<string, string>
  readonly revocations: Map<string, string>
  readonly leases: Map<string, Lease>
  readonly refetches: Map<string, Lease>
  readonly failures: Map<string, Lease>
  readonly listeners: Set<(notice: FleetNotice) => void>
  revision: number
}

/** Something that expires. */
interface Lease {
  readonly holder: string
  readonly until: number
}

export function fleetPlace(): FleetPlace {
  return {
    snapshots: new Map(),
    generations: new Map(),
    revocations: new Map(),
    leases: new Map(),
    refetches: new Map(),
    failures: new Map(),
    listeners: new Set(),
    revision: 0,
  }
}

/** A store with every part, in memory, whose state the tests can spoil. */
export function fleetStore(place: FleetPlace): Required<SnapshotStore> {
  const { snapshots, generations, revocations, leases, refetches, failures, listeners } = place
  const nameOf = ({ tenant, provider }: ProviderKey): string => JSON.stringify([tenant, provider])
  const notify = (notice: FleetNotice): void => {
    for (const listener of listeners) listener(notice)
  }
  const parse = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text))
  const keep = (key: ProviderKey, snapshot: Snapshot, generation: string): void => {
    snapshots.set(nameOf(key), JSON.stringify(snapshot))
    generations.set(nameOf(key), generation)
    failures.delete(nameOf(key))
  }
  const current = (entries: Map<string, Lease>, key: ProviderKey): Lease | undefined => {
    const lease = entries.get(nameOf(key))
    return lease !== undefined && lease.until > performance.now() ? lease : undefined
  }
  const grant = (entries: Map<string, Lease>, key: ProviderKey, holder: string, duration: number): void => {
    entries.set(nameOf(key), { holder, until: performance.now() + duration })
  }
  const returnIf = (entries: Map<string, Lease>, key: ProviderKey, holder: string): void => {
    if (current(entries, key)?.holder === holder) entries.delete(nameOf(key))
  }

  const failureOf = (key: ProviderKey): unknown => parse(current(failures, key)?.holder)

  return {
    isShared: true,
    load: async (key) => parse(snapshots.get(nameOf(key))),
    async save(key, snapshot) {
      keep(key, snapshot, crypto.randomUUID())
    },
    async delete(key) {
      snapshots.delete(nameOf(key))
      generations.delete(nameOf(key))
    },
    setAside: async () => undefined,
    warnings: async () => [],
    revocations: {
      revision: async () => `${place.revision}`,
      load: async () => [...revocations.values()].map(parse),
      async save(id, revocation) {
        revocations.set(id, JSON.stringify(revocation))
        place.revision += 1
        notify({ kind: 'revocations' })
      },
    },
    coordination: {
      async acquire(key, leaseId, ttl) {
        const generation = generations.get(nameOf(key))
        const lease = current(leases, key)
        if (lease !== undefined && lease.holder !== leaseId)
          return { holder: 'other', generation, failure: failureOf(key) }
        grant(leases, key, leaseId, ttl)
        return { holder: 'own', generation, failure: failureOf(key) }
      },
      async renew(key, leaseId, ttl) {
        if (current(leases, key)?.holder !== leaseId) return false
        grant(leases, key, leaseId, ttl)
        return true
      },
      release: async (key, leaseId) => returnIf(leases, key, leaseId),
      inspect: async (key) => ({
        holder: current(leases, key) === undefined ? 'none' : 'other',
        generation: generations.get(nameOf(key)),
        failure: failureOf(key),
      }),
      load: async (key) => ({
        snapshot: parse(snapshots.get(nameOf(key))),
        generation: generations.get(nameOf(key)),
      }),
      async saveIf(key, snapshot, expected, next) {
        if (generations.get(nameOf(key)) !== expected) return false
        keep(key, snapshot, next)
        notify({ kind: 'snapshot', key })
        return true
      },
      async shareFailure(key, leaseId, failure, ttl) {
        if (current(leases, key)?.holder !== leaseId) return
        grant(failures, key, JSON.stringify(failure), ttl)
        notify({ kind: 'snapshot', key })
      },
      async reserveRefetch(key, refetchId, cooldown) {
        if (current(refetches, key) !== undefined) return false
        grant(refetches, key, refetchId, cooldown)
        return true
      },
      returnRefetch: async (key, refetchId) => returnIf(refetches, key, refetchId),
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
}
