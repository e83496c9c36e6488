import { createManualClock, createTestIssuer, type ManualClock, type TestIssuer } from '@jwks-auth/testing'
import {
  createAuthenticator,
  createRegistry,
  type ProviderRegistration,
  type Registry,
  type RegistryEvents,
  type RegistryOptions,
} from '../../src/index.ts'
import { registryEventTypes } from '../../src/jwks-cache/cache-events.ts'
import { closeAfterwards, unhurried, until } from '../jwks-cache/scene.ts'
import { temporaryDirectory } from '../stores/store-scene.ts'

export { closeAfterwards, rejectionOf, until } from '../jwks-cache/scene.ts'
export { temporaryDirectory } from '../stores/store-scene.ts'

export const tenant = 'acme'
export const provider = 'main'
export const key: { readonly tenant: string; readonly provider: string } = { tenant, provider }

/** The key of the registries that authenticate what they store. */
export const integrityKey = 'a secret of thirty-two bytes or more'

/** What happened in a registry, oldest first. */
export interface Told {
  readonly type: keyof RegistryEvents
  readonly event: RegistryEvents[keyof RegistryEvents]
}

/** A process of the application: a registry with a clock of its own, and an authenticator on it. */
export interface Process {
  readonly clock: ManualClock
  readonly registry: Registry
  /** The events of a type. */
  told<Type extends keyof RegistryEvents>(type: Type): readonly RegistryEvents[Type][]
  /** The `kid`s of the events of a type. */
  toldKids(type: 'key-added' | 'key-removed' | 'key-changed' | 'keys-refused' | 'key-forgotten'): readonly unknown[]
  /** `'accepted'`, or the code of the error that refused the token. */
  verdict(token: string): Promise<string>
  /** The `kid`s that verify now; does not fetch. */
  kids(): readonly string[]
  /** `registry.resolve` for the one provider. */
  resolve(kid?: string): Promise<readonly (string | undefined)[]>
  /** Settles when the keys are in the store. */
  saved(): Promise<void>
}

/** How a process is started. */
export interface ProcessOptions {
  readonly issuer: TestIssuer
  readonly registry?: RegistryOptions
  readonly provider?: Partial<ProviderRegistration>
  /** Default: the start of 2025. */
  readonly now?: number
  /** True where the registration is not waited for, as in an application that serves at once. Default `false`. */
  readonly isImpatient?: boolean
}

/** An issuer for the length of one test; its key is made fast. */
export async function startIssuer(options: Parameters<typeof createTestIssuer>[0] = {}): Promise<TestIssuer> {
  const clock = createManualClock()
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api', clock, ...options })
  closeAfterwards(issuer)
  return issuer
}

/** The registration of the issuer as `acme/main`. */
export function registrationOf(
  issuer: TestIssuer,
  options: Partial<ProviderRegistration> = {},
): ProviderRegistration & { readonly issuer: string } {
  const location = { issuer: issuer.issuer, jwksUri: issuer.jwksUri }
  return {
    tenant,
    provider,
    ...location,
    network: 'any',
    retryPolicy: unhurried,
    prefetchJitter: 0,
    ...options,
    ...{ issuer: issuer.issuer },
  }
}

/** Starts a process; it ends with the test, without saving anything then. */
export async function startProcess(options: ProcessOptions): Promise<Process> {
  const { issuer, now, isImpatient = false } = options
  const clock = createManualClock(now === undefined ? {} : { now })
  const registry = createRegistry({ requireHttps: false, clock, ...options.registry })
  closeAfterwards(registry)
  const events: Told[] = []
  for (const type of registryEventTypes) registry.on(type, (event) => events.push({ type, event }))
  const registration = registrationOf(issuer, options.provider)
  const registered = registry.register(registration)
  if (!isImpatient) await registered
  const authenticator = authenticatorOf(registry, registration)
  function told<Type extends keyof RegistryEvents>(type: Type): readonly RegistryEvents[Type][] {
    return events.flatMap((recorded) => (isOfType(recorded, type) ? [recorded.event] : []))
  }
  return {
    clock,
    registry,
    told,
    toldKids: (type) => told(type).map((event) => ('kid' in event ? event.kid : undefined)),
    async verdict(token) {
      const outcome = await authenticator.authenticate({
        method: 'GET',
        url: '/',
        headers: { authorization: `Bearer ${token}` },
      })
      return outcome.ok ? 'accepted' : outcome.error.code
    },
    kids: () => registry.status(registration.tenant, registration.provider).kids,
    async resolve(kid) {
      const { keys } = await registry.resolve(registration.tenant, registration.provider, kid)
      return keys.map((jwk) => jwk.kid)
    },
    saved: () => until(() => told('snapshot-saved').length > 0),
  }
}

/** A process that knows the issuer's keys and has written them down. */
export async function startProcessWithKeys(options: ProcessOptions): Promise<Process> {
  const started = await startProcess(options)
  await started.resolve()
  await started.saved()
  return started
}

/** Does all work that is under way and needs no time: sockets, files and what waits for them. */
export async function settle(rounds = 60): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets time pass, a step at a time, with the work of each step done before the next. */
export async function pass(clock: ManualClock, milliseconds: number, step = 500): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += step) {
    await clock.advance(Math.min(step, milliseconds - passed))
    await settle(20)
  }
}

/** A file store of its own; the directory goes with the test. */
export function inDirectory(): { readonly publicKeyPath: string; readonly integrityKey: string } {
  return { publicKeyPath: temporaryDirectory(), integrityKey }
}

function authenticatorOf(
  registry: Registry,
  { tenant: name, provider: providerOf, ...config }: ReturnType<typeof registrationOf>,
) {
  return createAuthenticator({
    registry,
    tenants: { [name]: { providers: { [providerOf]: { ...config, audience: 'api' } } } },
    tenant: () => name,
  })
}

function isOfType<Type extends keyof RegistryEvents>(
  recorded: Told,
  type: Type,
): recorded is { readonly type: Type; readonly event: RegistryEvents[Type] } {
  return recorded.type === type
}
