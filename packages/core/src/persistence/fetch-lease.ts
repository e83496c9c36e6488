import { randomBytes } from 'node:crypto'
import { type Clock, duration, elapsed, type Instant, instant, schedule, settledWithin } from '../base/clock.ts'
import { FleetFetchFailedError } from '../base/errors/jwks-auth-error.ts'
import { isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { FetchDecision, FetchOutcome, FetchPlan } from '../jwks-cache/cache-backend.ts'
import type { CacheOptions } from '../jwks-cache/cache-options.ts'
import type { RefreshFailure } from '../jwks-cache/policy.ts'
import { plainJson } from '../stores/integrity.ts'
import type { FleetCoordination, LeaseState } from '../stores/snapshot-store.ts'
import { checkedAnswer } from '../stores/snapshot-store.ts'
import type { Attempt, StoreCircuit } from './store-circuit.ts'

/** The provider's snapshot in the store, by which the holder of the lease tells the others what it has fetched. */
export interface LeasedSnapshots {
  /** Loads the stored snapshot and uses it if it is newer. */
  load(): Promise<unknown>
  /** Resolves when nothing remains to be saved. */
  saved(): Promise<unknown>
  /** The generation that was last loaded or saved. */
  generation(): string | undefined
}

/** Milliseconds after which a lease expires that its holder no longer renews. */
const LEASE_TTL = 3_000

/** Milliseconds between two inspections of a lease that another process holds, where no notice comes. */
const LEASE_POLL = 100

/** Milliseconds that no shared backoff exceeds: `Retry-After` is obeyed for ten minutes at most. */
const LONGEST_SHARED_PAUSE = 600_000

/** A permission to fetch without a lease. */
const ALONE: FetchDecision = { kind: 'fetch', isOvertaken: async () => false, end: () => undefined }

/** Lets one process of the fleet fetch one provider's keys for all. */
export interface FetchLease {
  /** Waits for the lease, or for what its holder brings. Never rejects. */
  plan(plan: FetchPlan): Promise<FetchDecision>
  /** Gives the fleet's refetch budget back, after the last refetch has found what it was for. */
  returnRefetch(): void
  /** Another process has saved a snapshot or shared a failure. */
  noticed(): void
}

/** Creates the lease of one provider. */
export function createFetchLease(
  key: ProviderKey,
  { unknownKidCooldown }: Pick<CacheOptions, 'unknownKidCooldown'>,
  snapshots: LeasedSnapshots,
  circuit: StoreCircuit,
  { clock, closed }: { readonly clock: Clock; readonly closed: AbortSignal },
): FetchLease {
  const { coordination } = circuit.store
  const waiting = new Set<() => void>()
  /** The reservation of the last refetch. */
  let refetchId: string | undefined
  /** The last failure that this process has shared or taken over. */
  let seenFailure: string | undefined

  async function coordinate<Value>(work: () => Promise<Value>): Promise<Attempt<Value>> {
    const probe = async (): Promise<unknown> => await coordination?.acquire(key, randomBytes(16).toString('hex'), 1)
    return await circuit.attempt({ operation: 'coordinate', key, work, probe })
  }

  /** Does something whose failure the circuit reports; cannot reject. */
  function coordinateInBackground(work: () => Promise<unknown>): void {
    coordinate(work).catch(() => undefined)
  }

  /** Resolves on a notice, at the latest after {@link LEASE_POLL} milliseconds. */
  async function waitForNotice(): Promise<void> {
    let wake = (): void => undefined
    const woken = new Promise<true>((resolve) => {
      wake = () => resolve(true)
    })
    waiting.add(wake)
    await settledWithin(clock, LEASE_POLL, woken)
    waiting.delete(wake)
  }

  /** For a store that cannot tell whether it has anything new. */
  async function loadFirst({ reason, isSatisfied }: FetchPlan): Promise<FetchDecision> {
    if (reason === 'requested' || circuit.isOpen('load', key)) return ALONE
    await settledWithin(clock, circuit.timeout, snapshots.load())
    return isSatisfied() ? { kind: 'unchanged' } : ALONE
  }

  async function takeLease(plan: FetchPlan, fleet: FleetCoordination): Promise<FetchDecision> {
    const { reason, isSatisfied, startedAt, deadline } = plan
    const leaseId = randomBytes(16).toString('hex')
    const release = (): void => coordinateInBackground(async () => await fleet.release(key, leaseId))
    // What was loaded and evicted from memory since has the generation that is known.
    let mayBeUnread = reason === 'first'
    const acquire = async (): Promise<LeaseState> => {
      const state = checkedState('acquire', await fleet.acquire(key, leaseId, LEASE_TTL))
      if (state.holder === 'none') throw new TypeError("acquire() must return the holder 'own' or 'other'")
      return state
    }
    let ask = acquire
    for (;;) {
      const attempt = await coordinate(ask)
      if (!attempt.ok) {
        // A late acquisition may have succeeded all the same: release it.
        release()
        return ALONE
      }
      const { holder, generation, failure } = attempt.value
      const isKnown = generation === snapshots.generation() && !mayBeUnread
      mayBeUnread = false
      if (generation !== undefined && !isKnown) await settledWithin(clock, circuit.timeout, snapshots.load())
      const shared = isSatisfied() || reason === 'unknown-kid' ? undefined : readFailure(failure)
      if (isSatisfied() || shared !== undefined) {
        if (holder === 'own') release()
        return shared ?? { kind: 'unchanged' }
      }
      if (holder === 'own') {
        if (reason !== 'unknown-kid' || (await reserveRefetch(fleet, leaseId))) return hold(leaseId, fleet)
        release()
        return { kind: 'unchanged' }
      }
      const isLate = duration(startedAt, instant(clock)) >= deadline
      if (isLate || closed.aborted) return ALONE
      if (holder === 'none') ask = acquire
      else {
        ask = async () => checkedState('inspect', await fleet.inspect(key))
        await waitForNotice()
      }
    }
  }

  async function reserveRefetch(fleet: FleetCoordination, id: string): Promise<boolean> {
    const attempt = await coordinate(async () =>
      checkedAnswer('reserveRefetch', await fleet.reserveRefetch(key, id, unknownKidCooldown)),
    )
    if (attempt.ok && attempt.value) refetchId = id
    return !attempt.ok || attempt.value
  }

  /** Reads a failure that another process has shared; `undefined` where there is none, or it was seen before. */
  function readFailure(value: unknown): FetchDecision | undefined {
    const verified = circuit.signer.verify(plainJson(value))
    if (!verified.ok || !isObject(verified.payload) || verified.payload['kind'] !== 'failure') return undefined
    const { id, tenant, provider, count, pause, failedAt, isOutage } = verified.payload
    if (tenant !== key.tenant || provider !== key.provider || typeof id !== 'string' || id === seenFailure) {
      return undefined
    }
    if (!isCount(count) || !isCount(pause) || typeof failedAt !== 'number') return undefined
    seenFailure = id
    // The clocks of two machines differ: what was shared in the future was shared now.
    const passed = Math.max(0, clock.now() - failedAt)
    const left = Math.min(pause, LONGEST_SHARED_PAUSE) - passed
    if (left <= 0) return undefined
    return { kind: 'failed', error: new FleetFetchFailedError(isOutage === true), count, pause: left }
  }

  async function shareFailure(fleet: FleetCoordination, leaseId: string, failure: RefreshFailure): Promise<void> {
    if (fleet.shareFailure === undefined) return
    const { count, isOutage } = failure
    const pause = Math.ceil(Math.min(failure.pause, LONGEST_SHARED_PAUSE))
    if (pause <= 0) return
    const { tenant, provider } = key
    const payload = { kind: 'failure', id: leaseId, tenant, provider, count, pause, failedAt: clock.now(), isOutage }
    seenFailure = leaseId
    await fleet.shareFailure(key, leaseId, circuit.signer.sign(payload, null), pause)
  }

  function hold(leaseId: string, fleet: FleetCoordination): FetchDecision {
    const generation = snapshots.generation()
    let renewedAt: Instant = instant(clock)
    let isLost = false
    let cancel = (): void => undefined

    /** Never rejects. */
    async function renew(): Promise<void> {
      const startedAt = instant(clock)
      const attempt = await coordinate(async () => checkedAnswer('renew', await fleet.renew(key, leaseId, LEASE_TTL)))
      if (!attempt.ok) return
      isLost ||= !attempt.value
      renewedAt = startedAt
    }

    function renewInBackground(): void {
      cancel = schedule(clock, LEASE_TTL / 3, () => {
        renew().catch(() => undefined)
        if (!isLost && !closed.aborted) renewInBackground()
      })
    }

    async function release(outcome: FetchOutcome, failure: RefreshFailure | undefined): Promise<void> {
      if (!outcome.ok && failure !== undefined) {
        await coordinate(async () => await shareFailure(fleet, leaseId, failure))
      }
      await snapshots.saved()
      await coordinate(async () => await fleet.release(key, leaseId))
    }

    renewInBackground()
    return {
      kind: 'fetch',
      async isOvertaken() {
        if (!isLost && elapsed(renewedAt, instant(clock)) >= LEASE_TTL) await renew()
        if (!isLost) return false
        await snapshots.load()
        return snapshots.generation() !== generation
      },
      end(outcome, failure) {
        cancel()
        if (!isLost) release(outcome, failure).catch(() => undefined)
      },
    }
  }

  return {
    async plan(plan) {
      if (coordination === undefined) return await loadFirst(plan)
      if (plan.reason === 'requested' || circuit.isOpen('coordinate', key)) return ALONE
      return await takeLease(plan, coordination)
    },
    returnRefetch() {
      const id = refetchId
      if (coordination === undefined || id === undefined) return
      refetchId = undefined
      coordinateInBackground(async () => await coordination.returnRefetch(key, id))
    },
    noticed() {
      for (const wake of waiting) wake()
    },
  }
}

/** A store may return anything: a value that is no lease state is a failure of the store. */
function checkedState(method: string, value: unknown): LeaseState {
  const { holder, generation, failure } = isObject(value) ? value : {}
  if (holder !== 'own' && holder !== 'other' && holder !== 'none') {
    throw new TypeError(`${method}() must return a lease state`)
  }
  return { holder, generation: typeof generation === 'string' ? generation : undefined, failure }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
