import { EventEmitter, once } from 'node:events'
import { expect, it } from 'vitest'
import { fleetPlace, fleetStore } from '../../../../testing/test/fleet-store.ts'
import type { ProviderKey, VersionedSnapshot } from '../../../src/index.ts'
import { integrityKey, provider, startIssuer, startProcess, startProcessWithKeys, tenant, until } from '../process.ts'

/** Two processes of a fleet, the second of which hears nothing any more but what it is told by `tell`. */
async function startFleet() {
  const issuer = await startIssuer()
  await issuer.addKey()
  const place = fleetPlace()
  const registry = { store: fleetStore(place), integrityKey }
  const first = await startProcessWithKeys({ issuer, registry })
  const before = new Set(place.listeners)
  const second = await startProcess({ issuer, registry })
  const [tell] = [...place.listeners].filter((listener) => !before.has(listener))
  if (tell === undefined) throw new Error('the second process does not listen')
  place.listeners.delete(tell)
  return { issuer, place, first, second, tell }
}

it('a new key that another process found while notices were interrupted is there once they come again', async () => {
  const { issuer, first, second, tell } = await startFleet()
  await issuer.rotate({ kid: 'new' })
  for (const { clock } of [first, second]) await clock.advance(1_000)
  await first.registry.refresh(tenant, provider)
  await until(() => first.told('snapshot-saved').length === 2)
  expect(second.kids()).not.toContain('new')
  tell({ kind: 'resumed' })
  await until(() => second.kids().includes('new'))
  expect(issuer.requestCount('jwks')).toBe(2)
})

it('a new key that another process saved while the old ones were being read is there all the same', async () => {
  const issuer = await startIssuer()
  const place = fleetPlace()
  const first = await startProcessWithKeys({ issuer, registry: { store: fleetStore(place), integrityKey } })
  const { store, isHolding, hold, letGo } = slowToAnswer(fleetStore(place))
  const second = await startProcess({ issuer, registry: { store, integrityKey } })
  hold()
  const restored = second.registry.restore()
  await until(isHolding)
  await issuer.rotate({ kid: 'new' })
  for (const { clock } of [first, second]) await clock.advance(100)
  await first.registry.refresh(tenant, provider)
  await until(() => first.told('snapshot-saved').length === 2)
  letGo()
  expect((await restored).unchanged).toHaveLength(1)
  await until(() => second.kids().includes('new'))
})

it('a key that another process revoked while notices were interrupted is refused once they come again', async () => {
  const { issuer, first, second, tell } = await startFleet()
  const token = await issuer.sign()
  await first.registry.revokeKey(tenant, provider, 'key-1')
  expect(await second.verdict(token)).not.toBe('ERR_KEY_REVOKED')
  tell({ kind: 'resumed' })
  await until(() => second.told('key-revoked').length === 1)
  expect(await second.verdict(token)).toBe('ERR_KEY_REVOKED')
})

it('what the store lost while notices were interrupted is written again once they come again', async () => {
  const { place, second, tell } = await startFleet()
  place.snapshots.clear()
  place.generations.clear()
  tell({ kind: 'resumed' })
  await until(() => place.snapshots.size === 1)
  expect(second.told('snapshot-saved')).toHaveLength(1)
})

/** A store that reads, and keeps what it has read to itself until it is told to let go. */
function slowToAnswer(inner: ReturnType<typeof fleetStore>) {
  const gate = new EventEmitter()
  let [isOpen, isHolding] = [true, false]
  const load = async (key: ProviderKey): Promise<VersionedSnapshot> => {
    const read = await inner.coordination.load(key)
    if (isOpen) return read
    isHolding = true
    await once(gate, 'open')
    return read
  }
  return {
    store: { ...inner, coordination: { ...inner.coordination, load } },
    isHolding: () => isHolding,
    hold: () => {
      isOpen = false
    },
    letGo: () => {
      isOpen = true
      gate.emit('open')
    },
  }
}
