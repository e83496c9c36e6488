import assert from 'node:assert/strict'
import { setTimeout as realTime } from 'node:timers/promises'
import { createRegistry, type ProviderRegistration, type Registry } from '@jwks-auth/core'
import { createManualClock, createTestIssuer, type ManualClock, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, afterEach, beforeAll } from 'vitest'

/** A registry with one provider that can be made to fail, and time in the test's hands. */
export interface FaultyProvider {
  readonly clock: ManualClock
  readonly issuer: TestIssuer
  readonly registry: Registry
  resolve(): Promise<readonly (string | undefined)[]>
  status(): ReturnType<Registry['status']>
  /** Attempts to fetch that were begun since the start, or since `forget` was called. */
  attempts(): number
  forget(): void
}

const tenant = 'acme'
const provider = 'main'

/** Three attempts, with pauses of 250 and 500 ms between them. */
const retryPolicy = { maxRetries: 2, jitter: 'none', deadline: 60_000 } as const

const open: { close(): Promise<void> }[] = []
const unhandled: unknown[] = []
const notice = (reason: unknown): unknown => unhandled.push(reason)

beforeAll(() => {
  process.on('unhandledRejection', notice)
  process.on('uncaughtException', notice)
})

afterAll(() => {
  process.off('unhandledRejection', notice)
  process.off('uncaughtException', notice)
})

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close()
  // Rejections are reported once the promise jobs are done.
  await realTime(0)
  assert.deepEqual(unhandled.splice(0), [])
})

/** Starts a provider in good health. */
export async function startFaultyProvider(given: Partial<ProviderRegistration> = {}): Promise<FaultyProvider> {
  const clock = createManualClock()
  const issuer = await createTestIssuer({ algorithm: 'ES256', clock })
  open.push(issuer)
  const registry = createRegistry({ requireHttps: false, clock })
  open.push(registry)
  let attempts = 0
  registry.on('fetch', () => {
    attempts += 1
  })
  await registry.register({
    tenant,
    provider,
    jwksUri: issuer.jwksUri,
    network: 'any',
    prefetch: 'never',
    retryPolicy,
    ...given,
  })
  return {
    clock,
    issuer,
    registry,
    async resolve() {
      const { keys } = await registry.resolve(tenant, provider)
      return keys.map(({ kid }) => kid)
    },
    status: () => registry.status(tenant, provider),
    attempts: () => attempts,
    forget() {
      attempts = 0
      issuer.clearRequests()
    },
  }
}

/** Resolves once the condition holds. */
export async function until(condition: () => boolean, patience = 5_000): Promise<void> {
  const giveUpAt = performance.now() + patience
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${patience} ms in vain for ${condition.toString()}`)
    await realTime(1)
  }
}

/** The outcome of what may take pauses, or, where the provider hangs, whole attempts: time passes as they need it. */
export async function outcomeOf<Value>(
  { clock, issuer, attempts }: FaultyProvider,
  promise: Promise<Value>,
  { hangs = false, requests = 1 }: { readonly hangs?: boolean; readonly requests?: number } = {},
): Promise<Value | Error> {
  let isOver = false
  const outcome = promise
    .catch((error: unknown) => error as Error)
    .finally(() => {
      isOver = true
    })
  for (let attempt = 1; ; attempt += 1) {
    await until(() => isOver || attempts() === attempt)
    if (isOver) return await outcome
    if (hangs) {
      if (requests > 0) await issuer.waitForRequests(attempt, 'jwks')
      // What the provider does send shall have come.
      await realTime(20)
      await clock.advance(3_000)
    }
    // An attempt has two timers, the pause after it has one.
    await until(() => isOver || clock.pendingTimers === 1)
    if (!isOver) await clock.advance(250 * 2 ** (attempt - 1))
  }
}

/** How many sockets, of the registry and of the issuer, this process has. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length
}
