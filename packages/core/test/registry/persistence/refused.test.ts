import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createManualClock, memoryStore, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { fileStore, type ProviderRegistration, type RegistryOptions, type SnapshotStore } from '../../../src/index.ts'
import { createSnapshotSigner } from '../../../src/stores/integrity.ts'
import {
  integrityKey,
  key,
  provider,
  registrationOf,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
} from '../process.ts'
import { registryOn } from './registry-on.ts'

/** A store with a good snapshot of the issuer in it. */
async function warmStore(options: RegistryOptions = { integrityKey }) {
  const issuer = await startIssuer()
  const store = memoryStore()
  await startProcessWithKeys({ issuer, registry: { store, ...options } })
  const [kept] = store.snapshots
  issuer.clearRequests()
  return { issuer, store, snapshot: kept?.snapshot }
}

/** Why a registry on this store refuses what it loads for a registration: nothing, where it takes it. */
async function reasonsOf(store: SnapshotStore, registration: ProviderRegistration, options: RegistryOptions) {
  const { registry, told } = registryOn({ store, ...options })
  await registry.register(registration)
  const reasons = told('snapshot-refused').map((event) => Reflect.get(event, 'reason'))
  expect(registry.status(registration.tenant, registration.provider).source).toBe(reasons[0] ? 'none' : 'store')
  return reasons
}

/** What is signed in a snapshot. */
function payloadOf(snapshot: unknown) {
  const verified = createSnapshotSigner([integrityKey]).verify(snapshot)
  if (!verified.ok) throw new Error('the snapshot is refused')
  return structuredClone(verified.payload) as {
    kind: string
    binding: object
    entry: { version: number; keys: object[] }
  }
}

describe('a snapshot that was made for something else', () => {
  const changes: readonly (readonly [string, (issuer: TestIssuer) => Partial<ProviderRegistration>])[] = [
    ['another issuer', () => ({ issuer: 'https://other.example' })],
    ['one more issuer', ({ issuer }) => ({ issuer: [issuer, 'https://other.example'] })],
    ['no issuer', () => ({ issuer: undefined })],
    ['another URI', ({ jwksUri }) => ({ jwksUri: `${jwksUri}?other` })],
    ['a URI that is discovered', () => ({ jwksUri: undefined })],
    ['other address rules', () => ({ network: 'public', allowAddresses: ['127.0.0.1'] })],
    ['other exempt addresses', () => ({ allowAddresses: ['127.0.0.1'] })],
    ['narrower domains', () => ({ allowedDomains: ['127.0.0.1'] })],
    ['immutable keys', () => ({ keyLifetime: 'immutable' })],
  ]

  it.each(changes)('is refused: %s', async (_, change) => {
    const { issuer, store } = await warmStore()
    const registration = registrationOf(issuer)
    expect(await reasonsOf(store, registration, { integrityKey })).toEqual([])
    expect(await reasonsOf(store, { ...registration, ...change(issuer) }, { integrityKey })).toEqual(['binding'])
    expect(issuer.requestCount()).toBe(0)
  })

  it.each([
    ['tenant', { tenant: 'globex', provider }],
    ['provider', { tenant, provider: 'other' }],
    ['spelling of the tenant', { tenant: 'Acme', provider }],
  ])('is refused under the name of another %s', async (_, name) => {
    const { issuer, store, snapshot } = await warmStore()
    store.put(name, snapshot)
    const { registry, told } = registryOn({ store, integrityKey })
    await registry.register({ ...registrationOf(issuer), ...name })
    expect(told('snapshot-refused')).toEqual([{ ...name, reason: 'binding' }])
    await registry.resolve(name.tenant, name.provider)
    expect(issuer.requestCount('jwks')).toBe(1)
  })
})

