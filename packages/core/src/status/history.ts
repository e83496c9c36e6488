import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { Registry } from '../registry/registry.ts'
import type { RefusalCount } from './plain-words.ts'

/** What became of a key. */
export type KeyChangeKind = 'added' | 'removed' | 'changed' | 'revoked' | 'unrevoked' | 'forgotten'

/** A change of one key of a provider. */
export interface KeyChange {
  /** Epoch milliseconds. */
  readonly time: number
  readonly change: KeyChangeKind
  /** The key's id, cut to 256 characters. */
  readonly kid: string
}

/** What has happened since the status handler was created, as far as it is worth showing. */
export interface StatusHistory {
  /** When it was created, in epoch milliseconds: changes before that are not known. */
  readonly since: number
  /** Refused requests of the last {@link REFUSAL_WINDOW} milliseconds, the most frequent code first; of one provider or of all. */
  refusals(provider?: ProviderKey): readonly RefusalCount[]
  /** The last changes of a provider's keys, newest first. */
  keyChanges(provider: ProviderKey): readonly KeyChange[]
}

/** How far back refused requests are counted, in milliseconds. */
export const REFUSAL_WINDOW = 900_000

const BUCKET = 60_000
/** Providers with a history. Those whose last event is the longest ago are forgotten. */
const MAX_PROVIDERS = 2_000
const MAX_CHANGES = 20
/** Characters of a `kid` that are kept; a provider chooses its length. */
export const MAX_KID = 256

const keyEvents = {
  'key-added': 'added',
  'key-removed': 'removed',
  'key-changed': 'changed',
  'key-revoked': 'revoked',
  'key-unrevoked': 'unrevoked',
  'key-forgotten': 'forgotten',
} as const satisfies Readonly<Record<string, KeyChangeKind>>

/** Records the events of a registry, as long as that lives. */
export function recordHistory(registry: Pick<Registry, 'on'>, clock: Clock): StatusHistory {
  const all = new RefusalWindow()
  const refusalsOf = new LRUCache<string, RefusalWindow>({ max: MAX_PROVIDERS })
  const changesOf = new LRUCache<string, readonly KeyChange[]>({ max: MAX_PROVIDERS })

  registry.on('refused', ({ tenant, provider, code, status }) => {
    const refusal = { code, status, wall: clock.now(), monotonic: clock.monotonic() }
    all.add(refusal)
    if (tenant === undefined || provider === undefined) return
    const name = providerName({ tenant, provider })
    const ofProvider = refusalsOf.get(name) ?? new RefusalWindow()
    ofProvider.add(refusal)
    refusalsOf.set(name, ofProvider)
  })
  for (const [type, change] of Object.entries(keyEvents) as [keyof typeof keyEvents, KeyChangeKind][]) {
    registry.on(type, ({ kid, ...provider }) => {
      const name = providerName(provider)
      const newest = { time: clock.now(), change, kid: kid.slice(0, MAX_KID) }
      changesOf.set(name, [newest, ...(changesOf.get(name) ?? [])].slice(0, MAX_CHANGES))
    })
  }

  return {
    since: clock.now(),
    refusals(provider) {
      const counted = provider === undefined ? all : refusalsOf.get(providerName(provider))
      return counted?.counts(clock.monotonic()) ?? []
    },
    keyChanges: (provider) => changesOf.get(providerName(provider)) ?? [],
  }
}

interface Refusal {
  readonly code: string
  readonly status: number
  readonly wall: number
  readonly monotonic: number
}

/** Counts by minute, so that a window that moves costs no memory for each request. */
class RefusalWindow {
  #buckets: { readonly number: number; readonly counts: Map<string, RefusalCount> }[] = []

  add({ code, status, wall, monotonic }: Refusal): void {
    const number = Math.floor(monotonic / BUCKET)
    let bucket = this.#buckets.at(-1)
    if (bucket?.number !== number) {
      bucket = { number, counts: new Map() }
      this.#buckets = [...this.#current(monotonic), bucket]
    }
    bucket.counts.set(code, { code, status, count: (bucket.counts.get(code)?.count ?? 0) + 1, last: wall })
  }

  counts(monotonic: number): readonly RefusalCount[] {
    const sums = new Map<string, RefusalCount>()
    for (const { counts } of this.#current(monotonic)) {
      for (const refusal of counts.values()) {
        sums.set(refusal.code, { ...refusal, count: (sums.get(refusal.code)?.count ?? 0) + refusal.count })
      }
    }
    return [...sums.values()].toSorted((one, other) => other.count - one.count)
  }

  #current(monotonic: number) {
    const oldest = Math.floor((monotonic - REFUSAL_WINDOW) / BUCKET)
    return this.#buckets.filter(({ number }) => number > oldest)
  }
}
