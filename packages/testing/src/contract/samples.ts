import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProviderKey, Snapshot } from '@jwks-auth/core'

/** A key like those of most applications. */
export const acme: ProviderKey = Object.freeze({ tenant: 'acme', provider: 'auth0' })

/** A key of another tenant. */
export const globex: ProviderKey = Object.freeze({ tenant: 'globex', provider: 'auth0' })

/** A lease or refetch id of a process. */
export const ann: string = 'a'.repeat(32)

/** Another process's id. */
export const ben: string = 'b'.repeat(32)

/** Longer than any case takes, in milliseconds. */
export const LONG = 60_000

/** Expires within a case, in milliseconds. */
export const SHORT = 200

/** A snapshot that can be told from others by its text. Every payload is JSON. */
export function sampleSnapshot(text: string, keepUntil: string | null = '2100-01-01T00:00:00.000Z'): Snapshot {
  const payload = JSON.stringify({ text })
  return { version: 1, payload, keepUntil, integrity: `sha256:${digest(payload, 'base64url')}` }
}

/** 32 hexadecimal digits, always the same for the same text. */
export function sampleId(text: string): string {
  return digest(text, 'hex').slice(0, 32)
}

/** Calls all instances, each that many times, without waiting in between; each call has a number of its own. */
export function callAtOnce<Instance, Answer>(
  instances: readonly Instance[],
  times: number,
  ask: (instance: Instance, number: number) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const rounds = Array.from({ length: times }, (_, round) => round * instances.length)
  return Promise.all(rounds.flatMap((first) => instances.map((instance, index) => ask(instance, first + index))))
}

/** Checks again until the condition holds, for five seconds. */
export async function assertSoon(message: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, message)
    await sleep(25)
  }
}

function digest(text: string, encoding: 'hex' | 'base64url'): string {
  return createHash('sha256').update(text).digest(encoding)
}
