import type { CryptoKey } from 'jose'
import { KeyNotFoundError, KeyRevokedError } from '../base/errors/request-errors.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { KeyImporter } from '../keys/import-key.ts'
import { type KeySet, selectKeys } from '../keys/key-set.ts'
import type { VerificationKey } from '../keys/verification-key.ts'
import type { CacheOptions } from './cache-options.ts'
import { createHoldings, type FetchOutcome, type Holdings } from './holdings.ts'
import type { JwksSource } from './jwks-source.ts'
import { decide, decideAfterFailure } from './policy.ts'
import { createPrefetch, type Prefetch } from './prefetch.ts'
import { createRefresher, type RefreshContext, type Refresher } from './refresher.ts'
import type { Tombstones } from './tombstones.ts'
import { createUnknownKidLook, type UnknownKidLook } from './unknown-kid-look.ts'
import type { RefusedKids } from './unknown-kids.ts'

/** What the caches of one registry share. */
export interface CacheContext extends RefreshContext {
  readonly importer: KeyImporter
  readonly refusedKids: RefusedKids
  /** Called on each use of a cache that holds keys: the least recently used one may have to go. */
  touch(cache: ProviderCache): void
}

/** One provider's keys: serves them, keeps them fresh, and looks for those that it does not hold. */
export class ProviderCache {
  readonly key: ProviderKey
  readonly #options: CacheOptions
  readonly #context: CacheContext
  readonly #tombstones: Tombstones
  readonly #holdings: Holdings
  readonly #refresher: Refresher<FetchOutcome>
  readonly #unknownKid: UnknownKidLook
  readonly #prefetch: Prefetch
  #isRetired = false
  #requested: Promise<FetchOutcome> | undefined

