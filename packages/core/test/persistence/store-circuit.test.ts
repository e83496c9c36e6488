import { createManualClock, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'
import type { ProviderKey } from '../../src/base/provider-key.ts'
import { type RegistryEvents, registryEventTypes } from '../../src/jwks-cache/cache-events.ts'
import { createStoreCircuit, type StoreCall } from '../../src/persistence/store-circuit.ts'
import { createSnapshotSigner } from '../../src/stores/integrity.ts'

const key: ProviderKey = { tenant: 'acme', provider: 'auth0' }

function startCircuit() {
  const clock = createManualClock()
  const bus = createEventBus<RegistryEvents>(registryEventTypes)
  const events: string[] = []
  bus.on('store-failed', ({ operation }) => events.push(`failed: ${operation}`))
  bus.on('store-recovered', ({ operation }) => events.push(`recovered: ${operation}`))
  const closing = new AbortController()
  onTestFinished(() => closing.abort())
  const circuit = createStoreCircuit(
    { store: memoryStore(), signer: createSnapshotSigner([]), timeout: 250 },
    { clock, events: bus, closed: closing.signal },
  )
  /** Calls the store; returns true where that succeeded. */
  async function attempt(change: Partial<StoreCall<unknown>> = {}): Promise<boolean> {
    const { ok } = await circuit.attempt({ operation: 'load', key, work: succeeds, ...change })
    return ok
  }
  /** Lets virtual time pass in small steps, so that what each timer starts can end. */
  async function pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 10) {
      await clock.advance(10)
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  /** Work that takes so many milliseconds of virtual time. */
  const takes = (milliseconds: number) => (): Promise<string> =>
    new Promise((resolve) => clock.setTimeout(() => resolve('value'), milliseconds))
  return { clock, circuit, events, closing, attempt, pass, takes }
}

const succeeds = async (): Promise<string> => 'value'
const hangs = (): Promise<never> => new Promise(() => undefined)
const rejects = async (): Promise<never> => {
  throw new Error('down')
}
const other = (name: string): ProviderKey => ({ tenant: 'acme', provider: name })

/** Work that counts its calls and fails until `isDown` is false. */
function recoverable() {
  const work = Object.assign(
    async (): Promise<string> => {
      work.calls += 1
      if (work.isDown) throw new Error('down')
      return 'value'
    },
    { calls: 0, isDown: true },
  )
  return work
}

describe('an attempt', () => {
  it('returns what the store returns in time', async () => {
    const { circuit, events, pass, takes } = startCircuit()
    const attempt = circuit.attempt({ operation: 'load', key, work: takes(240) })
    await pass(250)
    expect(await attempt).toEqual({ ok: true, value: 'value' })
    expect([circuit.failingSides(), events]).toEqual([[], []])
  })

  it.each([
    ['rejects', rejects],
    [
      'throws',
      (): never => {
        throw new Error('down')
      },
    ],
  ])('fails where the store %s, with the cause', async (_, work) => {
    const { circuit, events } = startCircuit()
    const attempt = await circuit.attempt({ operation: 'save', key, work })
    expect(attempt).toMatchObject({
      ok: false,
      error: { code: 'ERR_STORE_FAILED', operation: 'save', ...key, cause: { message: 'down' } },
    })
    expect(events).toEqual(['failed: save'])
  })

  it('fails after its timeout', async () => {
    const { circuit, events, pass } = startCircuit()
    const attempt = circuit.attempt({ operation: 'load', key, work: hangs })
    await pass(300)
    expect(await attempt).toMatchObject({ ok: false, error: { code: 'ERR_STORE_FAILED' } })
    expect(events).toEqual(['failed: load'])
  })

  it('may have a longer timeout than storeTimeout', async () => {
    const { events, attempt, pass, takes } = startCircuit()
    const attempted = attempt({ work: takes(900), timeout: 1_000 })
    await pass(950)
    expect(await attempted).toBe(true)
    expect(events).toEqual([])
  })

  it('returns a late result within its patience; the store counts as failing all the same', async () => {
    const { circuit, events, pass, takes } = startCircuit()
    const attempt = circuit.attempt({ operation: 'load', key, work: takes(400), patience: 1_000 })
    await pass(300)
    expect([circuit.failingSides(), events]).toEqual([['reading'], ['failed: load']])
    await pass(150)
    expect(await attempt).toEqual({ ok: true, value: 'value' })
    expect([circuit.failingSides(), events]).toEqual([['reading'], ['failed: load']])
  })

  it('fails at once, without a call, where the same has just failed, unless it is a retry', async () => {
    const { circuit, events, attempt } = startCircuit()
    const work = recoverable()
    expect(await attempt({ work })).toBe(false)
    work.isDown = false
    expect(await attempt({ work })).toBe(false)
    expect([work.calls, circuit.isOpen('load', key)]).toEqual([1, true])
    expect(await attempt({ work, isRetry: true })).toBe(true)
    expect([work.calls, circuit.isOpen('load', key)]).toEqual([2, false])
    expect(events).toEqual(['failed: load', 'recovered: load'])
  })
})

describe('the sides of a store', () => {
  it.each([
    ['writing', 'save', ['load', 'coordinate']],
    ['writing', 'revoke', ['load', 'subscribe']],
    ['writing', 'delete', ['load', 'coordinate']],
    ['reading', 'load', ['save', 'revoke', 'delete', 'coordinate']],
    ['coordinating', 'coordinate', ['load', 'save', 'revoke']],
  ] as const)('fail alone: %s after a failed %s', async (side, operation, working) => {
    const { circuit, attempt, pass } = startCircuit()
    const timedOut = attempt({ operation, work: hangs })
    await pass(300)
    expect(await timedOut).toBe(false)
    expect(circuit.failingSides()).toEqual([side])
    for (const another of working) {
      expect(circuit.isOpen(another, key)).toBe(false)
      expect(await attempt({ operation: another })).toBe(true)
    }
    expect(circuit.isOpen(operation, key)).toBe(true)
    expect(circuit.failingSides()).toEqual([side])
  })

  it('recover alone', async () => {
    const { circuit, attempt } = startCircuit()
    await attempt({ operation: 'load', work: rejects })
    await attempt({ operation: 'save', work: rejects })
    await attempt({ operation: 'load', isRetry: true })
    expect(circuit.failingSides()).toEqual(['writing'])
  })
})

describe('the circuit of one side', () => {
  it('stays closed for other providers where one alone fails', async () => {
    const { circuit, attempt } = startCircuit()
    for (let round = 0; round < 3; round += 1) await attempt({ work: rejects, isRetry: true })
    expect([circuit.isOpen('load', key), circuit.isOpen('load', other('okta'))]).toEqual([true, false])
    expect(await attempt({ key: other('okta') })).toBe(true)
    expect(circuit.isOpen('load', key)).toBe(true)
  })

  it('stays closed for others where two fail with a success between them', async () => {
    const { circuit, attempt } = startCircuit()
    await attempt({ key: other('a'), work: rejects })
    await attempt({ key: other('b') })
    await attempt({ key: other('c'), work: rejects })
    expect(['a', 'b', 'c'].map((name) => circuit.isOpen('load', other(name)))).toEqual([true, false, true])
  })

  it('opens for all where two providers fail in a row', async () => {
    const { circuit, attempt } = startCircuit()
    await attempt({ key: other('a'), work: rejects })
    await attempt({ key: other('b'), work: rejects })
    expect(circuit.isOpen('load', other('c'))).toBe(true)
  })

  it('opens for all at one timeout, so that no other request waits for it', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const timedOut = attempt({ key: other('a'), work: hangs })
    await pass(300)
    expect(await timedOut).toBe(false)
    const work = recoverable()
    expect(await attempt({ key: other('b'), work })).toBe(false)
    expect([work.calls, circuit.isOpen('load', other('c'))]).toEqual([0, true])
  })

  it('closes for all with the first success', async () => {
    const { circuit, attempt } = startCircuit()
    for (const name of ['a', 'b', 'c']) await attempt({ key: other(name), work: rejects })
    expect(await attempt({ key: other('b'), isRetry: true })).toBe(true)
    expect(['a', 'b', 'c', 'd'].map((name) => circuit.isOpen('load', other(name)))).toEqual([
      false,
      false,
      false,
      false,
    ])
    expect(circuit.failingSides()).toEqual([])
  })
})

