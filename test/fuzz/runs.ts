import type { Parameters } from 'fast-check'

/** How many cases each property gets: `npm run fuzz` says many, a test run few. The one place that reads them. */
const { FUZZ_RUNS: runs = '2000', FUZZ_SEED: seed } = process.env

function parameters(numRuns: number): Parameters<unknown> {
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) }
}

/** For a property of functions. */
export const inMemory: Parameters<unknown> = parameters(Number(runs))

/** For a property whose every case makes signatures. */
export const withSignatures: Parameters<unknown> = parameters(Math.max(200, Math.floor(Number(runs) / 10)))

/** For a property whose every case goes over sockets, which cost a hundred times as much. */
export const overSockets: Parameters<unknown> = parameters(Math.max(100, Math.floor(Number(runs) / 100)))

/** Milliseconds that a property may take, generously. */
export const timeout: number = 30_000 + Number(runs) * 10
