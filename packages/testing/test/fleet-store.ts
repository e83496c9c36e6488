import type { FleetNotice, ProviderKey, Snapshot, SnapshotStore } from '@jwks-auth/core'

/** What a server would keep: one for all processes. */
export interface FleetPlace {
  readonly snapshots: Map<string, string>
  readonly generations: Map<string, string>
  readonly revocations: Map<string, string>
  readonly leases: Map<string, Lease>
  readonly looks: Map<string, Lease>
  readonly listeners: Set<(notice: FleetNotice) => void>
  revision: number
}

interface Lease {
  readonly token: string
  readonly until: number
}

export function fleetPlace(): FleetPlace {
  return {
    snapshots: new Map(),
    generations: new Map(),
    revocations: new Map(),
    leases: new Map(),
    looks: new Map(),
    listeners: new Set(),
    revision: 0,
  }
}

/** A store with every part, in memory: what the contract says, in the fewest words. */
export function fleetStore(place: FleetPlace): Required<SnapshotStore> {
  const { snapshots, generations, revocations, leases, looks, listeners } = place
  const nameOf = ({ tenant, provider }: ProviderKey): string => JSON.stringify([tenant, provider])
  const tell = (notice: FleetNotice): void => {
    for (const listener of listeners) listener(notice)
  }
  const parse = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text))
  const keep = (key: ProviderKey, snapshot: Snapshot, generation: string): void => {
    snapshots.set(nameOf(key), JSON.stringify(snapshot))
    generations.set(nameOf(key), generation)
  }
  const current = (held: Map<string, Lease>, key: ProviderKey): Lease | undefined => {
    const lease = held.get(nameOf(key))
    return lease !== undefined && lease.until > performance.now() ? lease : undefined
  }
  const hold = (held: Map<string, Lease>, key: ProviderKey, token: string, duration: number): void => {
    held.set(nameOf(key), { token, until: performance.now() + duration })
  }
  const giveBack = (held: Map<string, Lease>, key: ProviderKey, token: string): void => {
    if (current(held, key)?.token === token) held.delete(nameOf(key))
  }

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
        tell({ kind: 'revocations' })
      },
    },
    coordination: {
      async acquire(key, token, ttl) {
        const generation = generations.get(nameOf(key))
        const lease = current(leases, key)
        if (lease !== undefined && lease.token !== token) return { holder: 'other', generation }
        hold(leases, key, token, ttl)
        return { holder: 'own', generation }
      },
      async renew(key, token, ttl) {
        if (current(leases, key)?.token !== token) return false
        hold(leases, key, token, ttl)
        return true
      },
      release: async (key, token) => giveBack(leases, key, token),
      inspect: async (key) => ({
        holder: current(leases, key) === undefined ? 'none' : 'other',
        generation: generations.get(nameOf(key)),
      }),
      load: async (key) => ({
        snapshot: parse(snapshots.get(nameOf(key))),
        generation: generations.get(nameOf(key)),
      }),
      async saveIf(key, snapshot, expected, next) {
        if (generations.get(nameOf(key)) !== expected) return false
        keep(key, snapshot, next)
        tell({ kind: 'snapshot', key })
        return true
      },
      async reserveRefetch(key, token, cooldown) {
        if (current(looks, key) !== undefined) return false
        hold(looks, key, token, cooldown)
        return true
      },
      returnRefetch: async (key, token) => giveBack(looks, key, token),
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
}
