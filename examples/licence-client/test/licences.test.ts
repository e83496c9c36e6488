import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestIssuer, snapshotStoreContract, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLicences, type Licences } from '../src/licences.ts'
import { type Settings, settingsStore } from '../src/settings-store.ts'

const audience = 'drawing-app'

async function startIssuer(): Promise<TestIssuer> {
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  onTestFinished(() => issuer.close())
  return issuer
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'licences-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  return directory
}

/** An installation of the product: what is closed and created again is a restart. */
function start({ issuer, jwksUri }: TestIssuer, keys: Parameters<typeof createLicences>[0]): Licences {
  const licences = createLicences({ issuer, jwksUri, requireHttps: false, retryPolicy: { maxRetries: 0 }, ...keys })
  onTestFinished(() => licences.close())
  return licences
}

/** A licence for a year. */
function sign(issuer: TestIssuer, claims = {}, overrides = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 365 * 86_400
  return issuer.sign({ sub: 'Acme Ltd', scope: 'export print', exp, ...claims }, overrides)
}

describe.each([
  ['in a directory', async () => ({ publicKeyPath: await temporaryDirectory() })],
  ['in a store of its own', async () => ({ store: settingsStore(new Map<string, string>()) })],
])('a licence client with keys %s', (_, createKeys) => {
  it('asks the endpoint once for a key, and starts offline from then on', async () => {
    const issuer = await startIssuer()
    const keys = await createKeys()
    const first = start(issuer, keys)
    const result = await first.verify(await sign(issuer))
    expect(result).toMatchObject({
      ok: true,
      licence: { customer: 'Acme Ltd', features: new Set(['export', 'print']) },
    })
    expect(issuer.requestCount()).toBe(1)
    expect(await first.verify(await sign(issuer, { sub: 'Globex' }))).toMatchObject({ ok: true })
    await first.close()
    await issuer.stop()

    const offline = start(issuer, keys)
    expect(await offline.verify(await sign(issuer))).toMatchObject({ ok: true })
    expect(issuer.requestCount()).toBe(1)
  })

  it('asks the endpoint again for a key that is missing, and for nothing else', async () => {
    const issuer = await startIssuer()
    const keys = await createKeys()
    const first = start(issuer, keys)
    await first.verify(await sign(issuer))
    await first.close()
    issuer.clearRequests()
    await issuer.rotate({ keepPrevious: false })

    const second = start(issuer, keys)
    expect(await second.verify(await sign(issuer))).toMatchObject({ ok: true })
    expect(issuer.requests.map(({ endpoint }) => endpoint)).toEqual(['jwks'])
    await second.close()
    await issuer.stop()
    const third = start(issuer, keys)
    expect(await third.verify(await sign(issuer))).toMatchObject({ ok: true })
    expect(issuer.requestCount()).toBe(1)
  })
})

describe('a licence client', () => {
  it('tells a licence that cannot be verified now from one that is not valid', async () => {
    const issuer = await startIssuer()
    const keys = { publicKeyPath: await temporaryDirectory() }
    const licence = await sign(issuer)
    await issuer.stop()
    const licences = start(issuer, keys)
    expect(await licences.verify(licence)).toEqual({ ok: false, reason: 'unavailable' })
    await licences.close()

    await issuer.start()
    const online = start(issuer, keys)
    expect(await online.verify(licence)).toMatchObject({ ok: true })
    expect(await online.verify(await sign(issuer, { exp: Math.floor(Date.now() / 1000) - 60 }))).toEqual({
      ok: false,
      reason: 'expired',
    })
    const forged = await sign(issuer, {}, { signWith: (await startIssuer()).signingKey.privateJwk })
    for (const bad of [forged, await sign(issuer, { aud: 'other-app' }), '', 'no licence']) {
      expect(await online.verify(bad)).toEqual({ ok: false, reason: 'invalid' })
    }
  })
})

describe('the store of the licence client', () => {
  const contract = snapshotStoreContract(() => {
    const settings: Settings = new Map<string, string>()
    return { open: () => settingsStore(settings) }
  })
  it.each(contract)('$name', ({ run }) => run())
})
