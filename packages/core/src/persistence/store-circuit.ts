import { setImmediate } from 'node:timers/promises'
import { type Clock, schedule, settledWithin } from '../base/clock.ts'
import { StoreFailedError } from '../base/errors/jwks-auth-error.ts'
import type { EventBus } from '../base/events.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { RegistryEvents, StoreOperation } from '../jwks-cache/cache-events.ts'
import type { SnapshotSigner } from '../stores/integrity.ts'
import type { SnapshotStore } from '../stores/snapshot-store.ts'

/** How an operation of the store ended. */
export type Attempt<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: StoreFailedError }

/** One operation of the store. */
export interface StoreCall<Value> {
  readonly operation: StoreOperation
  readonly key: ProviderKey
  work(): Promise<Value>
  /** Milliseconds after which the store counts as failing. Default: `storeTimeout`. */
  readonly timeout?: number
  /** Milliseconds for which the result is waited for all the same. Default: `timeout`. */
  readonly patience?: number
  /** Something cheap that shows whether the store does this kind of operation again. Default: the operation itself. */
  probe?(): Promise<unknown>
  /** True for what is tried although the store is failing. */
  readonly isRetry?: boolean
}

/** The parts of a store that can fail alone: one that cannot be written is still read. */
export type StoreSide = 'reading' | 'writing' | 'coordinating'

const SIDES: Readonly<Record<StoreOperation, StoreSide>> = Object.freeze({
  load: 'reading',
  save: 'writing',
  delete: 'writing',
  revoke: 'writing',
  coordinate: 'coordinating',
  subscribe: 'coordinating',
})

/** A registry's store behind a circuit breaker for each side. */
export interface StoreCircuit {
  readonly store: SnapshotStore
  readonly signer: SnapshotSigner
  /** The registry's `storeTimeout`, in milliseconds. */
  readonly timeout: number
  /** True where this operation of this provider would fail at once. */
  isOpen(operation: StoreOperation, key: ProviderKey): boolean
  /** The sides of which something fails at the moment. */
  failingSides(): readonly StoreSide[]
  /** Calls the store. Never rejects; fails at once where the circuit is open. */
  attempt<Value>(call: StoreCall<Value>): Promise<Attempt<Value>>
  /** Calls `retry` when the store may work again, until it resolves with true; once for each owner. */
  retryLater(owner: object, operation: StoreOperation, retry: () => Promise<boolean>): void
  /** Calls back each time when a side works again. */
  onRecovered(listener: (side: StoreSide) => void): void
}

/** Milliseconds for what no request waits for: a save must not count as failed because a disk is busy. */
export const BACKGROUND_TIMEOUT = 5_000

const FIRST_RETRY = 1_000
const LONGEST_RETRY = 5_000

/** Operations that are tried again in one round. */
const RETRIES_PER_ROUND = 32

/** What has failed of one provider's operations. */
interface Failure {
  readonly call: StoreCall<unknown>
  readonly error: StoreFailedError
}

/** One side of the store. */
interface Breaker {
  /** By provider: a file with foreign permissions must not take the others out of use. */
  readonly failures: Map<string, Failure>
  /** Providers that have failed since the last success. Two in a row mean the store and not a provider's part of it. */
  readonly failedInRow: Set<string>
  /** True where every operation fails at once. */
  isOpenForAll: boolean
  /** True where a failure was reported since the last success and the last round of retries. */
  hasReported: boolean
  retries: number
  isScheduled: boolean
}

