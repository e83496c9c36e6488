import { setTimeout } from 'node:timers/promises'
import {
  createManualClock,
  type ManualClock,
  type MemoryStorePart,
  memoryStore,
  type StoreMethod,
  storeMethods,
} from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  createAuthenticator,
  createRegistry,
  type Registry,
  type RegistryEvents,
  type SnapshotStore,
  StoreFailedError,
} from '../../src/index.ts'
import {
  closeAfterwards,
  integrityKey,
  provider,
  registrationOf,
  settle,
  startIssuer,
  tenant,
} from '../registry/process.ts'

/** All that JavaScript lets a method do instead of its work. */
const behaviours: readonly (readonly [string, () => unknown])[] = [
  ['throws', fail],
  ['rejects', () => Promise.reject(new Error('down'))],
  ['rejects with null', () => Promise.reject(nothing)],
  ['returns undefined', () => undefined],
  ['resolves with null', async () => null],
  ['returns 7', () => 7],
  ['resolves with text', async () => 'x'],
  ['resolves with a list', async () => []],
  ['resolves with a list of anything', async () => [undefined, null, 7, 'x', [], {}, nested()]],
  ['resolves with an empty object', async () => ({})],
  ['resolves with a function', async () => () => fail()],
  ['resolves with deeply nested lists', async () => nested()],
  ['resolves with an object whose members throw', async () => trap(['then'])],
  ['returns an object whose then throws', () => trap([])],
  ['never settles', () => new Promise(() => undefined)],
]

/** A promise may reject with anything, whatever its type says. */
const nothing: Error = JSON.parse('null')

function fail(): never {
  throw new Error('broken')
}

function nested(): unknown {
  return JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)
}

/** An object of which every member throws but these, which are absent. */
function trap(absent: readonly (string | symbol)[]): object {
  return new Proxy({}, { get: (_, name) => (absent.includes(name) ? undefined : fail()) })
}

/** The parts of a store in which this method is used: with coordination, `load` and `save` are not. */
function partsFor(method: StoreMethod): readonly MemoryStorePart[] {
  if (['load', 'save', 'delete'].includes(method)) return []
  if (['setAside', 'warnings'].includes(method)) return ['setAside', 'warnings']
  return ['setAside', 'warnings', 'revocations', 'coordination']
}

const hour = 3_600

function watchRejections() {
  const unhandled = vi.fn<(reason: unknown) => void>()
  process.on('unhandledRejection', unhandled)
  onTestFinished(() => void process.off('unhandledRejection', unhandled))
  return unhandled
}

type Issuer = Awaited<ReturnType<typeof startIssuer>>

/** A process of a fleet whose clock the test shares between all of them. */
function startProcess(store: SnapshotStore, clock: ManualClock, issuer: Issuer) {
  const registry = createRegistry({ requireHttps: false, clock, store, integrityKey })
  closeAfterwards(registry)
  const failed: RegistryEvents['store-failed'][] = []
  registry.on('store-failed', (event) => failed.push(event))
  const { tenant: _, provider: __, ...config } = registrationOf(issuer)
  const authenticator = createAuthenticator({
    registry,
    tenants: { [tenant]: { providers: { [provider]: { ...config, audience: 'api' } } } },
    tenant: () => tenant,
  })
  return {
    registry,
    failed,
    async verdict(token: string): Promise<string> {
      const headers = { authorization: `Bearer ${token}` }
      const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers })
      return outcome.ok ? 'accepted' : outcome.error.code
    },
  }
}

/** Lets virtual time pass until the promise is settled; it passes slowly enough for what goes through real sockets. */
async function inTime<Value>(clock: ManualClock, promise: Promise<Value>): Promise<Value> {
  const state = { isSettled: false }
  const settled = promise.finally(() => {
    state.isSettled = true
  })
  settled.catch(() => undefined)
  await settle(10)
  const giveUpAt = performance.now() + 10_000
  while (!state.isSettled && performance.now() < giveUpAt) {
    await clock.advance(50)
    await setTimeout(1)
  }
  expect(state.isSettled, 'settled').toBe(true)
  return await settled
}

async function pass(clock: ManualClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 1_000) {
    await clock.advance(1_000)
    await settle(10)
  }
}

