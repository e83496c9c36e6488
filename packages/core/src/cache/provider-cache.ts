import type { Instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { ImportedKey, KeyImporter } from '../jwks/import-key.ts'
import type { KeySet } from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { CacheOptions } from './cache-options.ts'
import { createHoldings } from './create-holdings.ts'
import { createFleetTurns } from './fleet-turn.ts'
import type { FetchOutcome, Holdings } from './holdings.ts'
import type { JwksSource } from './jwks-source.ts'
import { createKeySearch, type KeySearch } from './key-search.ts'
import { decide, decideAfterFailure } from './policy.ts'
import { createPrefetch, type Prefetch } from './prefetch.ts'
import { createProviderSnapshots, type ProviderSnapshots, type SnapshotRules } from './provider-snapshots.ts'
import type { RefreshContext } from './refresh-context.ts'
import { createRefresher, type Refresher } from './refresher.ts'
import type { RevocationBook } from './revocation-book.ts'
import type { StoreAccess } from './store-access.ts'
import type { FleetTurns } from './turn.ts'
import { createUnknownKidLook } from './unknown-kid-look.ts'
import type { RefusedKids } from './unknown-kids.ts'

/** What the caches of one registry share. */
export interface CacheContext extends RefreshContext {
  readonly importer: KeyImporter
  readonly refusedKids: RefusedKids
  readonly revocations: RevocationBook
  /** Absent where the registry has no store. */
  readonly access: StoreAccess | undefined
  /** Called on each use of a cache that holds keys: the least recently used one may have to go. */
  touch(cache: ProviderCache): void
}

/** Keys for a token, or why there are none. */
export type KeysOrRefusal = readonly VerificationKey[] | JwksAuthError

/** As {@link KeysOrRefusal}; a promise only where something has to be waited for. */
export type FoundKeys = KeysOrRefusal | Promise<KeysOrRefusal>

function refusalOf(error: unknown): JwksAuthError {
  if (error instanceof JwksAuthError) return error
  throw error
}

/** One provider's keys: serves them, keeps them fresh, and looks for those that it does not hold. */
export class ProviderCache {
  readonly key: ProviderKey
  readonly #options: CacheOptions
  readonly #context: CacheContext
  readonly #holdings: Holdings
  readonly #snapshots: ProviderSnapshots | undefined
  readonly #turns: FleetTurns | undefined
  readonly #refresher: Refresher<FetchOutcome>
  readonly #search: KeySearch
  readonly #prefetch: Prefetch
  #isRetired = false
  #requested: Promise<FetchOutcome> | undefined

  constructor(
    key: ProviderKey,
    options: CacheOptions,
    source: JwksSource,
    rules: SnapshotRules,
    context: CacheContext,
  ) {
    this.key = key
    this.#options = options
    this.#context = context
    const { access, clock } = context
    const revocations = context.revocations.of(key)
    const holdings = createHoldings(key, options, revocations, context, {
      renewed: () => this.#renewed(),
      changed: () => this.#snapshots?.saveSoon(),
    })
    this.#holdings = holdings
    if (access !== undefined) {
      this.#snapshots = createProviderSnapshots(key, options, rules, holdings, { ...context, access })
      this.#turns = createFleetTurns(key, options, this.#snapshots, access, context)
    }
    this.#refresher = createRefresher(key, options, source, holdings, this.#turns, context)
    this.#prefetch = createPrefetch(options.prefetch, holdings, () => this.#refreshInBackground(), context)
    const returnRefetch = (): void => this.#turns?.returnRefetch()
    const unknownKid = createUnknownKidLook(key, options, this.#refresher, returnRefetch, context)
    const keySet = (): KeySet | Promise<KeySet> => this.keySet()
    this.#search = createKeySearch({ options, holdings, revocations, unknownKid, clock, keySet })
  }

  /** Begins what does not wait for a first use: the fetches of `prefetch: 'always'`. */
  start(): void {
    if (this.#options.prefetch === 'always') this.#refreshInBackground()
  }

  /**
   * The keys that may be used now; a promise only where there is something to wait for.
   *
   * @throws KeysUnavailableError at once, where there are none and none may be asked for
   */
  keySet(): KeySet | Promise<KeySet> {
    const { counters, state, active } = this.#holdings
    counters.requests += 1
    const decision = decide(state(), this.#context.clock.now())
    const held = active()
    if (held === undefined || decision === 'wait' || decision === 'refuse') {
      counters.misses += 1
      if (decision === 'refuse') throw this.#holdings.unavailable()
      return this.#waitForKeySet()
    }
    counters.hits += 1
    if (decision === 'serve-and-refresh' || decision === 'serve-stale-and-refresh') this.#refreshInBackground()
    if (decision === 'serve-stale' || decision === 'serve-stale-and-refresh') this.#holdings.servedStale()
    this.#used()
    return held
  }

  /**
   * True where this very key is in the current set and nothing is to be waited for or refreshed; counts as a cache hit.
   * Where it is false, nothing is counted: call {@link findKeys}.
   */
  hasCurrentKey(key: VerificationKey, now: Instant): boolean {
    if (this.#isRetired || this.#holdings.undisputed(now.wall)?.members.has(key) !== true) return false
    this.#holdings.counters.requests += 1
    this.#holdings.counters.hits += 1
    this.#used()
    return true
  }

  /**
   * Finds the keys that may have signed a token, at least one. An unknown `kid` causes a refetch, within its budget.
   *
   * @param alg the token's algorithm; `undefined` for any
   * @param askedAt when the request began to wait: its deadline counts from here
   * @returns the keys, or why there are none; a promise only where something has to be waited for. Never rejects.
   */
  findKeys(kid: string | undefined, alg: string | undefined, askedAt: Instant): FoundKeys {
    try {
      const found = this.#search.find(kid, alg, askedAt.wall)
      return found instanceof Promise ? found.catch(refusalOf) : found
    } catch (error) {
      return refusalOf(error)
    }
  }

  /**
   * Finds the keys that fit now and were not `tried`, after a signature that none of those verifies; perhaps after a
   * refetch, since a provider may publish new material under an old `kid`. Often none. Never rejects.
   */
  async findOtherKeys(
    kid: string | undefined,
    alg: string,
    tried: readonly VerificationKey[],
    askedAt: Instant,
  ): Promise<KeysOrRefusal> {
    return await this.#search.findOthers(kid, alg, tried, askedAt.wall).catch(refusalOf)
  }

  /** A signature has verified with this key: a refetch that brought it gives its budget back. */
  signatureVerified(_key: VerificationKey): void {
    // Not yet: today the search itself gives the budget back.
  }

  /** The imported key; `undefined` for one that cannot be imported. */
  importKey(key: VerificationKey, alg: string): ImportedKey | undefined {
    return this.#context.importer.importKey(key, alg) ?? this.#holdings.importFailed(key)
  }

  /** Fetches now, due or not, backoff or not; whoever asks while one of these waits its turn shares it. */
  refresh(): Promise<FetchOutcome> {
    this.#requested ??= this.#refreshWhenFree()
    return this.#requested
  }

  /** What the provider has in the store; absent where there is none. */
  get snapshots(): ProviderSnapshots | undefined {
    return this.#snapshots
  }

  /** Another process of the fleet has saved the provider's keys. */
  noticed(): void {
    if (this.#isRetired || this.#holdings.record() === undefined) this.#turns?.noticed()
    else void this.#snapshots?.reload().then(() => this.#turns?.noticed())
  }

  /** What is held, for the status. */
  get holdings(): Holdings {
    return this.#holdings
  }

  /** True while a fetch is under way. */
  get isFetching(): boolean {
    return this.#refresher.current() !== undefined
  }

  /** Drops the keys from memory, once they are written down; the next question loads or fetches them again. */
  evict(): void {
    this.#prefetch.stop()
    const drop = (): void => {
      this.#holdings.clear()
      this.#context.events.emit('evicted', { ...this.key })
    }
    if (this.#snapshots?.isSaving() === true) void this.#snapshots.saved().then(drop)
    else drop()
  }

  /** Ends the cache's own doings: no timer is set from here on. */
  retire(): void {
    this.#isRetired = true
    this.#prefetch.stop()
  }

  async #waitForKeySet(): Promise<KeySet> {
    const reason = this.#holdings.active() === undefined ? 'first' : 'due'
    const flight = this.#refresher.current() ?? this.#refresher.start(reason, () => this.#isFresh())
    const outcome = await this.#orLoaded(flight)
    const active = this.#holdings.active()
    if (active !== undefined) {
      const decision =
        outcome?.ok === false ? decideAfterFailure(this.#holdings.state(), this.#context.clock.now()) : 'serve'
      if (decision === 'serve-stale') this.#holdings.servedStale()
      if (decision !== 'refuse') {
        this.#used()
        return active
      }
    }
    throw this.#holdings.unavailable(outcome?.ok === false ? outcome.error : undefined)
  }

  /** The flight's outcome, unless a store that was slow has brought fresh keys before. */
  async #orLoaded(flight: Promise<FetchOutcome>): Promise<FetchOutcome | undefined> {
    const loading = this.#snapshots?.underWay()
    if (loading === undefined) return await flight
    return await Promise.race([flight, loading.then(() => (this.#isFresh() ? undefined : flight))])
  }

  /** True when there is no reason to ask upstream. */
  #isFresh(): boolean {
    const entry = this.#holdings.entry()
    return entry !== undefined && this.#context.clock.now() < entry.refreshAt
  }

  async #refreshWhenFree(): Promise<FetchOutcome> {
    // Past the caller's tick: whoever asks within it shares this, and the promise is kept before it is let go.
    await Promise.resolve()
    for (let underWay = this.#refresher.current(); underWay !== undefined; underWay = this.#refresher.current()) {
      await underWay
    }
    this.#requested = undefined
    return await this.#refresher.start('requested', () => false)
  }

  #refreshInBackground(): void {
    if (this.#refresher.current() !== undefined || this.#context.closed.aborted) return
    const reason = this.#holdings.active() === undefined ? 'first' : 'due'
    void this.#refresher.start(reason, () => this.#isFresh())
  }

  #renewed(): void {
    if (this.#isRetired) return
    this.#prefetch.fetched()
    if (this.#holdings.entry() !== undefined) this.#context.touch(this)
  }

  #used(): void {
    if (this.#isRetired) return
    this.#prefetch.used()
    this.#context.touch(this)
  }
}
