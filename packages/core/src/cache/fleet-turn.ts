import { randomBytes } from 'node:crypto'
import { schedule, settledWithin } from '../base/clock.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { FleetCoordination, LeaseState } from '../stores/snapshot-store.ts'
import type { CacheOptions } from './cache-options.ts'
import type { ProviderSnapshots } from './provider-snapshots.ts'
import type { RefreshContext } from './refresh-context.ts'
import type { Attempt, StoreAccess } from './store-access.ts'
import type { FleetTurns, Turn, TurnRequest } from './turn.ts'

/** Milliseconds after which a holder that is no longer heard of has lost its lease. */
const LEASE_TTL = 3_000

/** Milliseconds between two looks at a lease that another process has, where no message comes. */
const LEASE_POLL = 100

const ALONE: Turn = { wasOvertaken: async () => false, end: () => undefined }

/** The turns of one provider. */
export function createFleetTurns(
  key: ProviderKey,
  { retryPolicy, unknownKidCooldown }: Pick<CacheOptions, 'retryPolicy' | 'unknownKidCooldown'>,
  snapshots: ProviderSnapshots,
  access: StoreAccess,
  { clock, closed }: Pick<RefreshContext, 'clock' | 'closed'>,
): FleetTurns {
  const { coordination } = access.store
  const waiting = new Set<() => void>()
  let lookToken: string | undefined

  /** Another's message, or the next look at the lease. */
  async function somethingMayHaveHappened(): Promise<void> {
    let wake = (): void => undefined
    const woken = new Promise<true>((resolve) => {
      wake = () => resolve(true)
    })
    waiting.add(wake)
    await settledWithin(clock, LEASE_POLL, woken)
    waiting.delete(wake)
  }

  async function coordinate<Value>(work: () => Promise<Value>): Promise<Attempt<Value>> {
    return await access.attempt({ operation: 'coordinate', key, work })
  }

  /** A look into a store that cannot tell whether it has anything new. */
  async function loadFirst({ reason, isSatisfied }: TurnRequest): Promise<Turn | undefined> {
    if (reason === 'requested' || access.isFailing()) return ALONE
    await settledWithin(clock, access.timeout, snapshots.load())
    return isSatisfied() ? undefined : ALONE
  }

  async function takeLease(request: TurnRequest, fleet: FleetCoordination): Promise<Turn | undefined> {
    const { reason, isSatisfied } = request
    const token = randomBytes(16).toString('hex')
    // Enough must remain for a fetch of one's own.
    const share = Math.max(retryPolicy.deadline / 2, retryPolicy.deadline - retryPolicy.attemptTimeout)
    const patientUntil = Math.min(clock.now() + share, request.deadline)
    const release = (): void => void coordinate(async () => await fleet.release(key, token))
    // What was read and dropped from memory since has the generation that is known.
    let mayBeUnread = reason === 'first'
    let inspect = async (): Promise<LeaseState> => await fleet.acquire(key, token, LEASE_TTL)
    for (;;) {
      const attempt = await coordinate(inspect)
      if (!attempt.ok) {
        // What came too late may have taken the lease all the same, and nobody would know.
        fleet.release(key, token).catch(() => undefined)
        return ALONE
      }
      const { holder, generation } = attempt.value
      const isKnown = generation === snapshots.generation() && !mayBeUnread
      mayBeUnread = false
      if (generation !== undefined && !isKnown) await settledWithin(clock, access.timeout, snapshots.load())
      if (isSatisfied()) {
        if (holder === 'own') release()
        return undefined
      }
      if (holder === 'own') {
        if (reason !== 'unknown-kid' || (await reserveRefetch(fleet, token))) return lease(token, fleet)
        release()
        return undefined
      }
      if (clock.now() >= patientUntil || closed.aborted) return ALONE
      if (holder === 'none') inspect = async () => await fleet.acquire(key, token, LEASE_TTL)
      else {
        inspect = async () => await fleet.inspect(key)
        await somethingMayHaveHappened()
      }
    }
  }

  async function reserveRefetch(fleet: FleetCoordination, token: string): Promise<boolean> {
    const attempt = await coordinate(async () => await fleet.reserveRefetch(key, token, unknownKidCooldown))
    if (attempt.ok && attempt.value) lookToken = token
    return !attempt.ok || attempt.value
  }

  function lease(token: string, fleet: FleetCoordination): Turn {
    const generation = snapshots.generation()
    let renewedAt = clock.now()
    let isLost = false
    let cancel = (): void => undefined

    async function renew(): Promise<void> {
      const startedAt = clock.now()
      const attempt = await coordinate(async () => await fleet.renew(key, token, LEASE_TTL))
      if (!attempt.ok) return
      isLost ||= !attempt.value
      renewedAt = startedAt
    }

    function keepAlive(): void {
      cancel = schedule(clock, LEASE_TTL / 3, () => {
        void renew()
        if (!isLost && !closed.aborted) keepAlive()
      })
    }

    keepAlive()
    return {
      async wasOvertaken() {
        if (!isLost && clock.now() - renewedAt >= LEASE_TTL) await renew()
        if (!isLost) return false
        await snapshots.load()
        return snapshots.generation() !== generation
      },
      end() {
        cancel()
        if (isLost) return
        void snapshots.saved().then(async () => {
          await coordinate(async () => await fleet.release(key, token))
        })
      },
    }
  }

  return {
    async take(request) {
      if (coordination === undefined) return await loadFirst(request)
      return request.reason === 'requested' || access.isFailing() ? ALONE : await takeLease(request, coordination)
    },
    returnRefetch() {
      const token = lookToken
      if (coordination === undefined || token === undefined) return
      lookToken = undefined
      void coordinate(async () => await coordination.returnRefetch(key, token))
    },
    noticed() {
      for (const wake of waiting) wake()
    },
  }
}
