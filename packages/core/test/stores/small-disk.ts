import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Whether this machine lets the tests mount a file system: as root, on Linux. */
export const canMount: boolean = (() => {
  const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory], { stdio: 'ignore' })
    execFileSync('umount', [directory], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})()

/**
 * A file system for the length of one test, and a way to make it read-only.
 *
 * @param size as `mount` takes it. Default: 64 KiB
 */
export function mountSmallDisk(size = '64k'): { readonly directory: string; remount(mode: 'ro' | 'rw'): void } {
  const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory])
  onTestFinished(() => {
    // Goes away also where a test that failed has left a file open.
    execFileSync('umount', ['-l', directory])
    rmSync(directory, { recursive: true, force: true })
  })
  return { directory, remount: (mode) => void execFileSync('mount', ['-o', `remount,${mode}`, directory]) }
}
