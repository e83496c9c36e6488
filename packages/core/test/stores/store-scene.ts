import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ProviderKey, Snapshot, SnapshotStore } from '../../src/index.ts'

export const acme: ProviderKey = { tenant: 'acme', provider: 'auth0' }
export const globex: ProviderKey = { tenant: 'globex', provider: 'auth0' }

/** The name of the file of {@link acme}: it must not change between versions. */
export const acmeFile = 'jwks-acme-auth0-78026b1c016558614fea6cbb0a22b6c1.json'

/** A directory for the length of one test, which other users may enter and read. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'jwks-auth-'))
  chmodSync(directory, 0o755)
  // A write that is under way when the test ends may still add a file: the removal waits and tries again.
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  return directory
}

/** A snapshot that can be told from others by its text. */
export function snapshotOf(text: string): Snapshot {
  const payload = JSON.stringify({ text })
  return { version: 1, payload, keepUntil: null, integrity: `sha256:${digest(payload)}` }
}

/** True for a snapshot to the last byte. */
export function isWhole(value: unknown): boolean {
  const { payload, integrity } = Object(value) as { payload?: unknown; integrity?: unknown }
  return typeof payload === 'string' && integrity === `sha256:${digest(payload)}`
}

/** The part of a file store that a plain one need not have. */
export function partsOf(store: SnapshotStore): Required<Pick<SnapshotStore, 'setAside' | 'revocations' | 'warnings'>> {
  const { setAside, revocations, warnings } = store
  if (setAside === undefined || revocations === undefined || warnings === undefined)
    throw new Error('a part is missing')
  return { setAside, revocations, warnings }
}

/** Does something as a user whom permissions bind, also where the tests run as root. */
export async function asOrdinaryUser<Value>(task: () => Promise<Value>): Promise<Value> {
  if (process.geteuid?.() !== 0) return task()
  process.seteuid?.(65_534)
  try {
    return await task()
  } finally {
    process.seteuid?.(0)
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
