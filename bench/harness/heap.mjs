/** What is on the heap and stays there. The process needs `--expose-gc`. */
import { setImmediate as macrotask } from 'node:timers/promises'

/** Bytes in use after everything that can be collected has been, buffers outside of the heap included. */
export async function bytesInUse() {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc')
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc()
    await macrotask()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Timers that are set in this process. */
export function timersSet() {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}