/** Resolves, or rejects with a {@link StoreFailedError}. */
async function revoke(clock: ManualClock, registry: Registry, kid: string): Promise<void> {
  const revoked = registry.revokeKey(tenant, provider, kid)
  const error: unknown = await inTime(
    clock,
    revoked.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  )
  expect(error === undefined || error instanceof StoreFailedError).toBe(true)
}

async function startScene(parts: readonly MemoryStorePart[]) {
  const unhandled = watchRejections()
  const clock = createManualClock()
  const issuer = await startIssuer({ clock })
  issuer.setHeaders('jwks', { 'cache-control': 'max-age=60' })
  await issuer.addKey({ kid: 'to be revoked' })
  const store = memoryStore({ parts, clock })
  const sign = async (kid?: string): Promise<string> => {
    const key = issuer.keys.find((it) => it.kid === kid)
    const exp = Math.floor(clock.now() / 1_000) + hour
    return await issuer.sign({ exp }, key === undefined ? {} : { key })
  }
  return { unhandled, clock, issuer, store, sign, start: () => startProcess(store, clock, issuer) }
}

async function settled(unhandled: ReturnType<typeof watchRejections>): Promise<void> {
  await settle(10)
  expect(unhandled.mock.calls).toEqual([])
}

const cases = storeMethods.flatMap((method) => behaviours.map(([name, behave]) => [method, name, behave] as const))

describe('no request fails, and everything works again after, while of a store', () => {
  it.each(cases)('%s %s', async (method, name, behave) => {
    const { unhandled, clock, issuer, store, sign, start } = await startScene(partsFor(method))
    const first = start()
    const [good, revoked] = [await sign(), await sign('to be revoked')]
    expect(await inTime(clock, first.verdict(good))).toBe('accepted')
    // A provider whose snapshot is refused, so that it is set aside.
    store.put({ tenant, provider: 'damaged' }, { version: 1, payload: 'x', keepUntil: null, integrity: 'x' })

    store.misbehave(method, behave)
    const second = start()
    expect(await inTime(clock, second.verdict(good))).toBe('accepted')
    await inTime(clock, second.registry.register(registrationOf(issuer, { provider: 'damaged' })))
    await inTime(clock, second.registry.resolve(tenant, 'damaged'))
    await inTime(clock, second.registry.restore())

    // Refreshes that are due, and a rotation that a refetch finds.
    await pass(clock, 61_000)
    expect(await inTime(clock, second.verdict(good))).toBe('accepted')
    await issuer.rotate()
    const rotated = await sign()
    expect(await inTime(clock, second.verdict(rotated))).toBe('accepted')
    expect(await second.verdict(good)).toBe('accepted')

    // A provider that is down, whose failure is shared.
    await issuer.stop()
    await pass(clock, 65_000)
    expect(await inTime(clock, second.verdict(rotated))).toBe('accepted')
    expect(await inTime(clock, first.verdict(good))).toBe('accepted')
    await issuer.start()

    await revoke(clock, second.registry, 'to be revoked')
    expect(await second.verdict(revoked)).toBe('ERR_KEY_REVOKED')
    await inTime(clock, second.registry.unregister(tenant, 'damaged'))
    await pass(clock, 30_000)
    expect(await inTime(clock, second.verdict(rotated))).toBe('accepted')
    await settled(unhandled)

    store.recover()
    await pass(clock, 10_000)
    for (const { registry } of [first, second]) {
      const sides = registry.status(tenant, provider).failingStoreSides ?? []
      // A subscription that failed is not made again: only the store can do that. No other side fails with it.
      const mayFail = method === 'coordination.subscribe' && registry === second.registry
      expect(mayFail ? [[], ['coordinating']] : [[]]).toContainEqual(sides)
    }
    const third = start()
    expect(await inTime(clock, third.verdict(rotated))).toBe('accepted')
    const verdicts = canLie(method, name) ? ['accepted', 'ERR_KEY_REVOKED'] : ['ERR_KEY_REVOKED']
    expect(verdicts).toContain(await third.verdict(revoked))
    expect(await second.verdict(revoked)).toBe('ERR_KEY_REVOKED')
    for (const { registry } of [first, second, third]) await inTime(clock, registry.close())
    await settled(unhandled)
  })
})

/** True where a revocation may be lost, because the store says that it has saved it and has not. */
function canLie(method: StoreMethod, name: string): boolean {
  return ['revocations.save', 'save'].includes(method) && !/throws|rejects|settles/.test(name)
}
