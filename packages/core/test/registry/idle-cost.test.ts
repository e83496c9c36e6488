import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startRegistry } from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { expect, it } from 'vitest'
import { createAuthenticator } from '../../src/index.ts'

const TENANTS = 20_000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes that are in use. */
function used(): number {
  for (let round = 0; round < 4; round += 1) collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

it('an idle provider costs a registry less than a KiB, and no timer', async () => {
  const clock = createManualClock()
  const registry = startRegistry({ clock })
  const before = used()
  for (let at = 0; at < TENANTS; at += 1) {
    await registry.register({ tenant: `tenant-${at}`, provider: 'main', issuer: `https://tenant-${at}.auth.example/` })
  }
  expect((used() - before) / TENANTS).toBeLessThan(1_024)
  expect(clock.pendingTimers).toBe(0)
  expect(registry.statuses()).toHaveLength(TENANTS)
})

it('an idle tenant costs an authenticator and its registry together less than a KiB', async () => {
  const config = (at: number) => ({ issuer: `https://tenant-${at}.auth.example/`, staleWhileError: 60_000 })
  const tenants = Object.fromEntries(Array.from({ length: TENANTS }, (_, at) => [`tenant-${at}`, config(at)]))
  const before = used()
  const authenticator = createAuthenticator({
    tenants,
    tenant: () => 'tenant-1',
    audience: 'api',
    requiredClaims: ['sub'],
  })
  expect((used() - before) / TENANTS).toBeLessThan(1_024)
  await authenticator.close()
})
