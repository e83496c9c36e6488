import type { LRUCache } from 'lru-cache'
import { duration, elapsed, type Instant, instant, keepAlive } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { RegistryClosedError } from '../base/errors/jwks-auth-error.ts'
import { KeyNotFoundError, KeyRevokedError, KeysUnavailableError } from '../base/errors/request-errors.ts'
import { KeySetMalformedError } from '../base/errors/upstream-errors.ts'
import { type Operation, resolveOperation, traced } from '../base/events.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { isThenable } from '../base/steps.ts'
import { storedPolicy } from '../http/freshness.ts'
import { createKeySet, type KeySet, selectKeys } from '../jwks/key-set.ts'
import type { ImportedKey, KeyImporter, VerificationKey } from '../jwks/verification-key.ts'
import type { CacheBackend, FetchOutcome, FetchPlan } from './cache-backend.ts'
import type { CacheEvent, FetchReason } from './cache-events.ts'
import type { CacheOptions } from './cache-options.ts'
import {
  type CachedKeys,
  type CacheState,
  cachedKeys,
  createMetrics,
  EMPTY,
  evicted,
  type Failure,
  failed,
  fetched,
  forgotten,
  loaded,
  type Metrics,
  revoked,
  type TransitionContext,
} from './cache-state.ts'
import { NOTHING_REFUSED } from './key-set-response.ts'
import {
  type Availability,
  backoffLeft,
  createAvailability,
  createRefreshAhead,
  decide,
  decideAfterFailure,
  lifetimesOf,
  type PolicyState,
  type RefreshAhead,
  UNLIMITED,
} from './policy.ts'
import { negativeTtl, refreshBackoff } from './retry.ts'
import {
  createUnknownKidSearch,
  type FoundKeys,
  type KeyQuery,
  type KeysOrRefusal,
  type SearchedCache,
  type UnknownKidSearch,
} from './unknown-kid.ts'
import type { FetchResult, Upstream, UpstreamContext } from './upstream.ts'
import type { Revocations } from './usable-keys.ts'

/** What the caches of one registry share. */
export interface CacheContext extends UpstreamContext {
  readonly importer: KeyImporter
  /** The caches that have keys: the least recently used one is evicted where there are too many. */
  readonly inMemory: LRUCache<ProviderCache, true>
}

/** Whether a request asks for keys for the first time, or once more after it has waited: it counts once. */
export type Asks = 'first' | 'again'

/** One provider's keys: serves them, keeps them fresh, and refetches for those that are not cached. */
export class ProviderCache {
  readonly key: ProviderKey
  readonly metrics: Metrics = createMetrics()
  readonly #options: CacheOptions
  readonly #upstream: Upstream
  readonly #revocations: Revocations
  readonly #context: CacheContext
  readonly #backend: CacheBackend | undefined
  readonly #refreshAhead: RefreshAhead
  readonly #availability: Availability
  readonly #unknownKid: UnknownKidSearch
  readonly #brokenKeys = new WeakSet<VerificationKey>()
  readonly #listeners = new Set<() => void>()
  #state: CacheState = EMPTY
  #lifecycle: 'active' | 'retired' | 'deleted' = 'active'
  #flight: { readonly reason: FetchReason; readonly done: Promise<FetchOutcome> } | undefined
  #requested: Promise<FetchOutcome> | undefined
  #seenResult = 0
  #isEvicting = false
  /** Forgotten immutable keys, with the number of the last request that was sent before. */
  readonly #forgotten = new Map<string, number>()
  #reportedStale: CacheState['failure']

