import { performance } from 'node:perf_hooks'
import fc, { type Parameters } from 'fast-check'

/**
 * How many cases each property gets, and whether one that stalls the event loop fails: `npm run fuzz` asks for many and
 * sets the limit, a test run asks for few. The one place that reads the environment.
 */
const { FUZZ_RUNS: runs = '2000', FUZZ_SEED: seed, FUZZ_TIMED: timed } = process.env

/** Milliseconds that the code of one case may keep the event loop from going on. */
const longestStall = 50

/**
 * Fails a case whose code keeps the event loop for longer than the limit, by the clock and in processor time of this
 * process: what the machine does meanwhile does not count.
 */
function limitStalls() {
  let turn = now()
  let longest = 0
  function endTurn(): void {
    const end = now()
    longest = Math.max(longest, Math.min(end.clock - turn.clock, end.processor - turn.processor))
    turn = end
  }
  function watch(): void {
    endTurn()
    setImmediate(watch).unref()
  }
  watch()
  return fc.beforeEach(() => {
    turn = now()
    longest = 0
    return () => {
      endTurn()
      if (longest > longestStall) throw new Error(`a case stalled the event loop for ${longest.toFixed(0)} ms`)
    }
  })
}

function now(): { readonly clock: number; readonly processor: number } {
  const { user, system } = process.cpuUsage()
  return { clock: performance.now(), processor: (user + system) / 1_000 }
}

const plugins = timed === 'yes' ? [limitStalls()] : []

function parameters(numRuns: number): Parameters<unknown> {
  return seed === undefined ? { numRuns, plugins } : { numRuns, plugins, seed: Number(seed) }
}

/** For a property of functions. */
export const inMemory: Parameters<unknown> = parameters(Number(runs))

/** For a property whose every case makes signatures. */
export const withSignatures: Parameters<unknown> = parameters(Math.max(200, Math.floor(Number(runs) / 10)))

/** For a property whose every case goes over sockets, which cost a hundred times as much. */
export const overSockets: Parameters<unknown> = parameters(Math.max(100, Math.floor(Number(runs) / 100)))

/** Milliseconds that a property may take, generously. */
export const timeout: number = 30_000 + Number(runs) * 10
