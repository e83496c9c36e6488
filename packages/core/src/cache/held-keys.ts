import { withoutValidators } from '../http/freshness.ts'
import {
  compareKeySets,
  createKeySet,
  type KeySet,
  type KeySetChanges,
  type RefusedKeys,
  uniteRefused,
  withoutCompromised,
} from '../jwks/key-set.ts'
import type { CacheOptions } from './cache-options.ts'
import { type Entry, entryTimes, immutableTimes } from './entry.ts'
import { addPublished, forget, type ImmutableKeys, isSameHistory, unite } from './immutable-keys.ts'
import type { FetchedKeySet } from './key-set-fetch.ts'
import type { RefreshContext } from './refresh-context.ts'
import type { Revocations } from './revocations.ts'
import type { LoadedSnapshot } from './snapshot.ts'

/** What came of taking an answer over. */
export interface Replacement {
  /** The keys that may be used now. */
  readonly keySet: KeySet
  /** What is published that was not before, and the reverse; where keys are immutable, the reverse is news only. */
  readonly changes: KeySetChanges
  /** Published keys that are not taken. */
  readonly refused: RefusedKeys
}

/** The keys of one provider: as published, and those of them that may be used. Every change is made at once. */
export interface HeldKeys {
  entry(): Entry | undefined
  source(): 'upstream' | 'store'
  published(): KeySet | undefined
  active(): KeySet | undefined
  /** {@link active} while there is nothing to do but to serve them: no refresh is due, and no revocation under way. */
  undisputed(now: number): KeySet | undefined
  /** Takes a checked answer over. */
  replace(fetched: FetchedKeySet, now: number): Promise<Replacement>
  /** Takes over what a store had: newer keys, or immutable ones that are not known. False where there was nothing new. */
  adopt(loaded: LoadedSnapshot): Promise<boolean>
  /** Drops an immutable key; false where it is not held. */
  forget(kid: string, now: number): Promise<boolean>
  /** Drops keys whose private half was published; `undefined` where none was held. */
  dropCompromised(compromised: ReadonlySet<string>, now: number): KeySetChanges | undefined
  /** Changes what is known of the entry besides its keys. */
  amend(change: (entry: Entry) => Entry): void
  /** Takes revocations into account that were made or taken back just now. */
  applyRevocations(): Promise<void>
  clear(): void
}

/** What is held, in one piece. */
interface Held {
  readonly entry: Entry
  readonly published: KeySet
  readonly active: KeySet
  readonly source: 'upstream' | 'store'
  /** Of the revocations that `active` is without. */
  readonly revocations: number
}

