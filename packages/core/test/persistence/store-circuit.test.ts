import { createManualClock, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'
import { type RegistryEvents, registryEventTypes } from '../../src/jwks-cache/cache-events.ts'
import { createStoreAccess, type StoreCall } from '../../src/persistence/store-circuit.ts'
import { createSeal } from '../../src/stores/integrity.ts'

const key = { tenant: 'acme', provider: 'auth0' }

function scene() {
  const clock = createManualClock()
  const events = createEventBus<RegistryEvents>(registryEventTypes)
  const told: string[] = []
  events.on('store-failed', ({ operation }) => told.push(`failed: ${operation}`))
  events.on('store-recovered', () => told.push('recovered'))
  const closing = new AbortController()
  onTestFinished(() => closing.abort())
  const store = memoryStore()
  const access = createStoreAccess(
    { store, seal: createSeal([]), timeout: 250 },
    { clock, events, closed: closing.signal },
  )
  return { clock, access, store, told, closing }
}

/** A call that is answered after so many milliseconds; never, without a number. */
function call(
  { clock }: Pick<ReturnType<typeof scene>, 'clock'>,
  delay: number | undefined,
  rest: Partial<StoreCall<string>> = {},
): StoreCall<string> {
  const work = (): Promise<string> =>
    new Promise((resolve) => {
      if (delay !== undefined) clock.setTimeout(() => resolve('answer'), delay)
    })
  return { operation: 'load', key, work, ...rest }
}

const rejecting = async (): Promise<never> => {
  throw new Error('down')
}

/** Lets time pass in steps that leave what it starts room to end. */
async function pass({ clock }: Pick<ReturnType<typeof scene>, 'clock'>, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 10) {
    await clock.advance(10)
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('an attempt', () => {
  it('hands out what the store answers in time', async () => {
    const stage = scene()
    const attempt = stage.access.attempt(call(stage, 240))
    await pass(stage, 250)
    expect(await attempt).toEqual({ ok: true, value: 'answer' })
    expect([stage.access.isFailing(), stage.told]).toEqual([false, []])
  })

  it('is over after its timeout', async () => {
    const stage = scene()
    const attempt = stage.access.attempt(call(stage, undefined))
    await pass(stage, 300)
    expect(await attempt).toMatchObject({ ok: false, error: { code: 'ERR_STORE_FAILED' } })
    expect(stage.told).toEqual(['failed: load'])
  })

  it('hands out what comes late, where there is patience; the store has failed all the same', async () => {
    const stage = scene()
    const attempt = stage.access.attempt(call(stage, 400, { patience: 1_000 }))
    await pass(stage, 300)
    expect([stage.access.isFailing(), stage.told]).toEqual([true, ['failed: load']])
    await pass(stage, 150)
    expect(await attempt).toEqual({ ok: true, value: 'answer' })
    expect([stage.access.isFailing(), stage.told]).toEqual([true, ['failed: load']])
  })

  it('has a longer timeout where nobody waits', async () => {
    const stage = scene()
    const attempt = stage.access.attempt(call(stage, 900, { timeout: 1_000 }))
    await pass(stage, 950)
    expect(await attempt).toMatchObject({ ok: true })
    expect(stage.told).toEqual([])
  })

  it('fails at once while the store is failing, without asking it', async () => {
    const stage = scene()
    await stage.access.attempt(call(stage, 0, { work: rejecting }))
    let asked = 0
    const work = async (): Promise<string> => {
      asked += 1
      return 'answer'
    }
    expect(await stage.access.attempt(call(stage, 0, { work }))).toMatchObject({ ok: false })
    expect(asked).toBe(0)
    expect(await stage.access.attempt(call(stage, 0, { work, isRetry: true }))).toMatchObject({ ok: true })
    expect(stage.told).toEqual(['failed: load', 'recovered'])
  })

  it('tells once of what fails together', async () => {
    const stage = scene()
    await Promise.all(Array.from({ length: 10 }, () => stage.access.attempt(call(stage, 0, { work: rejecting }))))
    expect(stage.told).toEqual(['failed: load'])
  })
})

describe('a failing store', () => {
  it('is asked again with the probe of what has failed, else by loading', async () => {
    const stage = scene()
    let probes = 0
    const probe = async (): Promise<void> => {
      probes += 1
      if (probes < 3) throw new Error('down')
    }
    await stage.access.attempt(call(stage, 0, { operation: 'revoke', work: rejecting, probe }))
    await pass(stage, 1_100)
    expect([probes, stage.store.calls]).toEqual([1, []])
    await pass(stage, 7_000)
    expect(probes).toBe(3)
    expect(stage.told).toEqual(['failed: revoke', 'failed: revoke', 'failed: revoke', 'recovered'])

    await stage.access.attempt(call(stage, 0, { operation: 'save', work: rejecting }))
    await pass(stage, 1_100)
    expect(stage.store.calls).toEqual([{ method: 'load', key }])
  })

  it('is asked again by what is to be done again, until each of it is done', async () => {
    const stage = scene()
    const { access } = stage
    const done: string[] = []
    let isDown = true
    const retry = (name: string) => async () => {
      const work = async (): Promise<string> => (isDown ? await rejecting() : name)
      const { ok } = await access.attempt(call(stage, 0, { operation: 'save', work, isRetry: true }))
      if (ok) done.push(name)
      return ok
    }
    await access.attempt(call(stage, 0, { work: rejecting }))
    const [first, second] = [{}, {}]
    access.retryLater(first, retry('first'))
    access.retryLater(first, retry('first, in place of the one before'))
    access.retryLater(second, retry('second'))
    await pass(stage, 1_100)
    expect(done).toEqual([])
    isDown = false
    await pass(stage, 2_100)
    expect(new Set(done)).toEqual(new Set(['first, in place of the one before', 'second']))
    await pass(stage, 10_000)
    expect(stage.store.calls).toEqual([])
  })

  it('calls back each time when it has returned', async () => {
    const stage = scene()
    let calls = 0
    stage.access.onRecovered(() => {
      calls += 1
    })
    for (let failure = 1; failure <= 2; failure += 1) {
      await stage.access.attempt(call(stage, 0, { work: rejecting }))
      await pass(stage, 1_100)
      expect(calls).toBe(failure)
    }
  })

  it('is asked no more once the registry is closed', async () => {
    const stage = scene()
    await stage.access.attempt(call(stage, 0, { work: rejecting }))
    stage.closing.abort()
    await pass(stage, 20_000)
    expect(stage.store.calls).toEqual([])
    expect(stage.clock.pendingTimers).toBe(0)
  })
})
