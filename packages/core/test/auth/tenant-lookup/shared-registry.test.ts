import { audience, authenticate, startAuthenticator } from '@jwks-auth/test-support/start'
import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRegistry, type JwksAuthOptions, tenantFromHeader } from '../../../src/index.ts'
import { startLookup } from './lookup-scene.ts'

async function startTwo() {
  const registry = createRegistry({ requireHttps: false })
  onTestFinished(() => registry.close())
  const scene = await startLookup({ registry, tenantCache: { ttl: 0 } })
  const other = startAuthenticator({
    registry,
    requireHttps: undefined,
    audience,
    tenant: tenantFromHeader('x-tenant'),
    tenants: async (id: string) => scene.rows.get(id),
    allowAddresses: ['127.0.0.1'],
    retryPolicy: { maxRetries: 0 },
  } as JwksAuthOptions)
  const otherVerdict = async (tenant: string, token: string) => {
    const outcome = await authenticate(other, token, { headers: { 'x-tenant': tenant } })
    return outcome.ok ? 'accepted' : outcome.error.code
  }
  return { ...scene, registry, other, otherVerdict }
}

describe('authenticators that look tenants up and share a registry', () => {
  it('share keys', async () => {
    const { issuer, sign, verdict, otherVerdict } = await startTwo()
    expect(await verdict('acme', await sign())).toBe('accepted')
    expect(await otherVerdict('acme', await sign())).toBe('accepted')
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('keep a provider until the last one has closed', async () => {
    const { authenticator, other, registry, sign, verdict, otherVerdict } = await startTwo()
    await verdict('acme', await sign())
    await otherVerdict('acme', await sign())
    await authenticator.close()
    expect(registry.statuses()).toHaveLength(1)
    expect(await otherVerdict('acme', await sign())).toBe('accepted')
    await other.close()
    expect(registry.statuses()).toEqual([])
  })

  it('follow a change that the other one has found first', async () => {
    const { rows, sign, verdict, otherVerdict } = await startTwo()
    expect(await otherVerdict('acme', await sign())).toBe('accepted')
    expect(await verdict('acme', await sign())).toBe('accepted')
    rows.set('acme', { ...(rows.get('acme') as object), issuer: 'https://next.example' })
    expect(await verdict('acme', await sign({ iss: 'https://next.example' }))).toBe('accepted')
    expect(await otherVerdict('acme', await sign({ iss: 'https://next.example' }))).toBe('accepted')
    expect(await otherVerdict('acme', await sign())).toBe('ERR_ISSUER_NOT_ALLOWED')
  })

  it('leave what the application has registered, and do not contradict it', async () => {
    const { authenticator, issuer, registry, rows, sign, verdict, events } = await startTwo()
    await registry.register({
      tenant: 'acme',
      provider: 'default',
      ...(rows.get('acme') as { issuer: string }),
      allowAddresses: ['127.0.0.1'],
      retryPolicy: { maxRetries: 0 },
    })
    expect(await verdict('acme', await sign())).toBe('accepted')
    rows.set('acme', { issuer: 'https://next.example', jwksUri: issuer.jwksUri })
    expect(await verdict('acme', await sign())).toBe('accepted')
    expect(events('tenant-lookup-failed')[0]?.error.cause).toMatchObject({ code: 'ERR_PROVIDER_TAKEN' })
    await authenticator.close()
    expect(registry.statuses()).toHaveLength(1)
  })
})

describe('a looked-up tenant and a store', () => {
  it('keeps its stored keys when it leaves memory, and loses them when it is removed', async () => {
    const store = memoryStore()
    const scene = await startLookup({ store, integrityKey: false, tenantCache: { max: 1 } })
    const row = scene.rows.get('acme') as object
    scene.rows.set('globex', { ...row, issuer: 'https://globex.example' })
    const stored = async (tenant: string) => (await store.load({ tenant, provider: 'default' })) !== undefined
    expect(await scene.verdict('acme', await scene.sign())).toBe('accepted')
    expect(await scene.verdict('globex', await scene.sign({ iss: 'https://globex.example' }))).toBe('accepted')
    await expect.poll(() => stored('globex')).toBe(true)
    expect(await stored('acme')).toBe(true)
    scene.rows.delete('globex')
    scene.authenticator.invalidateTenant('globex')
    expect(await scene.verdict('globex', await scene.sign({ iss: 'https://globex.example' }))).toBe(
      'ERR_TENANT_UNKNOWN',
    )
    await expect.poll(() => stored('globex')).toBe(false)
    // Back in memory from the store, without a fetch.
    scene.issuer.clearRequests()
    expect(await scene.verdict('acme', await scene.sign())).toBe('accepted')
    expect(scene.issuer.requestCount('jwks')).toBe(0)
  })

  it('stays revoked when it leaves memory', async () => {
    const scene = await startLookup({ tenantCache: { max: 1 } })
    scene.rows.set('globex', { ...(scene.rows.get('acme') as object), issuer: 'https://globex.example' })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    await scene.authenticator.registry.revokeKey('acme', 'default', 'key-1')
    expect(await scene.verdict('globex', await scene.sign({ iss: 'https://globex.example' }))).toBe('accepted')
    expect(scene.authenticator.registry.statuses().map(({ tenant }) => tenant)).toEqual(['globex'])
    expect(await scene.verdict('acme', token)).toBe('ERR_KEY_REVOKED')
  })
})
