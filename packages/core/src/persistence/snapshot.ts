import type { Instant } from '../base/clock.ts'
import { isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { storedPolicy } from '../http/freshness.ts'
import { checkUrl, parseUrl, type UrlRules } from '../http/url-rules.ts'
import { type KeySet, readKeySetInTurns } from '../jwks/key-set.ts'
import type { CacheOptions } from '../jwks-cache/cache-options.ts'
import type { CachedKeys } from '../jwks-cache/cache-state.ts'
import type { RefusedContent } from '../jwks-cache/key-set-response.ts'
import { lifetimesOf, UNLIMITED } from '../jwks-cache/policy.ts'
import type { ImmutableHistory, KidTimes } from '../jwks-cache/usable-keys.ts'
import type { SnapshotRefusal, VerifiedPayload } from '../stores/integrity.ts'

/** What a snapshot was made for: one that was made for anything else is refused. */
export interface SnapshotBinding extends ProviderKey {
  readonly issuers: readonly string[]
  /** `null` where the URI is discovered. */
  readonly jwksUri: string | null
  /** A hash of the rules by which the keys were fetched. */
  readonly transport: string
  readonly keyLifetime: CacheOptions['keyLifetime']
}

/** What a provider's snapshots are checked against. */
export interface SnapshotRules {
  readonly binding: SnapshotBinding
  readonly urls: UrlRules
}

/** Cached keys from a snapshot, with every rule for keys and times applied again. */
export type LoadedSnapshot = Omit<CachedKeys, 'source' | 'requestNumber'> & RefusedContent

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

/** What is signed: the cached keys with absolute times, and what they were fetched for. */
export function snapshotPayload(binding: SnapshotBinding, cached: CachedKeys): unknown {
  const { published, policy, fetchedAt, lifetimes, immutable } = cached
  const keys = published.keys.map(({ jwk }) => jwk)
  const at = (milliseconds: number): string | null => isoTime(fetchedAt.wall + milliseconds)
  const entry = {
    version: 1,
    keys,
    policy,
    fetchedAt: at(0),
    refreshAt: at(lifetimes.refreshAfter),
    freshUntil: at(lifetimes.freshFor),
    staleUntil: at(lifetimes.staleFor),
    staleIfErrorUntil: at(lifetimes.staleIfErrorFor),
  }
  if (immutable === undefined) return { kind: 'snapshot', binding, entry }
  const history = {
    learnedAt: immutable.learnedAt.map(([kid, time]) => [kid, isoTime(time)]),
    forgottenAt: immutable.forgottenAt.map(([kid, time]) => [kid, isoTime(time)]),
  }
  return { kind: 'snapshot', binding, entry: { ...entry, immutable: history } }
}

/** Until when a snapshot of these keys is worth keeping, ISO 8601 in UTC; `null` for permanently. */
export function keepUntil({ immutable, fetchedAt, lifetimes }: CachedKeys): string | null {
  if (immutable !== undefined) return null
  return isoTime(fetchedAt.wall + Math.max(lifetimes.staleFor, lifetimes.staleIfErrorFor) + KEPT_FOR_VALIDATORS)
}

/**
 * Reads a snapshot. Lifetimes are computed again from what HTTP said and when it was fetched, so that local policy holds,
 * and what passed while no process ran has passed.
 *
 * @param known returns the cached keys: unchanged ones keep their identity
 * @param random a number from 0 to below 1, for `prefetchJitter`
 */
export async function readSnapshot(
  verified: VerifiedPayload,
  binding: SnapshotBinding,
  options: CacheOptions,
  rules: UrlRules,
  { now, known, random }: { readonly now: Instant; readonly known: () => KeySet | undefined; readonly random: number },
): Promise<SnapshotReading> {
  if (!verified.ok) return verified
  const { payload } = verified
  if (!isObject(payload) || payload['kind'] !== 'snapshot') return refused('malformed')
  if (JSON.stringify(payload['binding']) !== JSON.stringify(binding)) return refused('binding')
  const { entry } = payload
  if (!isObject(entry)) return refused('malformed')
  if (entry['version'] !== 1) return refused('version')
  const writtenAt = readTime(entry['fetchedAt'])
  const response = readStoredResponse(entry['policy'])
  const reading = await readKeySetInTurns({ keys: entry['keys'] }, options.maxKeys, known)
  if (writtenAt === undefined || response === undefined || reading === undefined) return refused('malformed')
  if (writtenAt > now.wall + CLOCK_SKEW) return refused('future')
  if (!mayComeFrom(response.url, binding, rules)) return refused('binding')
  const wall = Math.min(writtenAt, now.wall)
  const fetchedAt: Instant = { wall, monotonic: now.monotonic - (now.wall - wall) }
  const policy = storedPolicy(response.url, response.headers, wall)
  const { keySet: published, refused: refusedKeys, compromised } = reading
  const common = { published, policy, fetchedAt, writtenAt, refused: refusedKeys, compromised }
  if (binding.keyLifetime === 'immutable') {
    const immutable = readHistory(entry['immutable'])
    if (immutable === undefined) return refused('malformed')
    return { ok: true, loaded: { ...common, lifetimes: UNLIMITED, immutable } }
  }
  if (published.keys.length === 0) return refused('no-usable-keys')
  const lifetimes = lifetimesOf(policy, options, random)
  return { ok: true, loaded: { ...common, lifetimes, immutable: undefined } }
}

function readStoredResponse(policy: unknown) {
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
