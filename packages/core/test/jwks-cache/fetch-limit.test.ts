import { setMaxListeners } from 'node:events'
import { setImmediate as macrotask } from 'node:timers/promises'
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

/** Work that lasts until the test ends it. */
function begin(limit: FetchLimit, tenant: string, signal: AbortSignal = never) {
  const { promise, end, fail } = deferred()
  const work = { isRunning: false, wasAborted: false, end, fail, done: Promise.resolve() }
  work.done = limit
    .run(tenant, signal, async () => {
      work.isRunning = true
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
    const limit = createFetchLimit(3)
    const works = ['a', 'b', 'c', 'd', 'e'].map((tenant) => begin(limit, tenant))
    await macrotask()
    expect(works.map(({ isRunning }) => isRunning)).toEqual([true, true, true, false, false])
    works[1]?.end()
    await macrotask()
    expect(works.map(({ isRunning }) => isRunning)).toEqual([true, false, true, true, false])
  })

  it('gives one tenant four places at most, however many are free', async () => {
    const limit = createFetchLimit(32)
    const works = Array.from({ length: 10 }, () => begin(limit, 'a'))
    await macrotask()
    expect(running(works)).toBe(4)
    works[0]?.end()
    await macrotask()
    expect(running(works)).toBe(4)
  })

  it('has a tenant with a hundred waiting delay no other', async () => {
    const limit = createFetchLimit(8)
    Array.from({ length: 100 }, () => begin(limit, 'noisy'))
    const quiet = begin(limit, 'quiet')
    await macrotask()
    expect(quiet.isRunning).toBe(true)
  })

  it('takes turns where every place is taken: two releases later at most, with two tenants', async () => {
    const limit = createFetchLimit(2)
    const noisy = Array.from({ length: 100 }, () => begin(limit, 'noisy'))
    await macrotask()
    const quiet = begin(limit, 'quiet')
    noisy[0]?.end()
    noisy[1]?.end()
    await macrotask()
    expect(quiet.isRunning).toBe(true)
    expect(running(noisy)).toBe(1)
  })

  it('lets who gives up while waiting go with the reason, and its place to the next', async () => {
    const limit = createFetchLimit(1)
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

  it('does not begin what was given up before it came', async () => {
    const limit = createFetchLimit(1)
    const reason = new Error('enough')
    let began = false
    const given = limit.run('a', AbortSignal.abort(reason), async () => {
      began = true
    })
    await expect(given).rejects.toBe(reason)
    expect(began).toBe(false)
  })

  it('gives the place of failed work back', async () => {
    const limit = createFetchLimit(1)
    const failing = begin(limit, 'a')
    const next = begin(limit, 'a')
    await macrotask()
    failing.fail(new Error('broken'))
    await macrotask()
    expect(next.isRunning).toBe(true)
  })

  it('hands back what the work returns, and what it throws', async () => {
    const limit = createFetchLimit(1)
    const error = new Error('broken')
    expect(await limit.run('a', never, async () => 42)).toBe(42)
    await expect(limit.run('a', never, () => Promise.reject(error))).rejects.toBe(error)
  })

  it('keeps its bounds and loses no place, whatever begins, ends, fails and is given up', async () => {
    const steps = fc.array(
      fc.record({
        does: fc.constantFrom('begin', 'begin', 'end', 'fail', 'give up'),
        tenant: fc.constantFrom('a', 'b', 'c'),
        which: fc.nat(20),
      }),
      { maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), steps, async (max, script) => {
        const limit = createFetchLimit(max)
        const works: (Work & { readonly tenant: string; readonly giveUp: AbortController })[] = []
        for (const { does, tenant, which } of script) {
          const open = works.filter(({ isRunning }) => isRunning)
          const waiting = works.filter(({ isRunning, wasAborted }) => !isRunning && !wasAborted)
          if (does === 'begin') {
            const giveUp = new AbortController()
            works.push(Object.assign(begin(limit, tenant, giveUp.signal), { tenant, giveUp }))
          } else if (does === 'end') open[which % open.length]?.end()
          else if (does === 'fail') open[which % open.length]?.fail(new Error('broken'))
          else waiting[which % waiting.length]?.giveUp.abort(new Error('enough'))
          await macrotask()
          expect(running(works)).toBeLessThanOrEqual(max)
          for (const each of ['a', 'b', 'c']) {
            expect(running(works.filter((work) => work.tenant === each))).toBeLessThanOrEqual(4)
          }
        }
        for (const work of works) work.end()
        await Promise.all(works.map(({ done }) => done))
        const afterwards = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((tenant) => begin(limit, tenant))
        await macrotask()
        expect(running(afterwards)).toBe(max)
      }),
      { numRuns: 300 },
    )
  })
})
