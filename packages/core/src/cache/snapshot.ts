import { isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { storedPolicy } from '../http/freshness.ts'
import { checkUrl, parseUrl, type UrlRules } from '../http/url-rules.ts'
import { type KeySet, type RefusedKeys, readKeySet } from '../jwks/key-set.ts'
import type { Opened, SnapshotRefusal } from '../stores/integrity.ts'
import type { CacheOptions } from './cache-options.ts'
import { type Entry, entryTimes, immutableTimes } from './entry.ts'
import type { ImmutableHistory, KidTimes } from './immutable-keys.ts'

/** What a snapshot was made for: one that was made for anything else is not believed. */
export interface SnapshotBinding extends ProviderKey {
  readonly issuers: readonly string[]
  /** `null` where the URI is discovered. */
  readonly jwksUri: string | null
  /** A hash of the rules by which the keys were fetched. */
  readonly transport: string
  readonly keyLifetime: CacheOptions['keyLifetime']
}

/** An entry out of a snapshot, with every rule for keys and times applied again. */
export interface LoadedSnapshot {
  readonly entry: Entry
  readonly keySet: KeySet
  /** Keys of the snapshot that are not used. */
  readonly refused: RefusedKeys
}

/** A snapshot that was read, or why it is refused. */
export type SnapshotReading =
  | { readonly ok: true; readonly loaded: LoadedSnapshot }
  | { readonly ok: false; readonly reason: SnapshotRefusal }

/** Milliseconds by which the clocks of two machines may differ. */
const CLOCK_SKEW = 5_000

/** No clock shows more; past what `Date` can write, a snapshot could not be saved again. */
const LATEST = Date.UTC(9999, 11, 31)

/** Milliseconds past all use for which a snapshot is kept: its validators still save a provider the body. */
const KEPT_FOR_VALIDATORS = 604_800_000

/** What is written down: the entry as it is, with its times for people to read, and what it is for. */
export function snapshotPayload(binding: SnapshotBinding, entry: Entry): unknown {
  const { version, keys, policy, immutable, ...times } = entry
  const written = Object.fromEntries(Object.entries(times).map(([name, at]) => [name, isoTime(at)]))
  if (immutable === undefined) return { kind: 'snapshot', binding, entry: { version, keys, policy, ...written } }
  const history = {
    learnedAt: immutable.learnedAt.map(([kid, at]) => [kid, isoTime(at)]),
    forgottenAt: immutable.forgottenAt.map(([kid, at]) => [kid, isoTime(at)]),
  }
  return { kind: 'snapshot', binding, entry: { version, keys, policy, ...written, immutable: history } }
}

/** Until when a snapshot of this entry is worth keeping, ISO 8601 in UTC; `null` for good. */
export function keepUntil({ immutable, staleUntil, staleIfErrorUntil }: Entry): string | null {
  return immutable === undefined ? isoTime(Math.max(staleUntil, staleIfErrorUntil) + KEPT_FOR_VALIDATORS) : null
}

/**
 * Reads what a snapshot had in it. Times are computed anew from what HTTP said and when it was fetched, so that local
 * policy holds, and what passed while nobody ran has passed.
 *
 * @param held what is held now: unchanged keys keep their identity
 * @param random a number from 0 to below 1, for `prefetchJitter`
 */
export function readSnapshot(
  opened: Opened,
  binding: SnapshotBinding,
  options: CacheOptions,
  rules: UrlRules,
  { now, held, random }: { readonly now: number; readonly held: KeySet | undefined; readonly random: number },
): SnapshotReading {
  if (!opened.ok) return opened
  const { payload } = opened
  if (!isObject(payload) || payload['kind'] !== 'snapshot') return refused('malformed')
  if (JSON.stringify(payload['binding']) !== JSON.stringify(binding)) return refused('binding')
  const { entry } = payload
  if (!isObject(entry)) return refused('malformed')
  if (entry['version'] !== 1) return refused('version')
  const fetchedAt = readTime(entry['fetchedAt'])
  const response = readResponse(entry['policy'])
  const reading = readKeySet({ keys: entry['keys'] }, options.maxKeys, held)
  if (fetchedAt === undefined || response === undefined || reading === undefined) return refused('malformed')
  if (fetchedAt > now + CLOCK_SKEW) return refused('future')
  if (!mayComeFrom(response.url, binding, rules)) return refused('binding')
  const policy = storedPolicy(response.url, response.headers, Math.min(fetchedAt, now))
  const { keySet, refused: refusedKeys } = reading
  const keys = keySet.keys.map(({ jwk }) => jwk)
  if (binding.keyLifetime === 'immutable') {
    const immutable = readHistory(entry['immutable'])
    if (immutable === undefined) return refused('malformed')
    const times = immutableTimes(Math.min(fetchedAt, now))
    return {
      ok: true,
      loaded: { entry: { version: 1, keys, policy, immutable, ...times }, keySet, refused: refusedKeys },
    }
  }
  if (keys.length === 0) return refused('no-usable-keys')
  const times = entryTimes(policy, Math.min(fetchedAt, now), options, random)
  return { ok: true, loaded: { entry: { version: 1, keys, policy, ...times }, keySet, refused: refusedKeys } }
}

function readResponse(policy: unknown) {
  if (!isObject(policy)) return undefined
  const { u: url, resh } = policy
  if (typeof url !== 'string' || !isObject(resh)) return undefined
  const headers = Object.entries(resh).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return { url, headers: Object.fromEntries(headers) }
}

/** The URI that is configured, or, where it is discovered, one that may be asked. */
function mayComeFrom(text: string, { jwksUri }: SnapshotBinding, rules: UrlRules): boolean {
  if (jwksUri !== null) return text === jwksUri
  const url = parseUrl(text)
  if (url === undefined) return false
  try {
    checkUrl(url, rules)
    return true
  } catch {
    return false
  }
}

function readHistory(value: unknown): ImmutableHistory | undefined {
  if (!isObject(value)) return undefined
  const [learnedAt, forgottenAt] = [readKidTimes(value['learnedAt']), readKidTimes(value['forgottenAt'])]
  return learnedAt === undefined || forgottenAt === undefined ? undefined : { learnedAt, forgottenAt }
}

/**
 * Times of a fast clock are left as they are: what is learned after counts as learned later, and were they taken for now,
 * each load would forget it again.
 */
function readKidTimes(value: unknown): KidTimes | undefined {
  if (!Array.isArray(value)) return undefined
  const times: (readonly [string, number])[] = []
  for (const pair of value) {
    if (!Array.isArray(pair)) return undefined
    const [kid, at] = pair as readonly unknown[]
    const time = readTime(at)
    if (typeof kid !== 'string' || time === undefined) return undefined
    times.push([kid, time])
  }
  return times
}

/** ISO 8601 in UTC; `null` for never. */
function isoTime(time: number): string | null {
  return Number.isFinite(time) ? new Date(time).toISOString() : null
}

function readTime(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return time <= LATEST ? time : undefined
}

function refused(reason: SnapshotRefusal): SnapshotReading {
  return { ok: false, reason }
}