/** No keys, to begin with. */
export function createHeldKeys(
  options: CacheOptions,
  revocations: Revocations,
  { random }: Pick<RefreshContext, 'random'>,
): HeldKeys {
  let held: Held | undefined

  /** Makes what is to be held next out of what is held, once more if that has changed while thumbprints were made. */
  async function change<Made extends Omit<Held, 'active' | 'revocations'>>(
    make: () => Made | undefined,
  ): Promise<(Made & Held) | undefined> {
    for (;;) {
      const [before, version] = [held, revocations.version()]
      const made = make()
      if (made === undefined) return undefined
      const active = await revocations.filter(made.published)
      if (held !== before || version !== revocations.version()) continue
      const next = { ...made, active, revocations: version }
      held = next
      return next
    }
  }

  function immutableKeys(): ImmutableKeys | undefined {
    const history = held?.entry.immutable
    return held === undefined || history === undefined ? undefined : { keySet: held.published, history }
  }

  function entryOf({ keySet, history }: ImmutableKeys, policy: Entry['policy'], fetchedAt: number): Entry {
    return { version: 1, keys: jwks(keySet), policy, immutable: history, ...immutableTimes(fetchedAt) }
  }

  return {
    entry: () => held?.entry,
    source: () => held?.source ?? 'upstream',
    published: () => held?.published,
    active: () => held?.active,
    undisputed(now) {
      if (held === undefined || now >= held.entry.refreshAt || held.revocations !== revocations.version())
        return undefined
      return held.active
    },

    async replace({ keySet, policy, modified, refused }, now) {
      const source = 'upstream'
      const next = await change(() => {
        if (options.keyLifetime === 'http') {
          const entry: Entry = { version: 1, keys: jwks(keySet), policy, ...entryTimes(policy, now, options, random()) }
          return { entry, published: keySet, source, changes: compareKeySets(held?.published, keySet), refused }
        }
        // A 304 confirms what was held when it was asked for; what was forgotten since does not come back by it.
        const confirmed = modified ? keySet : (held?.published ?? keySet)
        const added = addPublished(immutableKeys(), confirmed, { now, maxKeys: options.maxKeys })
        const entry = entryOf(added, confirmed === keySet ? policy : withoutValidators(policy), now)
        return {
          entry,
          published: added.keySet,
          source,
          changes: added.changes,
          refused: uniteRefused(refused, added.refused),
        }
      })
      return { keySet: next?.active ?? keySet, changes: next?.changes ?? NO_CHANGES, refused: next?.refused ?? refused }
    },

    async adopt({ entry, keySet }) {
      const next = await change(() => {
        if (entry.immutable === undefined) {
          return held !== undefined && held.entry.fetchedAt >= entry.fetchedAt
            ? undefined
            : { entry, published: keySet, source: 'store' }
        }
        const united = unite(immutableKeys(), { keySet, history: entry.immutable }, options.maxKeys)
        if (isSameHistory(held?.entry.immutable, united.history)) return undefined
        const stored = { entry, published: keySet }
        const newer = held !== undefined && held.entry.fetchedAt >= entry.fetchedAt ? held : stored
        const { policy, fetchedAt } = newer.entry
        const isWhole = hasKidsOf(united.keySet, newer.published)
        const known = entryOf(united, isWhole ? policy : withoutValidators(policy), fetchedAt)
        return { entry: known, published: united.keySet, source: 'store' }
      })
      return next !== undefined
    },

    async forget(kid, now) {
      const next = await change(() => {
        const immutable = immutableKeys()
        if (held === undefined || immutable?.keySet.byKid.has(kid) !== true) return undefined
        const kept = forget(immutable, kid, now)
        const { policy, fetchedAt } = held.entry
        const entry = entryOf(kept, withoutValidators(policy), fetchedAt)
        return { entry, published: kept.keySet, source: held.source }
      })
      return next !== undefined
    },

    dropCompromised(compromised, now) {
      if (held === undefined) return undefined
      const { keys } = held.published
      const kept = withoutCompromised(keys, compromised)
      if (kept.length === keys.length) return undefined
      const kids = keys.flatMap((key) => (kept.includes(key) || key.kid === undefined ? [] : [key.kid]))
      // Immutable ones are forgotten, or whoever still has them would bring them back.
      const left = kids.reduce<ImmutableKeys | undefined>((it, kid) => it && forget(it, kid, now), immutableKeys())
      const { policy, fetchedAt } = held.entry
      const published = left?.keySet ?? createKeySet(kept)
      const entry = left
        ? entryOf(left, withoutValidators(policy), fetchedAt)
        : { ...held.entry, keys: jwks(published) }
      const changes = compareKeySets(held.published, published)
      const active = createKeySet(held.active.keys.filter((key) => published.keys.includes(key)))
      held = kept.length === 0 && left === undefined ? undefined : { ...held, entry, published, active }
      return changes
    },

    amend(makeEntry) {
      if (held !== undefined) held = { ...held, entry: makeEntry(held.entry) }
    },

    async applyRevocations() {
      await change(() => held)
    },

    clear() {
      held = undefined
    },
  }
}

const NO_CHANGES: KeySetChanges = { added: [], removed: [], changed: [] }

/** Where it has not, a 304 to validators of the other set would keep what is missing from being learned anew. */
function hasKidsOf({ byKid }: KeySet, other: KeySet): boolean {
  return [...other.byKid.keys()].every((kid) => byKid.has(kid))
}

function jwks(keySet: KeySet): Entry['keys'] {
  return keySet.keys.map(({ jwk }) => jwk)
}
