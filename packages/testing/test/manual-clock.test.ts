import { expect, it } from 'vitest'
import { createManualClock, type ManualClockOptions } from '../src/index.ts'

it('shows the same time in every run, or the one it was given', () => {
  expect(createManualClock().now()).toBe(Date.parse('2025-01-01T00:00:00Z'))
  expect(createManualClock({ now: 5 }).now()).toBe(5)
})

it('stands still until it is advanced', async () => {
  const clock = createManualClock({ now: 0 })
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(clock.now()).toBe(0)
  await clock.advance(7)
  expect(clock.now()).toBe(7)
})

it('fires timers that are due in order of time, then of creation, each at its own time', async () => {
  const clock = createManualClock({ now: 0 })
  const fired: [string, number][] = []
  for (const [name, delay] of [
    ['c', 30],
    ['a', 10],
    ['b', 20],
    ['b2', 20],
    ['later', 31],
  ] as const) {
    clock.setTimeout(() => fired.push([name, clock.now()]), delay)
  }
  expect(clock.pendingTimers).toBe(5)
  await clock.advance(30)
  expect(fired).toEqual([
    ['a', 10],
    ['b', 20],
    ['b2', 20],
    ['c', 30],
  ])
  expect(clock.pendingTimers).toBe(1)
})

it('lets promise jobs run between timers, and fires timers that those set', async () => {
  const clock = createManualClock({ now: 0 })
  const fired: number[] = []
  const sleep = (delay: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, delay))
  const loop = async () => {
    for (let round = 0; round < 3; round += 1) {
      await sleep(10)
      await Promise.resolve()
      fired.push(clock.now())
    }
  }
  void loop()
  await clock.advance(25)
  expect(fired).toEqual([10, 20])
  await clock.advance(5)
  expect(fired).toEqual([10, 20, 30])
})

it('lets promise jobs that already wait run before time passes', async () => {
  const clock = createManualClock({ now: 0 })
  let setAt: number | undefined
  void Promise.resolve().then(() => {
    setAt = clock.now()
  })
  await clock.advance(10)
  expect(setAt).toBe(0)
})

it('does not fire a timer that was cancelled', async () => {
  const clock = createManualClock()
  let fired = false
  const handle = clock.setTimeout(() => {
    fired = true
  }, 1)
  clock.clearTimeout(handle)
  clock.clearTimeout(undefined)
  expect(clock.pendingTimers).toBe(0)
  await clock.advance(5)
  expect(fired).toBe(false)
})

it('jumps when it is set, and timers neither fire nor move', async () => {
  const clock = createManualClock({ now: 0 })
  const fired: number[] = []
  clock.setTimeout(() => fired.push(clock.now()), 100)
  clock.set(1_000_000)
  expect(clock.now()).toBe(1_000_000)
  await clock.advance(99)
  expect(fired).toEqual([])
  await clock.advance(1)
  expect(fired).toEqual([1_000_100])
  clock.set(7)
  expect(clock.now()).toBe(7)
})

it('advances in order when calls are not awaited', async () => {
  const clock = createManualClock({ now: 0 })
  await Promise.all([clock.advance(5), clock.advance(5)])
  expect(clock.now()).toBe(10)
})

it('fires a timer of 0 or less without time passing', async () => {
  const clock = createManualClock({ now: 0 })
  let firedAt: number | undefined
  clock.setTimeout(() => {
    firedAt = clock.now()
  }, -5)
  await clock.advance(0)
  expect(firedAt).toBe(0)
})

it('rejects with what a callback throws, and works on', async () => {
  const clock = createManualClock({ now: 0 })
  clock.setTimeout(() => {
    throw new Error('from the callback')
  }, 5)
  await expect(clock.advance(10)).rejects.toThrow('from the callback')
  expect(clock.now()).toBe(5)
  await clock.advance(5)
  expect(clock.now()).toBe(10)
})

it('rejects when something reschedules itself for now, over and over', async () => {
  const clock = createManualClock()
  const again = () => {
    clock.setTimeout(again, 0)
  }
  again()
  await expect(clock.advance(1)).rejects.toThrow('reschedules itself')
})

it('refuses times that are no numbers, unknown options and going back', () => {
  expect(() => createManualClock({ now: Number.NaN })).toThrow("option 'now' must be a finite number")
  expect(() => createManualClock({ start: 1 } as ManualClockOptions)).toThrow("unknown option 'start'")
  const clock = createManualClock()
  expect(() => clock.setTimeout(() => undefined, Number.POSITIVE_INFINITY)).toThrow(TypeError)
  expect(() => clock.set(Number.NaN)).toThrow(TypeError)
  expect(() => clock.advance(Number.NaN)).toThrow(TypeError)
  expect(() => clock.advance(-1)).toThrow('use set')
})
