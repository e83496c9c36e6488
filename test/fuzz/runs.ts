import { existsSync, readFileSync } from 'node:fs'
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import fc, { type Parameters } from 'fast-check'
import { afterEach, beforeEach, expect } from 'vitest'

/**
 * How many cases each property gets, and whether one that stalls the event loop fails: `npm run fuzz` asks for many and
 * sets the limit, a test run asks for few. The one place that reads the environment.
 */
const { FUZZ_RUNS: runs = '2000', FUZZ_SEED: seed, FUZZ_TIMED: timed } = process.env

/** Milliseconds that the code of one case may keep the event loop from going on. */
const longestStall = 50

/** Nanoseconds on a processor, and two figures more, of the thread that reads it. */
const ownThread = '/proc/thread-self/schedstat'

/** The first cases of each property load and compile the code, whatever their input. */
const warmUpCases = 100

/** A turn of the event loop that took longer than the limit, in the case of this number. */
interface Stall {
  readonly number: number
  readonly start: number
  readonly end: number
  readonly milliseconds: number
}

/**
 * Fails a property with a case whose code keeps the event loop for longer than the limit, by the clock and in processor
 * time: what the machine does meanwhile does not count. Garbage collection does not either: most of what is collected
 * here is the generator's. `npm run soak` counts it, in a process that has nothing but the application.
 */
function limitStalls() {
  const collections: { readonly start: number; readonly end: number }[] = []
  let stalls: Stall[] = []
  let cases = 0
  let turn = now()
  function endTurn(): void {
    const end = now()
    const milliseconds = Math.min(end.clock - turn.clock, end.processor - turn.processor)
    if (cases > warmUpCases && milliseconds > longestStall) {
      stalls.push({ number: cases, start: turn.clock, end: end.clock, milliseconds })
    }
    turn = end
  }
  function watch(): void {
    endTurn()
    setImmediate(watch).unref()
  }
  watch()

  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      collections.push({ start: startTime, end: startTime + duration })
    }
  }).observe({ entryTypes: ['gc'] })
  function withoutCollections({ start, end, milliseconds }: Stall): number {
    const within = collections.map((entry) => Math.max(0, Math.min(entry.end, end) - Math.max(entry.start, start)))
    return milliseconds - within.reduce((sum, time) => sum + time, 0)
  }

  beforeEach(() => {
    stalls = []
    cases = 0
  })
  afterEach(async () => {
    // Entries of the observer come in a later turn.
    await sleep(100)
    const found = stalls.map((stall) => ({ case: stall.number, milliseconds: withoutCollections(stall) }))
    expect(found.filter(({ milliseconds }) => milliseconds > longestStall)).toEqual([])
  })
  return fc.beforeEach(() => {
    cases += 1
    turn = now()
    return endTurn
  })
}

function now(): { readonly clock: number; readonly processor: number } {
  return { clock: performance.now(), processor: processorTime() }
}

/** The processor time of this thread, in milliseconds; where Linux does not tell it, of the process with all its threads. */
function processorTime(): number {
  if (existsSync(ownThread)) return Number(readFileSync(ownThread, 'utf8').split(' ')[0]) / 1_000_000
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

const plugins = timed === 'yes' ? [limitStalls()] : []

function parameters(numRuns: number): Parameters<unknown> {
  return seed === undefined ? { numRuns, plugins } : { numRuns, plugins, seed: Number(seed) }
}

/** For a property of functions. */
export const inMemory: Parameters<unknown> = parameters(Number(runs))

/** For a property whose every case makes signatures. */
export const withSignatures: Parameters<unknown> = parameters(Math.max(200, Math.floor(Number(runs) / 10)))

/** For a property whose every case reads up to a megabyte. */
export const withLongBodies: Parameters<unknown> = parameters(Math.max(30, Math.floor(Number(runs) / 100)))

/** For a property whose every case goes over sockets, which cost a hundred times as much. */
export const overSockets: Parameters<unknown> = parameters(Math.max(100, Math.floor(Number(runs) / 100)))

/** Milliseconds that a property may take, generously. */
export const timeout: number = 30_000 + Number(runs) * 10
