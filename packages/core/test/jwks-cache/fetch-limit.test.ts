import { setMaxListeners } from 'node:events'
import { setImmediate as macrotask } from 'node:timers/promises'
import { createManualClock } from '@jwks-auth/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFetchLimit, type FetchLimit } from '../../src/jwks-cache/fetch-limit.ts'

const never = new AbortController().signal
setMaxListeners(0, never)

function deferred() {
  let end = (): void => undefined
  let fail = (_error: Error): void => undefined
  const promise = new Promise<void>((resolve, reject) => {
    end = resolve
    fail = reject
  })
  return { promise, end, fail }
}

/** Starts work that lasts until the test ends it. It counts as connecting until the test calls `send`. */
function begin(limit: FetchLimit, tenant: string, signal: AbortSignal = never) {
  const { promise, end, fail } = deferred()
  const work = { isRunning: false, wasAborted: false, send: (): void => undefined, end, fail, done: Promise.resolve() }
  work.done = limit
    .run(tenant, signal, async (sent) => {
      work.isRunning = true
      work.send = sent
      await promise
    })
    .catch(() => {
      work.wasAborted = true
    })
    .finally(() => {
      work.isRunning = false
    })
  return work
}

type Work = ReturnType<typeof begin>

const running = (works: readonly Work[]): number => works.filter(({ isRunning }) => isRunning).length

describe('createFetchLimit', () => {
  it('runs no more than max at once', async () => {
    const limit = createFetchLimit(3, createManualClock())
    const works = ['a', 'b', 'c', 'd', 'e'].map((tenant) => begin(limit, tenant))
    await macrotask()
    expect(works.map(({ isRunning }) => isRunning)).toEqual([true, true, true, false, false])
    works[1]?.end()
    await macrotask()
    expect(works.map(({ isRunning }) => isRunning)).toEqual([true, false, true, true, false])
  })

  it('gives one tenant four slots at most, however many are free', async () => {
    const limit = createFetchLimit(32, createManualClock())
    const works = Array.from({ length: 10 }, () => begin(limit, 'a'))
    await macrotask()
    expect(running(works)).toBe(4)
    works[0]?.end()
    await macrotask()
    expect(running(works)).toBe(4)
  })

  it('does not delay a tenant because another has a hundred requests waiting', async () => {
    const limit = createFetchLimit(8, createManualClock())
    Array.from({ length: 100 }, () => begin(limit, 'noisy'))
    const quiet = begin(limit, 'quiet')
    await macrotask()
    expect(quiet.isRunning).toBe(true)
  })

  it('gives freed slots to two tenants in turn', async () => {
    const limit = createFetchLimit(2, createManualClock())
    const noisy = Array.from({ length: 100 }, () => begin(limit, 'noisy'))
    await macrotask()
    const quiet = begin(limit, 'quiet')
    noisy[0]?.end()
    noisy[1]?.end()
    await macrotask()
    expect(quiet.isRunning).toBe(true)
    expect(running(noisy)).toBe(1)
  })

  it('rejects with the reason of a signal that aborts while waiting, and frees the place in the queue', async () => {
    const limit = createFetchLimit(1, createManualClock())
    const first = begin(limit, 'a')
    const giveUp = new AbortController()
    const reason = new Error('enough')
    const second = limit.run('b', giveUp.signal, async () => 'never')
    const third = begin(limit, 'b')
    giveUp.abort(reason)
    await expect(second).rejects.toBe(reason)
    first.end()
    await macrotask()
    expect(third.isRunning).toBe(true)
  })

  it('does not start work whose signal has already aborted', async () => {
    const limit = createFetchLimit(1, createManualClock())
    const reason = new Error('enough')
    let began = false
    const given = limit.run('a', AbortSignal.abort(reason), async () => {
      began = true
    })
    await expect(given).rejects.toBe(reason)
    expect(began).toBe(false)
  })

  it('frees the slot of work that failed', async () => {
    const limit = createFetchLimit(1, createManualClock())
    const failing = begin(limit, 'a')
    const next = begin(limit, 'a')
    await macrotask()
    failing.fail(new Error('broken'))
    await macrotask()
    expect(next.isRunning).toBe(true)
  })

  it('returns what the work returns, and throws what it throws', async () => {
    const limit = createFetchLimit(1, createManualClock())
    const error = new Error('broken')
    expect(await limit.run('a', never, async () => 42)).toBe(42)
    await expect(limit.run('a', never, () => Promise.reject(error))).rejects.toBe(error)
  })

  it('keeps its bounds and loses no slot, whatever starts, is sent, ends, fails, aborts or keeps connecting', async () => {
    const steps = fc.array(
      fc.record({
        does: fc.constantFrom('begin', 'begin', 'send', 'end', 'fail', 'give up', 'wait'),
        tenant: fc.constantFrom('a', 'b', 'c'),
        which: fc.nat(20),
      }),
      { maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), steps, async (max, script) => {
        const clock = createManualClock()
        const limit = createFetchLimit(max, clock)
        const works: (Work & { isSent: boolean; readonly tenant: string; readonly giveUp: AbortController })[] = []
        for (const { does, tenant, which } of script) {
          const open = works.filter(({ isRunning }) => isRunning)
          const waiting = works.filter(({ isRunning, wasAborted }) => !isRunning && !wasAborted)
          const chosen = open[which % open.length]
          if (does === 'begin') {
            const giveUp = new AbortController()
            works.push(Object.assign(begin(limit, tenant, giveUp.signal), { isSent: false, tenant, giveUp }))
          } else if (does === 'send' && chosen !== undefined) {
            chosen.isSent = true
            chosen.send()
          } else if (does === 'end') chosen?.end()
          else if (does === 'fail') chosen?.fail(new Error('broken'))
          else if (does === 'wait') await clock.advance(250)
          else waiting[which % waiting.length]?.giveUp.abort(new Error('enough'))
          await macrotask()
          // What has no slot was connecting for more than 250 ms, and is bounded, too.
          expect(running(works)).toBeLessThanOrEqual(max * 9)
        }
        for (const work of works) work.end()
        await Promise.all(works.map(({ done }) => done))
        expect(clock.pendingTimers).toBe(0)
        const afterwards = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((tenant) => begin(limit, tenant))
        await macrotask()
        expect(running(afterwards)).toBe(max)
      }),
      { numRuns: 200 },
    )
  })
})