  constructor(
    key: ProviderKey,
    options: CacheOptions,
    source: JwksSource,
    tombstones: Tombstones,
    context: CacheContext,
  ) {
    this.key = key
    this.#options = options
    this.#context = context
    this.#tombstones = tombstones
    this.#holdings = createHoldings(key, options, tombstones, context, () => this.#fetched())
    this.#refresher = createRefresher(key, options, source, this.#holdings, context)
    this.#prefetch = createPrefetch(options.prefetch, this.#holdings, () => this.#refreshInBackground(), context)
    this.#unknownKid = createUnknownKidLook(key, options, this.#refresher, context)
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
   * The keys that may have signed a token, at least one. An unknown `kid` is looked for upstream, within its budget.
   *
   * @param alg the token's algorithm; `undefined` for a key of whatever algorithm
   * @param askedAt when the caller began to wait, in milliseconds since the epoch: its deadline counts from here
   * @throws KeyNotFoundError, KeyRevokedError or KeysUnavailableError
   */
  find(
    kid: string | undefined,
    alg: string | undefined,
    askedAt: number = this.#context.clock.now(),
  ): readonly VerificationKey[] | Promise<readonly VerificationKey[]> {
    if (kid !== undefined && this.#tombstones.has(kid)) throw new KeyRevokedError()
    const keySet = this.keySet()
    if (keySet instanceof Promise) return keySet.then((awaited) => this.#findIn(awaited, kid, alg, askedAt))
    return this.#findIn(keySet, kid, alg, askedAt)
  }

  /**
   * After a signature that none of the `tried` keys verifies: what fits now and was not tried, perhaps after a
   * look upstream, for a provider that puts new material under an old `kid`. Often nothing.
   */
  async findOthers(
    kid: string | undefined,
    alg: string,
    tried: readonly VerificationKey[],
    askedAt: number = this.#context.clock.now(),
  ): Promise<readonly VerificationKey[]> {
    const untried = (): readonly VerificationKey[] =>
      this.#selectUsable(kid, alg).filter((key) => tried.every(({ material }) => material !== key.material))
    const look = await this.#unknownKid.look(undefined, () => untried().length > 0, askedAt)
    const others = untried()
    if (look !== undefined && others.length > 0) this.#unknownKid.found(look)
    return others
  }

  /** The imported key; `undefined` for one that Web Crypto refuses. */
  importKey(key: VerificationKey, alg: string): CryptoKey | Promise<CryptoKey | undefined> {
    const imported = this.#context.importer.importKey(key, alg)
    return imported instanceof Promise ? imported.catch(() => this.#holdings.importFailed(key)) : imported
  }

  /** Fetches now, due or not, backoff or not; whoever asks while one of these waits its turn shares it. */
  refresh(): Promise<FetchOutcome> {
    this.#requested ??= this.#refreshWhenFree()
    return this.#requested
  }

  /** Revokes a `kid` and the material that is held under it. */
  async revoke(kid: string): Promise<void> {
    await this.#tombstones.add(kid, this.#holdings.published())
    await this.#holdings.applyTombstones()
    this.#context.events.emit('key-revoked', { ...this.key, kid })
  }

  /** Takes a revocation back. */
  async unrevoke(kid: string): Promise<boolean> {
    if (!this.#tombstones.remove(kid)) return false
    await this.#holdings.applyTombstones()
    this.#context.events.emit('key-unrevoked', { ...this.key, kid })
    return true
  }

  /** What is held, for the status. */
  get holdings(): Holdings {
    return this.#holdings
  }

  /** True while a fetch is under way. */
  get isFetching(): boolean {
    return this.#refresher.current() !== undefined
  }

  /** Drops the keys from memory; the next question fetches them again. */
  evict(): void {
    this.#prefetch.stop()
    this.#holdings.clear()
    this.#context.events.emit('evicted', { ...this.key })
  }

  /** Ends the cache's own doings: no timer is set from here on. */
  retire(): void {
    this.#isRetired = true
    this.#prefetch.stop()
  }

  async #waitForKeySet(): Promise<KeySet> {
    const reason = this.#holdings.active() === undefined ? 'first' : 'due'
    const outcome = await (this.#refresher.current() ?? this.#refresher.start(reason))
    const active = this.#holdings.active()
    if (active !== undefined) {
      const decision = outcome.ok ? 'serve' : decideAfterFailure(this.#holdings.state(), this.#context.clock.now())
      if (decision === 'serve-stale') this.#holdings.servedStale()
      if (decision !== 'refuse') {
        this.#used()
        return active
      }
    }
    throw this.#holdings.unavailable(outcome.ok ? undefined : outcome.error)
  }

  #findIn(keySet: KeySet, kid: string | undefined, alg: string | undefined, askedAt: number) {
    const found = selectKeys(keySet, kid, alg)
    if (found.length > 0) return found
    // A known `kid` for another algorithm: no look upstream makes that fit.
    if (kid !== undefined && keySet.byKid.has(kid)) throw new KeyNotFoundError()
    return this.#lookFor(kid, alg, askedAt)
  }

  async #lookFor(
    kid: string | undefined,
    alg: string | undefined,
    askedAt: number,
  ): Promise<readonly VerificationKey[]> {
    const look = await this.#unknownKid.look(kid, () => this.#selectUsable(kid, alg).length > 0, askedAt)
    const found = this.#selectUsable(kid, alg)
    if (found.length > 0) {
      if (look !== undefined) this.#unknownKid.found(look)
      return found
    }
    if (look !== undefined && kid !== undefined && !this.#holdings.lastAttemptFailed()) this.#unknownKid.notFound(kid)
    throw this.#holdings.lastAttemptFailed() ? this.#holdings.unavailable() : new KeyNotFoundError()
  }

  /** What fits of what is held now: while a look lasted, its stale window may have ended. */
  #selectUsable(kid: string | undefined, alg: string | undefined): readonly VerificationKey[] {
    const active = this.#holdings.active()
    const isUsable = decideAfterFailure(this.#holdings.state(), this.#context.clock.now()) !== 'refuse'
    return active === undefined || !isUsable ? [] : selectKeys(active, kid, alg)
  }

  async #refreshWhenFree(): Promise<FetchOutcome> {
    // Past the caller's tick: whoever asks within it shares this, and the promise is kept before it is let go.
    await Promise.resolve()
    for (let underWay = this.#refresher.current(); underWay !== undefined; underWay = this.#refresher.current()) {
      await underWay
    }
    this.#requested = undefined
    return await this.#refresher.start('requested')
  }

  #refreshInBackground(): void {
    if (this.#refresher.current() !== undefined || this.#context.closed.aborted) return
    void this.#refresher.start(this.#holdings.active() === undefined ? 'first' : 'due')
  }

  #fetched(): void {
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