describe('a signed record in the place of a snapshot', () => {
  it.each<[string, (payload: ReturnType<typeof payloadOf>) => unknown, string]>([
    ['a revocation', () => ({ kind: 'revocation', key, record: {} }), 'malformed'],
    ['a list of revocations', () => ({ kind: 'revocations', key, records: [] }), 'malformed'],
    ['what was set aside', (payload) => ({ kind: 'refused', refused: payload }), 'malformed'],
    ['an entry without its kind', ({ kind: _, ...payload }) => payload, 'malformed'],
    ['an entry of another version', (payload) => ({ ...payload, entry: { ...payload.entry, version: 2 } }), 'version'],
    ['no entry', (payload) => ({ ...payload, entry: null }), 'malformed'],
    ['an entry without keys', (payload) => ({ ...payload, entry: { ...payload.entry, keys: [] } }), 'no-usable-keys'],
  ])('is refused: %s', async (_, change, reason) => {
    const { issuer, store, snapshot } = await warmStore()
    store.put(key, createSnapshotSigner([integrityKey]).sign(change(payloadOf(snapshot)), null))
    const { told, resolve } = await startProcess({ issuer, registry: { store, integrityKey } })
    expect(told('snapshot-refused')).toEqual([{ ...key, reason }])
    expect(await resolve()).toEqual(['key-1'])
  })

  it('has its version looked at before anything else', async () => {
    const { issuer, store, snapshot } = await warmStore()
    store.put(key, { ...Object(snapshot), version: 2 })
    const { told } = await startProcess({ issuer, registry: { store, integrityKey } })
    expect(told('snapshot-refused')).toEqual([{ ...key, reason: 'version' }])
  })
})

describe('the keys in a signed snapshot', () => {
  it('are judged again', async () => {
    const { issuer, store, snapshot } = await warmStore()
    const payload = payloadOf(snapshot)
    const [published] = payload.entry.keys
    const keys = [
      published,
      { kty: 'oct', k: 'AAAA', kid: 'secret' },
      { kty: 'RSA', n: Buffer.alloc(128, 0xff).toString('base64url'), e: 'AQAB', kid: 'short' },
      { ...published, kid: 'private', d: 'AAAA' },
      'no key',
    ]
    store.put(key, createSnapshotSigner([integrityKey]).sign({ ...payload, entry: { ...payload.entry, keys } }, null))
    const { told, kids, resolve, toldKids } = await startProcess({ issuer, registry: { store, integrityKey } })
    // The public copy of a key whose private half is there is not trusted either.
    expect(kids()).toEqual([])
    expect(told('snapshot-refused')).toEqual([{ ...key, reason: 'no-usable-keys' }])
    expect(toldKids('key-added')).toEqual([])
    expect(await resolve()).toEqual(['key-1'])
  })

  it('are refused one by one, the others serve', async () => {
    const { issuer, store, snapshot } = await warmStore()
    const payload = payloadOf(snapshot)
    const keys = [...payload.entry.keys, { kty: 'oct', k: 'AAAA', kid: 'secret' }]
    store.put(key, createSnapshotSigner([integrityKey]).sign({ ...payload, entry: { ...payload.entry, keys } }, null))
    const { told, kids } = await startProcess({ issuer, registry: { store, integrityKey } })
    expect(kids()).toEqual(['key-1'])
    expect(told('keys-refused')).toEqual([{ ...key, count: 1, refused: [{ kid: 'secret', reason: 'symmetric' }] }])
  })

  it('are bounded by maxKeys of today', async () => {
    const { issuer, store, snapshot } = await warmStore()
    const payload = payloadOf(snapshot)
    const keys = [...payload.entry.keys, ...payload.entry.keys.map((jwk) => ({ ...jwk, kid: 'second' }))]
    store.put(key, createSnapshotSigner([integrityKey]).sign({ ...payload, entry: { ...payload.entry, keys } }, null))
    const options = { issuer, registry: { store, integrityKey } }
    expect((await startProcess(options)).kids()).toEqual(['key-1', 'second'])
    expect((await startProcess({ ...options, provider: { maxKeys: 1 } })).kids()).toEqual(['key-1'])
  })
})