describe('events', () => {
  it('report a failure of many providers at once', async () => {
    const { events, attempt } = startCircuit()
    await Promise.all(Array.from({ length: 10 }, (_, index) => attempt({ key: other(`p${index}`), work: rejects })))
    expect(events).toEqual(['failed: load'])
  })

  it('report each failed round of retries, and the recovery once', async () => {
    const { events, attempt, pass } = startCircuit()
    const work = recoverable()
    await attempt({ work })
    await pass(1_100)
    expect(events).toEqual(['failed: load', 'failed: load'])
    work.isDown = false
    await pass(10_000)
    expect(events).toEqual(['failed: load', 'failed: load', 'recovered: load'])
  })
})

describe('retries', () => {
  it('repeat what has failed after 1, 2, 4, 5, 5, … s until it succeeds', async () => {
    const { clock, attempt, pass } = startCircuit()
    const startedAt = clock.monotonic()
    const times: number[] = []
    await attempt({
      work: async () => {
        times.push(Math.round((clock.monotonic() - startedAt) / 1_000))
        if (times.length < 6) throw new Error('down')
      },
    })
    await pass(40_000)
    expect(times).toEqual([0, 1, 3, 7, 12, 17])
    expect(clock.pendingTimers).toBe(0)
  })

  it('use the probe where there is one', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const [work, probe] = [recoverable(), recoverable()]
    await attempt({ operation: 'revoke', work, probe })
    await pass(1_100)
    expect([work.calls, probe.calls]).toEqual([1, 1])
    probe.isDown = false
    await pass(2_100)
    expect([work.calls, probe.calls]).toEqual([1, 2])
    expect(circuit.failingSides()).toEqual([])
  })

  it('call one provider where the whole side fails', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const works = Array.from({ length: 5 }, () => recoverable())
    for (const [index, work] of works.entries()) await attempt({ key: other(`p${index}`), work, isRetry: true })
    await pass(1_100)
    expect(works.map(({ calls }) => calls)).toEqual([2, 1, 1, 1, 1])
    for (const work of works) work.isDown = false
    await pass(2_100)
    expect(circuit.failingSides()).toEqual([])
  })

  it('call each provider that fails alone', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const works = [recoverable(), recoverable()]
    for (const [index, work] of works.entries()) {
      await attempt({ key: other(`p${index}`), work })
      await attempt({ key: other('well') })
    }
    for (const work of works) work.isDown = false
    await pass(1_100)
    expect(works.map(({ calls }) => calls)).toEqual([2, 2])
    expect(circuit.failingSides()).toEqual([])
  })

  it('repeat what was to be done later, the last request of each owner, until each has succeeded', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const done: string[] = []
    const work = recoverable()
    const retry = (name: string) => async (): Promise<boolean> => {
      const isDone = await attempt({ operation: 'save', work, isRetry: true })
      if (isDone) done.push(name)
      return isDone
    }
    await attempt({ operation: 'save', work })
    const [first, second] = [{}, {}]
    circuit.retryLater(first, 'save', retry('replaced'))
    circuit.retryLater(first, 'save', retry('first'))
    circuit.retryLater(second, 'save', retry('second'))
    await pass(1_100)
    expect(done).toEqual([])
    work.isDown = false
    await pass(2_100)
    expect(new Set(done)).toEqual(new Set(['first', 'second']))
    const { calls } = work
    await pass(10_000)
    expect([done.length, work.calls]).toEqual([2, calls])
  })

  it('reach every owner although one of them keeps failing', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const done: string[] = []
    const retry = (name: string, work: () => Promise<unknown>) => async (): Promise<boolean> => {
      const isDone = await attempt({ operation: 'save', key: other(name), work, isRetry: true })
      if (isDone) done.push(name)
      return isDone
    }
    await attempt({ operation: 'save', key: other('bad'), work: rejects })
    circuit.retryLater({}, 'save', retry('bad', rejects))
    for (const name of ['a', 'b']) circuit.retryLater({}, 'save', retry(name, succeeds))
    await pass(1_100)
    expect(new Set(done)).toEqual(new Set(['a', 'b']))
    expect(circuit.isOpen('save', other('a'))).toBe(false)
  })

  it('go on for an owner whose failure hides behind the success of another of the same provider', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const work = recoverable()
    let retries = 0
    await attempt({ operation: 'save', work: rejects })
    circuit.retryLater({}, 'save', async () => {
      retries += 1
      const isDone = await attempt({ operation: 'save', work, isRetry: true })
      await attempt({ operation: 'save', isRetry: true })
      return isDone
    })
    await pass(30_000)
    // After 1, 2, 4, 5, 5, … s, and once more at each success.
    expect(retries).toBeGreaterThan(5)
    expect(retries).toBeLessThan(30)
    work.isDown = false
    await pass(6_000)
    const { calls } = work
    await pass(20_000)
    expect(work.calls).toBe(calls)
  })

  it('wait for the side of their own', async () => {
    const { circuit, attempt, pass } = startCircuit()
    const retried: string[] = []
    await attempt({ operation: 'load', work: rejects })
    await attempt({ operation: 'save', work: rejects })
    circuit.retryLater({}, 'load', async () => {
      retried.push('load')
      return true
    })
    await attempt({ operation: 'save', isRetry: true })
    expect(retried).toEqual([])
    await attempt({ operation: 'load', isRetry: true })
    await pass(10)
    expect(retried).toEqual(['load'])
  })

  it('end when the registry closes', async () => {
    const { clock, closing, attempt, pass } = startCircuit()
    const work = recoverable()
    await attempt({ work })
    closing.abort()
    await pass(20_000)
    expect([work.calls, clock.pendingTimers]).toEqual([1, 0])
  })

  it('wait as long where the wall clock is set back', async () => {
    const { clock, attempt, pass } = startCircuit()
    const work = recoverable()
    await attempt({ work })
    clock.set(clock.now() - 86_400_000)
    await pass(1_100)
    expect(work.calls).toBe(2)
  })
})

describe('onRecovered', () => {
  it('calls back each time when a side works again, with that side', async () => {
    const { circuit, attempt } = startCircuit()
    const sides: string[] = []
    circuit.onRecovered((side) => sides.push(side))
    await attempt()
    for (const operation of ['load', 'save', 'load'] as const) {
      await attempt({ operation, work: rejects })
      await attempt({ operation, isRetry: true })
    }
    expect(sides).toEqual(['reading', 'writing', 'reading'])
  })
})