/** Creates a closed circuit: everything works. */
export function createStoreCircuit(
  { store, signer, timeout }: Pick<StoreCircuit, 'store' | 'signer' | 'timeout'>,
  context: { readonly clock: Clock; readonly events: EventBus<RegistryEvents>; readonly closed: AbortSignal },
): StoreCircuit {
  const { clock, events, closed } = context
  const breakers: Readonly<Record<StoreSide, Breaker>> = {
    reading: createBreaker(),
    writing: createBreaker(),
    coordinating: createBreaker(),
  }
  const owners = new Map<object, { readonly side: StoreSide; readonly retry: () => Promise<boolean> }>()
  const listeners: ((side: StoreSide) => void)[] = []

  function openError(operation: StoreOperation, key: ProviderKey): StoreFailedError | undefined {
    const { failures, isOpenForAll } = breakers[SIDES[operation]]
    const own = failures.get(providerName(key))
    if (own !== undefined) return own.error
    const [first] = failures.values()
    return isOpenForAll ? first?.error : undefined
  }

  function failed(call: StoreCall<unknown>, error: StoreFailedError, isTimeout: boolean): void {
    const { operation, key } = call
    const breaker = breakers[SIDES[operation]]
    const name = providerName(key)
    breaker.failedInRow.add(name)
    if (isTimeout || breaker.failedInRow.size > 1) breaker.isOpenForAll = true
    breaker.failures.set(name, { call, error })
    // A thousand providers must not report one failure a thousand times.
    const isReported = breaker.hasReported
    breaker.hasReported = true
    if (!isReported) events.emit('store-failed', { ...key, operation, error })
    retrySoon(SIDES[operation])
  }

  function succeeded({ operation, key }: StoreCall<unknown>): void {
    const side = SIDES[operation]
    const breaker = breakers[side]
    breaker.failedInRow.clear()
    breaker.hasReported = false
    const wasFailing = breaker.failures.delete(providerName(key)) || breaker.isOpenForAll
    if (!wasFailing) return
    if (breaker.isOpenForAll) breaker.failures.clear()
    breaker.isOpenForAll = false
    events.emit('store-recovered', { ...key, operation })
    for (const listener of listeners) listener(side)
    retryOwnersInBackground(side)
  }

  /** True where something waits to be done again, which may be all that still fails: one record of many, say. */
  function hasOwners(side: StoreSide): boolean {
    return [...owners.values()].some((owner) => owner.side === side)
  }

  function retrySoon(side: StoreSide): void {
    const breaker = breakers[side]
    if (closed.aborted || breaker.isScheduled) return
    if (breaker.failures.size === 0 && !hasOwners(side)) {
      breaker.retries = 0
      return
    }
    breaker.isScheduled = true
    const delay = Math.min(FIRST_RETRY * 2 ** breaker.retries, LONGEST_RETRY)
    breaker.retries += 1
    const cancel = schedule(clock, delay, () => {
      closed.removeEventListener('abort', cancel)
      retryFailures(side)
        .catch(() => undefined)
        .finally(() => {
          breaker.isScheduled = false
          retrySoon(side)
        })
    })
    closed.addEventListener('abort', cancel, { once: true })
  }

  /** Tries what has failed: one operation where the whole store fails, each of them where they fail alone. */
  async function retryFailures(side: StoreSide): Promise<void> {
    const breaker = breakers[side]
    breaker.hasReported = false
    const waiting = [...owners].filter(([, owner]) => owner.side === side)
    if (waiting.length > 0) {
      for (const [owner] of waiting.slice(0, breaker.isOpenForAll ? 1 : RETRIES_PER_ROUND)) {
        if (closed.aborted) return
        await retryOwner(owner)
        if (breaker.isOpenForAll) return
      }
      if (breaker.failures.size === 0) return
    }
    for (const { call } of [...breaker.failures.values()].slice(0, breaker.isOpenForAll ? 1 : RETRIES_PER_ROUND)) {
      if (closed.aborted) return
      const { key, operation, probe = call.work } = call
      if (breaker.failures.has(providerName(key))) {
        await attempt({ operation, key, isRetry: true, work: probe, timeout: call.timeout ?? timeout, probe })
      }
    }
  }

  /** Retries what is not done yet, and puts it at the end of the queue where it fails again. */
  async function retryOwner(owner: object): Promise<void> {
    const entry = owners.get(owner)
    if (entry === undefined) return
    // Removed first, so that a round that runs at the same time does not retry it as well.
    owners.delete(owner)
    if (!(await entry.retry()) && !owners.has(owner)) owners.set(owner, entry)
  }

  /** Does what could not be done while the store failed. Cannot reject: `retry` resolves. */
  function retryOwnersInBackground(side: StoreSide): void {
    const run = async (): Promise<void> => {
      for (const [owner] of [...owners].filter(([, { side: ofSide }]) => ofSide === side)) {
        if (breakers[side].isOpenForAll || closed.aborted) return
        await retryOwner(owner)
      }
    }
    run().catch(() => undefined)
  }

  async function attempt<Value>(call: StoreCall<Value>): Promise<Attempt<Value>> {
    const open = call.isRetry === true ? undefined : openError(call.operation, call.key)
    if (open !== undefined) return { ok: false, error: open }
    const limit = call.timeout ?? timeout
    const working = settle(call)
    let result = await settledWithin(clock, limit, working)
    // In a busy process the timer may fire while the answer waits to be read: it gets one more turn.
    result ??= await Promise.race([working, nextTurn()])
    if (result === undefined) {
      const error = storeError(call, `it took longer than ${limit} ms`)
      failed(call, error, true)
      const rest = (call.patience ?? limit) - limit
      // A late result is used. It is no recovery: the next request would wait as long.
      const late = rest > 0 ? await settledWithin(clock, rest, working) : undefined
      return late?.ok === true ? late : { ok: false, error }
    }
    if (result.ok) succeeded(call)
    else failed(call, result.error, false)
    return result
  }

  return {
    store,
    signer,
    timeout,
    isOpen: (operation, key) => openError(operation, key) !== undefined,
    failingSides: () => (Object.keys(breakers) as StoreSide[]).filter((side) => breakers[side].failures.size > 0),
    attempt,
    retryLater(owner, operation, retry) {
      owners.set(owner, { side: SIDES[operation], retry })
      retrySoon(SIDES[operation])
    },
    onRecovered(listener) {
      listeners.push(listener)
    },
  }
}

/** The error of a failed operation. */
export function storeError(
  { operation, key }: Pick<StoreCall<unknown>, 'operation' | 'key'>,
  reason: string,
  options?: ErrorOptions,
): StoreFailedError {
  return new StoreFailedError(reason, { operation, tenant: key.tenant, provider: key.provider, ...options })
}

function createBreaker(): Breaker {
  return {
    failures: new Map(),
    failedInRow: new Set(),
    isOpenForAll: false,
    hasReported: false,
    retries: 0,
    isScheduled: false,
  }
}

/** A store may be the application's: it may throw where it should reject, or return no promise. */
async function settle<Value>(call: StoreCall<Value>): Promise<Attempt<Value>> {
  try {
    return { ok: true, value: await call.work() }
  } catch (cause) {
    return { ok: false, error: storeError(call, 'it rejected the operation', { cause }) }
  }
}

async function nextTurn(): Promise<undefined> {
  await setImmediate()
  await setImmediate()
}
