import { setImmediate as macrotask } from 'node:timers/promises'
import { createManualClock, createTestIssuer, type ManualClock, type TestIssuer } from '@jwks-auth/testing'
import { afterEach } from 'vitest'
import {
  createAuthenticator,
  createRegistry,
  type JwksAuthOptions,
  type ProviderOptions,
  type ProviderRegistration,
  type Registry,
  type RegistryEvents,
  type RegistryOptions,
} from '../../src/index.ts'

/** A registry on a clock that the test owns, and an issuer on a real socket. */
export interface Scene {
  readonly clock: ManualClock
  readonly issuer: TestIssuer
  readonly registry: Registry
  readonly registration: ProviderRegistration
  /** What happened, oldest first. */
  readonly events: readonly RecordedEvent[]
  /** `registry.resolve` for the one provider that is registered. */
  resolve(kid?: string): Promise<readonly (string | undefined)[]>
  /** The status of that provider. */
  status(): ReturnType<Registry['status']>
  /** Lets virtual time pass, a step at a time; what begins within a step has ended before the next one. */
  pass(milliseconds: number, step?: number): Promise<void>
}

export interface RecordedEvent {
  readonly type: keyof RegistryEvents
  readonly event: RegistryEvents[keyof RegistryEvents]
}

export interface SceneOptions {
  readonly issuer?: Parameters<typeof createTestIssuer>[0]
  readonly registry?: RegistryOptions
  readonly provider?: Partial<ProviderRegistration>
}

/** One attempt that only the test can run out of time, so that real time plays no part. */
export const unhurried: NonNullable<ProviderOptions['retryPolicy']> = {
  maxRetries: 0,
  attemptTimeout: 3_600_000,
  deadline: 3_600_000,
}

export const tenant = 'acme'
export const provider = 'main'

const eventTypes: readonly (keyof RegistryEvents)[] = [
  'fetch',
  'refresh',
  'refresh-failed',
  'stale',
  'key-added',
  'key-removed',
  'key-changed',
  'keys-refused',
  'unknown-kid',
  'evicted',
]
const cleanUps: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** Sets the scene with one provider, `acme/main`; everything is closed after the test. */
export async function setScene(options: SceneOptions = {}): Promise<Scene> {
  const clock = createManualClock()
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api', clock, ...options.issuer })
  cleanUps.push(() => issuer.close())
  const registry = createRegistry({ requireHttps: false, clock, ...options.registry })
  cleanUps.push(() => registry.close())
  const events: RecordedEvent[] = []
  for (const type of eventTypes) registry.on(type, (event) => events.push({ type, event }))
  const registration: ProviderRegistration = {
    tenant,
    provider,
    issuer: issuer.issuer,
    jwksUri: issuer.jwksUri,
    network: options.registry?.dispatcher === undefined ? 'any' : undefined,
    retryPolicy: unhurried,
    prefetchJitter: 0,
    ...options.provider,
  }
  await registry.register(registration)
  const status = (): ReturnType<Registry['status']> => registry.status(tenant, provider)
  return {
    clock,
    issuer,
    registry,
    registration,
    events,
    status,
    async resolve(kid) {
      const { keys } = await registry.resolve(tenant, provider, kid)
      return keys.map((key) => key.kid)
    },
    async pass(milliseconds, step = milliseconds) {
      for (let passed = 0; passed < milliseconds; passed += step) {
        await clock.advance(Math.min(step, milliseconds - passed))
        await until(() => !['loading', 'refreshing'].includes(status().state))
      }
    },
  }
}

/** Authenticates tokens of the scene's issuer with the keys of its registry. */
export function startAuthenticator(
  { registry, registration }: Scene,
  options: Pick<JwksAuthOptions, 'isRevoked'> = {},
) {
  const { tenant: name, provider: providerName, issuer = [], ...config } = registration
  const authenticator = createAuthenticator({
    registry,
    tenants: { [name]: { providers: { [providerName]: { ...config, issuer, audience: 'api' } } } },
    tenant: () => name,
    ...options,
  })
  return async (token: string) =>
    await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } })
}

/** Has something closed after the test. */
export function closeAfterwards(closable: { close(): Promise<void> }): void {
  cleanUps.push(() => closable.close())
}

/** Resolves once the condition holds; looks again whenever the event loop has come round. */
export async function until(condition: () => boolean, patience = 5_000): Promise<void> {
  const giveUpAt = performance.now() + patience
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${patience} ms in vain for ${condition.toString()}`)
    await macrotask()
  }
}

/** The outcome of something that must not have waited: only promise jobs may have run, no socket and no timer. */
export async function atOnce<Value>(promise: Promise<Value>): Promise<Value> {
  const late: unique symbol = Symbol('late')
  const first = await Promise.race([promise, macrotask(late)])
  if (first === late) throw new Error('the answer did not come at once')
  return first
}

/** Resolves with the next event of a type. */
export function nextEvent<Type extends keyof RegistryEvents>(
  registry: Registry,
  type: Type,
): Promise<RegistryEvents[Type]> {
  return new Promise((resolve) => {
    const stop = registry.on(type, (event) => {
      stop()
      resolve(event)
    })
  })
}

/** What a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not reject')
}
