import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it, vi } from 'vitest'
import { type Clock, schedule, sleep, systemClock } from '../../src/base/clock.ts'

describe('schedule', () => {
  it('calls back once, when the time has come', async () => {
    const clock = createManualClock()
    const callback = vi.fn<() => void>()
    schedule(clock, 100, callback)
    await clock.advance(99)
    expect(callback).not.toHaveBeenCalled()
    await clock.advance(1)
    expect(callback).toHaveBeenCalledOnce()
  })

  it('leaves no timer when it is cancelled', () => {
    const clock = createManualClock()
    schedule(clock, 100, () => undefined)()
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not call back after it was cancelled on a clock that cannot clear timers', async () => {
    const manual = createManualClock()
    const clock: Clock = { now: manual.now, monotonic: manual.monotonic, setTimeout: manual.setTimeout }
    const callback = vi.fn<() => void>()
    schedule(clock, 100, callback)()
    await manual.advance(100)
    expect(callback).not.toHaveBeenCalled()
  })
})

describe('sleep', () => {
  it('resolves when the time has come', async () => {
    const clock = createManualClock()
    const slept = sleep(clock, 100, new AbortController().signal)
    await clock.advance(100)
    await expect(slept).resolves.toBeUndefined()
  })

  it('rejects with the reason when it is aborted, and leaves no timer', async () => {
    const clock = createManualClock()
    const controller = new AbortController()
    const slept = sleep(clock, 100, controller.signal)
    controller.abort(new Error('reason'))
    await expect(slept).rejects.toThrow('reason')
    expect(clock.pendingTimers).toBe(0)
  })

  it('rejects at once when it was aborted before', async () => {
    const clock = createManualClock()
    await expect(sleep(clock, 100, AbortSignal.abort(new Error('reason')))).rejects.toThrow('reason')
    expect(clock.pendingTimers).toBe(0)
  })
})

describe("the machine's clock", () => {
  it('lets the process exit while only background work waits', () => {
    let timer: NodeJS.Timeout | undefined
    const clock = {
      ...systemClock,
      setTimeout: (callback: () => void, delay: number) => {
        timer = systemClock.setTimeout(callback, delay) as NodeJS.Timeout
        return timer
      },
    }
    const cancel = schedule(clock, 1_000, () => undefined)
    expect(timer?.hasRef()).toBe(false)
    cancel()
  })

  it('reads a clock that never goes back', () => {
    const before = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before)
  })

  it('does not fire at once for a delay that Node cannot count', async () => {
    const callback = vi.fn<() => void>()
    const warned = vi.fn<() => void>()
    process.on('warning', warned)
    const timer = systemClock.setTimeout(callback, 2 ** 40)
    await new Promise((resolve) => setTimeout(resolve, 5))
    systemClock.clearTimeout?.(timer)
    process.off('warning', warned)
    expect(callback).not.toHaveBeenCalled()
    expect(warned).not.toHaveBeenCalled()
  })
})