  constructor(
    key: ProviderKey,
    options: CacheOptions,
    upstream: Upstream,
    revocations: Revocations,
    context: CacheContext,
    connect?: (cache: ProviderCache) => CacheBackend,
  ) {
    this.key = key
    this.#options = options
    this.#upstream = upstream
    this.#revocations = revocations
    this.#context = context
    this.#backend = connect?.(this)
    const searched: SearchedCache = {
      key,
      isInline: () => this.#state.cached?.source === 'inline',
      fetchedAt: () => this.#state.cached?.fetchedAt,
      usable: () => this.#usableNow(),
      flight: () => this.#flight && { isRefetch: this.#flight.reason === 'unknown-kid', done: this.#flight.done },
      hasNews: () => upstream.newsSince(this.#seenResult) !== undefined,
      takeNews: () => this.#takeNews(),
      refetch: (isSatisfied, timeLeft) => this.#refetch(isSatisfied, timeLeft),
      isRevoked: (kid) => this.#isRevoked(kid),
      unavailable: () => (this.#state.lastError === undefined ? undefined : this.#unavailable()),
    }
    this.#unknownKid = createUnknownKidSearch(searched, upstream, options, context)
    this.#refreshAhead = createRefreshAhead(
      options.prefetch,
      {
        untilRefresh: () => this.untilRefresh(),
        hasKeys: () => cachedKeys(this.#state) !== undefined,
        refresh: () => this.#refreshInBackground(),
      },
      context.clock,
    )
    this.#availability = createAvailability(
      { state: () => this.#policyState(), report: (change) => this.#emit([[change, {}]]) },
      context.clock,
    )
  }

  /** Everything that is cached, for the status and the store. */
  get state(): CacheState {
    return this.#state
  }

  /** `'retired'`: the registry has closed; `'deleted'`: the provider was unregistered. */
  get lifecycle(): 'active' | 'retired' | 'deleted' {
    return this.#lifecycle
  }

  /** True while a fetch is in flight. */
  get isFetching(): boolean {
    return this.#flight !== undefined
  }

  /** Milliseconds until the next refresh may start: when it is due, or when the backoff is over. */
  untilRefresh(): number | undefined {
    const now = instant(this.#context.clock)
    const { failure } = this.#state
    const cached = cachedKeys(this.#state)
    if (cached === undefined) return failure === undefined ? undefined : backoffLeft(failure, now)
    return Math.max(cached.lifetimes.refreshAfter - elapsed(cached.fetchedAt, now), backoffLeft(failure, now))
  }

  /** Uses keys that were configured instead of fetched. They never expire. */
  useInline(keySet: KeySet): void {
    const fetchedAt = instant(this.#context.clock)
    const policy = storedPolicy('', {}, fetchedAt.wall)
    const cached: CachedKeys = {
      published: keySet,
      policy,
      fetchedAt,
      lifetimes: UNLIMITED,
      source: 'inline',
      requestNumber: 0,
      immutable: undefined,
    }
    this.#setState(revoked({ ...this.#state, cached }, { revocations: this.#revocations }))
  }

  /** Starts what does not wait for a first use: the fetches of `prefetch: 'always'`. */
  start(): void {
    if (this.#options.prefetch === 'always') this.#refreshInBackground()
  }

  /** The keys that may be used now, or why there are none; a promise only where something has to be waited for. */
  keySet(): KeySet | JwksAuthError | Promise<KeySet | JwksAuthError> {
    return this.#serve((keySet) => keySet, 'first')
  }

  /**
   * True where this very key may be used and nothing is to be waited for or refreshed; counts as a cache hit. Where it is
   * false, nothing is counted: call {@link findKeys}.
   */
  hasCurrentKey(key: VerificationKey, now: Instant, asks: Asks = 'first'): boolean {
    const { cached, usable } = this.#state
    if (cached === undefined || this.#lifecycle !== 'active') return false
    if (elapsed(cached.fetchedAt, now) >= cached.lifetimes.refreshAfter || !usable.members.has(key)) return false
    if (asks === 'first') this.#countHit()
    this.#used()
    return true
  }

  /**
   * Finds the keys that may have signed a token, at least one. An unknown `kid` causes a refetch, within its budget.
   *
   * @param alg the token's algorithm; `undefined` for any
   * @param askedAt when the request began to wait: its deadline counts from here
   */
  findKeys(kid: string | undefined, alg: string | undefined, askedAt: Instant, asks: Asks = 'first'): FoundKeys {
    if (this.#isRevoked(kid)) return this.#missed(new KeyRevokedError(), asks)
    const sentBefore = this.#upstream.requestNumber
    const wasEmpty = cachedKeys(this.#state) === undefined
    const query: KeyQuery = {
      kid,
      askedAt,
      select: (usable) => selectKeys(usable, kid, alg),
      isAnswered: () => {
        const { cached } = this.#state
        if (cached === undefined || cached.requestNumber <= sentBefore) return false
        // A refresh may come from a cache on the way that does not have a new key yet.
        return wasEmpty || cached.requestNumber === this.#upstream.lastUnconditional
      },
    }
    return this.#serve((keySet) => this.#findIn(keySet, query), asks)
  }

  /**
   * Finds the keys that fit now and were not `tried`, after a signature that none of those verifies; perhaps after a
   * refetch, since a provider may publish new material under an old `kid`. Often none.
   */
  async findOtherKeys(
    kid: string | undefined,
    alg: string,
    tried: readonly VerificationKey[],
    askedAt: Instant,
  ): Promise<KeysOrRefusal> {
    const select = (usable: KeySet): readonly VerificationKey[] =>
      selectKeys(usable, kid, alg).filter((key) => tried.every(({ material }) => material !== key.material))
    const untried = select(this.#usableNow())
    // Immutable keys have no other material under their `kid`, whatever is published now.
    if (untried.length > 0 || (this.#options.keyLifetime === 'immutable' && kid !== undefined)) return untried
    const found = await this.#unknownKid.find({
      kid: undefined,
      askedAt,
      select,
      isAnswered: () => {
        const { cached } = this.#state
        return cached !== undefined && cached.fetchedAt.monotonic > askedAt.monotonic
      },
    })
    return found instanceof KeyNotFoundError ? [] : found
  }

  /** A signature has verified with this key: if a refetch brought it, that gives its budget back. */
  signatureVerified(key: VerificationKey): void {
    if (this.#upstream.budget.signatureVerified(key, instant(this.#context.clock))) this.#backend?.returnRefetch()
  }

  /** The imported key; `undefined` for one that `node:crypto` refuses, which is reported once. */
  importKey(key: VerificationKey, alg: string): ImportedKey | undefined {
    const imported = this.#context.importer.importKey(key, alg)
    if (imported === undefined && !this.#brokenKeys.has(key)) {
      this.#brokenKeys.add(key)
      this.#emit([['keys-refused', { count: 1, refused: [{ kid: key.kid, reason: 'import-failed' }] }]])
    }
    return imported
  }

  /** Fetches now, due or not, backoff or not. Calls are shared while one of these waits for a fetch in flight to end. */
  refresh(): Promise<FetchOutcome> {
    this.#requested ??= keepAlive(this.#context.runDetached(() => this.#refreshWhenFree()))
    return this.#requested
  }

  /** Takes over what the store had; false where that brings nothing new. */
  load(snapshot: Parameters<typeof loaded>[1]): boolean {
    this.#complete(snapshot.published)
    const transition = loaded(this.#state, snapshot, this.#transitionContext())
    if (transition === undefined) return false
    this.#setState(transition.state)
    this.#fetchEnded()
    this.#emit(transition.events)
    this.#availability.check()
    return true
  }

  /** Drops an immutable key; false where it is not cached. */
  forget(kid: string): boolean {
    const transition = forgotten(this.#state, kid, this.#transitionContext())
    if (transition === undefined) return false
    this.#setState(transition.state)
    this.#forgotten.set(kid, this.#upstream.requestNumber)
    this.#backend?.changed()
    this.#emit(transition.events)
    return true
  }

  /** Revocations of this provider have changed. */
  revocationsChanged(): void {
    this.#setState(revoked(this.#state, { revocations: this.#revocations }))
  }

  /** Drops the keys from memory, once they are saved; the next request loads or fetches them again. */
  evict(): void {
    this.#refreshAhead.stop()
    this.#isEvicting = true
    const drop = (): void => {
      // It was used again while its keys were saved.
      if (!this.#isEvicting) return
      this.#isEvicting = false
      this.#availability.stop()
      this.#upstream.release(this)
      const { state, events } = evicted(this.#state)
      this.#setState(state)
      this.#emit(events)
    }
    const saving = this.#backend?.pendingSave()
    if (saving === undefined) drop()
    else saving.then(drop, drop)
  }

  /** Stops background work; no timer is started afterwards. */
  retire(lifecycle: 'retired' | 'deleted'): void {
    this.#lifecycle = lifecycle
    this.#refreshAhead.stop()
    this.#availability.stop()
    this.#upstream.release(this)
    this.#notify()
  }

  /** Calls back when the usable keys may have changed, and when the cache is retired; the returned function stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /**
   * Whether a key that has verified a token may still verify others, however old the cached keys are. Keys that were
   * dropped from memory count as current. Does not count as a use.
   */
  standingOf(key: VerificationKey): 'current' | 'revoked' | 'withdrawn' {
    const { cached, usable } = this.#state
    if (this.#isRevoked(key.kid)) return 'revoked'
    if (cached === undefined || usable.byIdentity.has(key.identity)) return 'current'
    return cached.published.byIdentity.has(key.identity) ? 'revoked' : 'withdrawn'
  }

  /** Counts as a use, and starts a refresh that is due, for connections whose token was verified with these keys. */
  keepCurrent(): void {
    const decision = decide(this.#policyState(), instant(this.#context.clock))
    if (decision === 'wait' || decision.endsWith('-and-refresh')) this.#refreshInBackground()
    this.#used()
  }

  /** Answers a request by the policy, and counts it once: as a hit where cached keys serve it, otherwise as a miss. */
  #serve<Found>(
    find: (keySet: KeySet) => Found | JwksAuthError | Promise<Found | JwksAuthError>,
    asks: Asks,
  ): Found | JwksAuthError | Promise<Found | JwksAuthError> {
    if (this.#context.closed.aborted) return this.#missed(new RegistryClosedError(), asks)
    const decision = decide(this.#policyState(), instant(this.#context.clock))
    if (decision === 'refuse') {
      this.#availability.check()
      return this.#missed(this.#unavailable(), asks)
    }
    if (decision === 'wait') return this.#waitAndFind(find, asks)
    if (decision === 'serve-and-refresh' || decision === 'serve-stale-and-refresh') this.#refreshInBackground()
    this.#used()
    const found = find(this.#state.usable)
    if (isThenable(found)) return found.then((awaited) => this.#missed(awaited, asks))
    if (found instanceof Error) return this.#missed(found, asks)
    if (asks === 'first') this.#countHit()
    if (decision === 'serve-stale' || decision === 'serve-stale-and-refresh') this.#servedStale(asks)
    return found
  }

  async #waitAndFind<Found>(
    find: (keySet: KeySet) => Found | JwksAuthError | Promise<Found | JwksAuthError>,
    asks: Asks,
  ): Promise<Found | JwksAuthError> {
    const served = await traced(this.#context.instrumentation, resolveOperation(this.key), () => this.#waitForKeySet())
    if (served instanceof Error) return this.#missed(served, asks)
    const found = find(served.keySet)
    // Cached keys have served it although it had to wait: a refresh was tried first.
    const isStaleHit = served.isStale && !isThenable(found) && !(found instanceof Error)
    if (!isStaleHit) return this.#missed(await found, asks)
    if (asks === 'first') this.#countHit()
    this.#servedStale(asks)
    return found
  }

  async #waitForKeySet(): Promise<{ readonly keySet: KeySet; readonly isStale: boolean } | JwksAuthError> {
    const reason = cachedKeys(this.#state) === undefined ? 'first' : 'due'
    const flight = this.#flight?.done ?? this.#start(reason, () => this.#isFresh())
    this.#context.instrumentation.tracer?.waitsFor(flight)
    const outcome = await keepAlive(this.#orLoaded(flight))
    const failure = outcome?.ok === false ? outcome : undefined
    const state = this.#policyState()
    if (state.cached === undefined) return this.#unavailable(failure?.error)
    const decision = failure === undefined ? 'serve' : decideAfterFailure(state, instant(this.#context.clock))
    if (decision === 'refuse') return this.#unavailable(failure?.error)
    this.#used()
    return { keySet: this.#state.usable, isStale: decision === 'serve-stale' }
  }

  /** The flight's outcome, unless a slow store has brought fresh keys before. */
  async #orLoaded(flight: Promise<FetchOutcome>): Promise<FetchOutcome | undefined> {
    const loading = this.#backend?.pendingLoad()
    if (loading === undefined) return await flight
    return await Promise.race([flight, loading.then(() => (this.#isFresh() ? undefined : flight))])
  }

  #findIn(keySet: KeySet, query: KeyQuery): FoundKeys {
    const found = query.select(keySet)
    if (found.length > 0) return found
    // While the store was read, it may have brought a revocation.
    if (this.#isRevoked(query.kid)) return new KeyRevokedError()
    // A known `kid` for another algorithm: no refetch makes that fit.
    if (query.kid !== undefined && keySet.byKid.has(query.kid)) return new KeyNotFoundError()
    return this.#unknownKid.find(query)
  }

  /** Another cache of this key set has fetched it since. */
  #takeNews(): void {
    const news = this.#upstream.newsSince(this.#seenResult)
    if (news !== undefined) this.#apply(news, 'unknown-kid', instant(this.#context.clock))
  }

  #refetch(isSatisfied: () => boolean, timeLeft: number): Promise<FetchOutcome> {
    this.#emit([['unknown-kid', {}]])
    const refetch = this.#start('unknown-kid', isSatisfied, timeLeft)
    // Until the store permits it, other caches of this key set must find it, since its budget is spent.
    this.#upstream.announceRefetch(refetch)
    return refetch
  }

  #start(reason: FetchReason, isSatisfied: () => boolean, deadline?: number): Promise<FetchOutcome> {
    const plan: FetchPlan = {
      reason,
      startedAt: instant(this.#context.clock),
      deadline: Math.min(deadline ?? Number.POSITIVE_INFINITY, this.#options.retryPolicy.deadline),
      isSatisfied,
    }
    const operation: Operation<FetchOutcome> = {
      name: 'refresh',
      ...this.key,
      reason,
      outcomeOf: (outcome) => (outcome.ok ? {} : { code: outcome.error.code, isFault: true }),
    }
    const { runDetached, instrumentation } = this.#context
    const done = runDetached(() => traced(instrumentation, operation, () => this.#fetch(plan)))
    this.#flight = { reason, done }
    return done
  }

  /** Fetches once the store permits it, and applies the result. Never rejects. */
  async #fetch(plan: FetchPlan): Promise<FetchOutcome> {
    const { reason, startedAt } = plan
    try {
      const decision = await this.#backend?.plan(plan)
      if (decision?.kind === 'unchanged') return this.#unchanged()
      if (decision?.kind === 'failed') {
        const { error, count, pause } = decision
        return this.#fail({ ...this.#failure(error, reason), shared: { count, pause } }, reason, startedAt)
      }
      const result = await this.#upstream.fetch({
        provider: this.key,
        reason,
        known: this.#knownKeySet(),
        relocate: this.#state.lastError !== undefined,
        deadline: plan.deadline - this.#since(startedAt),
        accepts: (candidate) => this.#accepts(candidate, reason),
      })
      const isOvertaken = result.ok && (await decision?.isOvertaken()) === true
      const outcome = isOvertaken ? this.#unchanged() : this.#apply(result, reason, startedAt)
      decision?.end(outcome, this.#state.failure)
      return outcome
    } finally {
      this.#flight = undefined
    }
  }

  #unchanged(): FetchOutcome {
    return { ok: true, modified: false, keySet: this.#state.usable, added: [], removed: [], changed: [] }
  }

  #knownKeySet() {
    const cached = cachedKeys(this.#state)
    return cached === undefined ? undefined : { keySet: cached.published, policy: cached.policy }
  }

  /** Whether a result that another cache of this key set has brought serves as well as a request of our own. */
  #accepts(result: FetchResult, reason: FetchReason): boolean {
    if (result.sequence <= this.#seenResult || reason === 'requested' || reason === 'unknown-kid') return false
    const age = elapsed(result.endedAt, instant(this.#context.clock))
    if (result.ok) return age < lifetimesOf(result.policy, this.#options, 0).refreshAfter
    if (result.reason === 'unknown-kid') return false
    const count = (this.#state.failure?.count ?? 0) + 1
    const backoff =
      cachedKeys(this.#state) === undefined
        ? negativeTtl(this.#options.negativeCacheTtl, count)
        : refreshBackoff(count, () => 0)
    return age < backoff
  }

  #apply(result: FetchResult, reason: FetchReason, startedAt: Instant): FetchOutcome {
    this.#seenResult = result.sequence
    const failure = { refused: result.refused, compromised: result.compromised, failedAt: result.endedAt }
    if (!result.ok) return this.#fail({ ...this.#failure(result.error, reason), ...failure }, reason, startedAt)
    if (this.#options.keyLifetime === 'immutable' && result.keySet.byKid.size === 0) {
      const error = new KeySetMalformedError('none of its keys has a kid')
      return this.#fail({ ...this.#failure(error, reason), ...failure }, reason, startedAt)
    }
    this.#complete(result.keySet)
    const before = this.#state.cached
    const { state, events, changes } = fetched(
      this.#state,
      { ...result, keySet: this.#withoutForgotten(result), fetchedAt: result.endedAt },
      this.#transitionContext(),
    )
    this.#setState(state)
    this.metrics.refreshes += 1
    this.#fetchEnded()
    this.#backend?.changed()
    const hasNews = this.#options.keyLifetime === 'immutable' && changes.added.length + changes.changed.length > 0
    const modified = result.modified && (hasNews || !isSameSet(before?.published, state.cached?.published))
    this.#emit([...events, ['refresh', { reason, modified, duration: this.#since(startedAt) }]])
    this.#availability.check()
    return { ok: true, modified, keySet: state.usable, ...changes }
  }

  /** An immutable key that was forgotten after the request was sent does not come back by its response. */
  #withoutForgotten({ keySet, requestNumber }: { readonly keySet: KeySet; readonly requestNumber: number }): KeySet {
    for (const [kid, sentBefore] of this.#forgotten) if (sentBefore < requestNumber) this.#forgotten.delete(kid)
    if (this.#forgotten.size === 0) return keySet
    return createKeySet(keySet.keys.filter(({ kid }) => kid === undefined || !this.#forgotten.has(kid)))
  }

  #failure(error: JwksAuthError, reason: FetchReason): Failure {
    const failedAt = instant(this.#context.clock)
    return { error, failedAt, backsOff: reason !== 'unknown-kid', ...NOTHING_REFUSED }
  }

  #fail(failure: Failure, reason: FetchReason, startedAt: Instant): FetchOutcome {
    const before = this.#state.cached
    const { state, events } = failed(this.#state, failure, this.#transitionContext())
    this.#setState(state)
    this.metrics.refreshes += 1
    this.metrics.refreshErrors += 1
    this.#fetchEnded()
    if (state.cached?.published !== before?.published) this.#backend?.changed()
    const { error } = failure
    this.#emit([...events, ['refresh-failed', { reason, duration: this.#since(startedAt), error }]])
    this.#availability.check()
    return { ok: false, error }
  }

  /** Revocations made while the `kid` was not cached learn the thumbprints of its keys. */
  #complete(published: KeySet): void {
    const completed = this.#revocations.complete(published)
    if (completed.length > 0) this.#backend?.completed(completed)
  }

  #isRevoked(kid: string | undefined): boolean {
    return kid !== undefined && this.#revocations.has(kid)
  }

  #policyState(): PolicyState {
    return { cached: cachedKeys(this.#state), failure: this.#state.failure }
  }

  /** The keys that may be used now: while a refetch lasted, their stale window may have ended. */
  #usableNow(): KeySet {
    const decision = decideAfterFailure(this.#policyState(), instant(this.#context.clock))
    return decision === 'refuse' ? EMPTY.usable : this.#state.usable
  }

  #isFresh(): boolean {
    const cached = cachedKeys(this.#state)
    if (cached === undefined) return false
    return elapsed(cached.fetchedAt, instant(this.#context.clock)) < cached.lifetimes.refreshAfter
  }

  async #refreshWhenFree(): Promise<FetchOutcome> {
    // Past the caller's tick: calls within it share this.
    await Promise.resolve()
    while (this.#flight !== undefined) await this.#flight.done
    this.#requested = undefined
    if (this.#context.closed.aborted) return { ok: false, error: new RegistryClosedError() }
    if (this.#state.cached?.source === 'inline') return this.#unchanged()
    return await this.#start('requested', () => false)
  }

  /** Starts a fetch in the background; it cannot reject. */
  #refreshInBackground(): void {
    if (this.#flight !== undefined || this.#context.closed.aborted || this.#lifecycle !== 'active') return
    const reason = cachedKeys(this.#state) === undefined ? 'first' : 'due'
    this.#start(reason, () => this.#isFresh()).catch(() => undefined)
  }

  #setState(state: CacheState): void {
    const before = this.#state.usable
    this.#state = state
    if (state.usable !== before) this.#notify()
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }

  #missed<Result>(result: Result, asks: Asks): Result {
    if (asks === 'again') return result
    this.metrics.requests += 1
    this.metrics.misses += 1
    return result
  }

  #countHit(): void {
    this.metrics.requests += 1
    this.metrics.hits += 1
  }

  #unavailable(cause: JwksAuthError | undefined = this.#state.lastError): KeysUnavailableError {
    const wait = backoffLeft(this.#state.failure, instant(this.#context.clock))
    return new KeysUnavailableError({ retryAfter: Math.max(wait, SHORTEST_RETRY_AFTER), cause })
  }

  #servedStale(asks: Asks): void {
    if (asks === 'first') this.metrics.stale += 1
    if (this.#reportedStale === this.#state.failure) return
    this.#reportedStale = this.#state.failure
    this.#emit([['stale', {}]])
  }

  /** A fetch has ended, or keys came from the store: there may be another time to refresh at. */
  #fetchEnded(): void {
    if (this.#lifecycle !== 'active' || this.#context.closed.aborted) return
    this.#refreshAhead.fetched()
    if (cachedKeys(this.#state) === undefined) return
    this.#upstream.use(this)
    this.#touch()
  }

  #used(): void {
    // A wall clock that was ahead has been put right.
    if (this.#availability.isUnavailable) this.#availability.check()
    if (this.#lifecycle !== 'active' || this.#state.cached?.source === 'inline') return
    this.#refreshAhead.used()
    this.#touch()
  }

  #touch(): void {
    this.#isEvicting = false
    const { inMemory } = this.#context
    if (inMemory.get(this) === undefined) inMemory.set(this, true)
  }

  #since(startedAt: Instant): number {
    return duration(startedAt, instant(this.#context.clock))
  }

  #transitionContext(): TransitionContext {
    const { clock, random } = this.#context
    return { options: this.#options, now: instant(clock), random, revocations: this.#revocations }
  }

  #emit(events: readonly CacheEvent[]): void {
    const { events: bus } = this.#context
    for (const [type, details] of events) if (bus.hasListeners(type)) bus.emit(type, { ...this.key, ...details })
  }
}

/** True for sets of the very same keys: what is published unchanged keeps its identity. */
function isSameSet(one: KeySet | undefined, other: KeySet | undefined): boolean {
  if (one === undefined || other === undefined) return false
  return one.keys.length === other.keys.length && other.keys.every((key) => one.members.has(key))
}

/** Milliseconds in `Retry-After` where no backoff decides. */
const SHORTEST_RETRY_AFTER = 1_000