describe('an attempt that is still connecting', () => {
  it('gives its slot to the next one after 250 ms, and goes on', async () => {
    const clock = createManualClock()
    const limit = createFetchLimit(1, clock)
    const connecting = begin(limit, 'a')
    const next = begin(limit, 'b')
    await clock.advance(249)
    expect(next.isRunning).toBe(false)
    await clock.advance(1)
    expect([connecting.isRunning, next.isRunning]).toEqual([true, true])
    connecting.end()
    await connecting.done
    expect(connecting.wasAborted).toBe(false)
  })

  it('keeps its slot once its request is sent', async () => {
    const clock = createManualClock()
    const limit = createFetchLimit(1, clock)
    const sent = begin(limit, 'a')
    const next = begin(limit, 'b')
    await clock.advance(249)
    sent.send()
    await clock.advance(60_000)
    expect([sent.isRunning, next.isRunning]).toEqual([true, false])
    sent.end()
    await macrotask()
    expect(next.isRunning).toBe(true)
  })

  it('does not take a slot back when its request is sent later', async () => {
    const clock = createManualClock()
    const limit = createFetchLimit(1, clock)
    const late = begin(limit, 'a')
    await clock.advance(250)
    const other = begin(limit, 'b')
    await macrotask()
    late.send()
    late.end()
    await late.done
    const third = begin(limit, 'c')
    await macrotask()
    expect([other.isRunning, third.isRunning]).toEqual([true, false])
  })

  it('counts no longer against the four slots of its tenant', async () => {
    const clock = createManualClock()
    const limit = createFetchLimit(32, clock)
    const works = Array.from({ length: 8 }, () => begin(limit, 'a'))
    await macrotask()
    expect(running(works)).toBe(4)
    await clock.advance(250)
    expect(running(works)).toBe(8)
  })

  it('keeps its slot where eight for each slot already go on without one', async () => {
    const clock = createManualClock()
    const limit = createFetchLimit(1, clock)
    const works = Array.from({ length: 20 }, (_, index) => begin(limit, `t${index}`))
    for (let round = 0; round < 20; round += 1) await clock.advance(250)
    expect(running(works)).toBe(9)
    // The ninth ends: it alone has the slot.
    works[8]?.end()
    await macrotask()
    expect(works[9]?.isRunning).toBe(true)
  })
})