describe('what is refused', () => {
  it('is kept aside byte for byte by the file store, and the others load', async () => {
    const issuer = await startIssuer()
    const directory = temporaryDirectory()
    const store = fileStore({ directory })
    const { registry, saved, told } = await startProcessWithKeys({ issuer, registry: { store, integrityKey } })
    await registry.register({ ...registrationOf(issuer), provider: 'other' })
    await registry.resolve(tenant, 'other')
    await registry.persistAll()
    await saved()
    expect(told('store-failed')).toEqual([])
    const names = readdirSync(directory).filter((name) => name.endsWith('.json'))
    const name = names.find((file) => file.includes('-main-')) ?? ''
    const file = fileStore({ directory })
    await file.save(key, { ...Object(await file.load(key)), integrity: 'hmac-sha256:forged' })
    const forged = readFileSync(join(directory, name))

    const restarted = registryOn({ store: fileStore({ directory }), integrityKey })
    for (const of of [provider, 'other']) await restarted.registry.register({ ...registrationOf(issuer), provider: of })
    expect(restarted.told('snapshot-refused')).toEqual([{ ...key, reason: 'integrity' }])
    expect(restarted.told('snapshot-loaded')).toEqual([{ tenant, provider: 'other' }])
    expect(readFileSync(join(directory, name.replace('.json', '.refused')))).toEqual(forged)
  })

  it('is kept aside under a name of its own by a store with three methods only', async () => {
    const { issuer, store, snapshot } = await warmStore()
    const forged = { ...Object(snapshot), integrity: 'hmac-sha256:forged' }
    store.put(key, forged)
    const { resolve, saved } = await startProcess({ issuer, registry: { store, integrityKey } })
    await resolve()
    await saved()
    const aside = store.snapshots.find(({ key: of }) => of.provider === '.refused.main')?.snapshot
    expect(createSnapshotSigner([integrityKey]).verify(aside)).toMatchObject({ ok: true, payload: { refused: forged } })
    const now = store.snapshots.find(({ key: of }) => of.provider === provider)?.snapshot
    expect(createSnapshotSigner([integrityKey]).verify(now)).toMatchObject({ ok: true })
  })

  it('is reported once, however often it is loaded, and again when it comes back', async () => {
    const { issuer, store, snapshot } = await warmStore()
    const forged = { ...Object(snapshot), integrity: 'hmac-sha256:forged' }
    store.put(key, forged)
    const { registry, told, clock, saved } = await startProcess({ issuer, registry: { store, integrityKey } })
    await registry.restore()
    await registry.restore()
    expect(told('snapshot-refused')).toHaveLength(1)
    await registry.resolve(tenant, provider)
    await saved()
    await clock.advance(1_000)
    store.put(key, forged)
    await registry.restore()
    expect(told('snapshot-refused')).toHaveLength(2)
  })
})

describe('integrityKey', () => {
  const [oldKey, newKey] = ['o'.repeat(32), 'n'.repeat(32)]

  it.each([
    ['the same key', oldKey, oldKey, []],
    ['another key', oldKey, newKey, ['integrity']],
    ['a list that still has it', oldKey, [newKey, oldKey], []],
    ['a list that no longer has it', [oldKey, 'x'.repeat(32)], [newKey, 'x'.repeat(32)], ['integrity']],
    ['no key, after one', oldKey, undefined, ['integrity']],
    ['false, after one', oldKey, false as const, ['integrity']],
    ['a key, after none', undefined, oldKey, ['integrity']],
  ])('decides who reads what: %s', async (_, writing, reading, expected) => {
    const optionsFor = (key: typeof writing | false) => (key === undefined ? {} : { integrityKey: key })
    const { issuer, store } = await warmStore(optionsFor(writing))
    expect(await reasonsOf(store, registrationOf(issuer), optionsFor(reading))).toEqual(expected)
  })

  it('signs with the first of a list', async () => {
    const { issuer, store } = await warmStore({ integrityKey: [newKey, oldKey] })
    expect(await reasonsOf(store, registrationOf(issuer), { integrityKey: newKey })).toEqual([])
    expect(await reasonsOf(store, registrationOf(issuer), { integrityKey: oldKey })).toEqual(['integrity'])
  })

  it('lets no replayed snapshot outlive its time', async () => {
    const { issuer, store, snapshot } = await warmStore()
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    store.put(key, snapshot)
    const clock = createManualClock()
    const now = clock.now() + 600_000
    const { resolve } = await startProcess({ issuer, registry: { store, integrityKey }, now })
    expect(await resolve()).toEqual(['new'])
  })
})
