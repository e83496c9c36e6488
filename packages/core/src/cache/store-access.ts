import { setImmediate } from 'node:timers/promises'
import { type Clock, schedule, settledWithin } from '../base/clock.ts'
import { StoreFailedError } from '../base/errors/store-errors.ts'
import type { EventBus } from '../base/events.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { Seal } from '../stores/integrity.ts'
import type { SnapshotStore } from '../stores/snapshot-store.ts'
import type { RegistryEvents, StoreOperation } from './cache-events.ts'

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
  /** Something cheap that shows whether the store does this kind of thing again. Default: loading what is under `key`. */
  probe?(): Promise<unknown>
  /** True for what is tried although the store is failing. */
  readonly isRetry?: boolean
}

/** A registry's store, with what is known of its health. */
export interface StoreAccess {
  readonly store: SnapshotStore
  readonly seal: Seal
  /** The registry's `storeTimeout`, in milliseconds. */
  readonly timeout: number
  /** True between a failure and the next success: nobody waits for the store then. */
  isFailing(): boolean
  /** Never rejects. While the store is failing, it fails at once. */
  attempt<Value>(call: StoreCall<Value>): Promise<Attempt<Value>>
  /** Does the work again when the store may have returned, until `retry` says that it is done; once for each `owner`. */
  retryLater(owner: object, retry: () => Promise<boolean>): void
  /** Calls back each time when the store has returned. */
  onRecovered(listener: () => void): void
}

/** Milliseconds for what nobody waits for: a save must not count as failed because a disk is busy. */
export const BACKGROUND_TIMEOUT = 5_000

const FIRST_RETRY = 1_000
const LONGEST_RETRY = 5_000

/** What the health of a store is made of. */
interface StoreFailure {
  readonly count: number
  readonly error: StoreFailedError
  readonly call: StoreCall<unknown>
}

/** A store in good health, to begin with. */
export function createStoreAccess(
  { store, seal, timeout }: Pick<StoreAccess, 'store' | 'seal' | 'timeout'>,
  context: { readonly clock: Clock; readonly events: EventBus<RegistryEvents>; readonly closed: AbortSignal },
): StoreAccess {
  const { clock, events, closed } = context
  const retries = new Map<object, () => Promise<boolean>>()
  const listeners: (() => void)[] = []
  let failure: StoreFailure | undefined
  let isRetrying = false
  let isScheduled = false
  let hasTold = false

  function failed(call: StoreCall<unknown>, error: StoreFailedError): void {
    const { operation, key } = call
    // Once for all that were under way: a thousand providers must not tell of one failure a thousand times.
    const isNews = !hasTold
    hasTold = true
    failure = { count: (failure?.count ?? 0) + (isNews ? 1 : 0), error, call }
    if (isNews) events.emit('store-failed', { ...key, operation, error })
    retrySoon()
  }

  function succeeded({ key, operation }: StoreCall<unknown>): void {
    if (failure === undefined) return
    // A full store still answers questions.
    if (operation === 'load' && failure.call.operation !== 'load') return
    failure = undefined
    hasTold = false
    events.emit('store-recovered', { ...key })
    for (const listener of listeners) listener()
    void retryAll()
  }

  function retrySoon(): void {
    if (closed.aborted || isScheduled || failure === undefined) return
    isScheduled = true
    const delay = Math.min(FIRST_RETRY * 2 ** (failure.count - 1), LONGEST_RETRY)
    const cancel = schedule(clock, delay, () => {
      closed.removeEventListener('abort', cancel)
      void retryOne().finally(() => {
        isScheduled = false
        retrySoon()
      })
    })
    closed.addEventListener('abort', cancel, { once: true })
  }

  /** One operation that failed, as a probe: a full store answers questions and takes nothing. */
  async function retryOne(): Promise<void> {
    hasTold = false
    const [first] = retries
    if (first !== undefined) {
      const [owner, retry] = first
      if (await retry()) retries.delete(owner)
      return
    }
    if (failure === undefined) return
    const { key, operation, probe = async () => await store.load(key) } = failure.call
    await attempt({ operation, key, isRetry: true, work: probe, probe })
  }

  async function retryAll(): Promise<void> {
    if (isRetrying) return
    isRetrying = true
    for (const [owner, retry] of retries) {
      if (failure !== undefined || closed.aborted) break
      if (await retry()) retries.delete(owner)
    }
    isRetrying = false
  }

  async function attempt<Value>(call: StoreCall<Value>): Promise<Attempt<Value>> {
    if (failure !== undefined && call.isRetry !== true) return { ok: false, error: failure.error }
    const limit = call.timeout ?? timeout
    const working = settle(call.work)
    let result = await settledWithin(clock, limit, working)
    // In a process that was busy, the timer is up while the answer waits to be read: it gets one more turn.
    result ??= await Promise.race([working, nextTurn()])
    if (result === undefined) {
      const error = new StoreFailedError(`it took longer than ${limit} ms`)
      failed(call, error)
      const rest = (call.patience ?? limit) - limit
      // What comes late is used. It is no recovery: the next question would be waited for as long.
      const late = rest > 0 ? await settledWithin(clock, rest, working) : undefined
      return late?.ok === true ? late : { ok: false, error }
    }
    if (result.ok) succeeded(call)
    else failed(call, result.error)
    return result
  }

  return {
    store,
    seal,
    timeout,
    isFailing: () => failure !== undefined,
    attempt,
    retryLater(owner, retry) {
      retries.set(owner, retry)
    },
    onRecovered(listener) {
      listeners.push(listener)
    },
  }
}

/** The store is other people's code: it may throw where it should reject, or hand out no promise. */
async function settle<Value>(work: () => Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { ok: true, value: await work() }
  } catch (cause) {
    return { ok: false, error: new StoreFailedError('it rejected what it was asked', { cause }) }
  }
}

async function nextTurn(): Promise<undefined> {
  await setImmediate()
  await setImmediate()
}
