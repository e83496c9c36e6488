import { setTimeout as sleep } from 'node:timers/promises'

/** True for an error of the operating system with one of these codes, such as `ENOENT`. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code)
}

/** Milliseconds before each further attempt: one second in all, well within the time that a save may take. */
const DELAYS = [10, 20, 40, 80, 150, 200, 250, 250]

/**
 * Runs a file operation again while it fails with an error that passes by itself. On Windows, virus scanners and search
 * indexers open new files for a moment, and `rename` and `unlink` fail with `EPERM`, `EACCES` or `EBUSY` until they are
 * done. Elsewhere only `EBUSY` is transient. Rejects with the last error after one second.
 */
export async function retryTransient(operation: () => Promise<void>): Promise<void> {
  for (const delay of DELAYS) {
    try {
      await operation()
      return
    } catch (error) {
      if (!isTransient(error)) throw error
    }
    await sleep(delay)
  }
  await operation()
}

function isTransient(error: unknown): boolean {
  return hasCode(error, 'EBUSY') || (process.platform === 'win32' && hasCode(error, 'EPERM', 'EACCES'))
}
