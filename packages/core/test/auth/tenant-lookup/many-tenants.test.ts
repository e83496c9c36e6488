import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { startLookup } from './lookup-scene.ts'

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `tenant-${index}`)

describe('many looked-up tenants', () => {
  it('on first contact at once cost one lookup and one fetch each: 1 000 tenants', async () => {
    const fetched: string[] = []
    let jwks = ''
    // In memory: a thousand connections would measure the machine.
    const request = async ({ origin }: { readonly origin: string }) => {
      fetched.push(origin)
      return { statusCode: 200, headers: {}, body: Readable.from([Buffer.from(jwks)]) }
    }
    const options = { dispatcher: { request }, allowAddresses: undefined }
    const { issuer, rows, sign, verdict, lookUps } = await startLookup(options)
    jwks = JSON.stringify(issuer.jwks)
    const tenants = ids(1_000)
    const origins = tenants.map((id) => `https://${id}.example`)
    for (const id of tenants) rows.set(id, { issuer: `https://${id}.example`, jwksUri: `https://${id}.example/jwks` })
    const tokens = await Promise.all(origins.map((iss) => sign({ iss })))
    // Each of them twice at the same time.
    const requests = tenants.flatMap((id, index) => [
      verdict(id, tokens[index] ?? ''),
      verdict(id, tokens[index] ?? ''),
    ])
    expect(new Set(await Promise.all(requests))).toEqual(new Set(['accepted']))
    expect(lookUps.toSorted()).toEqual(tenants.toSorted())
    expect(fetched.toSorted()).toEqual(origins.toSorted())
  })

  it('of one issuer cost one fetch in all: 200 tenants', async () => {
    const { issuer, rows, sign, verdict, lookUps } = await startLookup()
    const tenants = ids(200)
    const row = rows.get('acme') as object
    for (const id of tenants) rows.set(id, { ...row, boundClaims: { org_id: id } })
    const tokens = await Promise.all(tenants.map((id) => sign({ org_id: id })))
    const verdicts = await Promise.all(tenants.map((id, index) => verdict(id, tokens[index] ?? '')))
    expect(new Set(verdicts)).toEqual(new Set(['accepted']))
    expect(lookUps).toHaveLength(200)
    expect(issuer.requestCount('jwks')).toBe(1)
    expect(await verdict('tenant-1', tokens[0] ?? '')).toBe('ERR_CLAIM_NOT_BOUND')
  })

  it('are looked up 16 at once', async () => {
    const scene = await startLookup()
    let running = 0
    let most = 0
    scene.override = async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise(setImmediate)
      running -= 1
      return undefined
    }
    const token = await scene.sign()
    await Promise.all(ids(100).map((id) => scene.verdict(id, token)))
    expect(scene.lookUps).toHaveLength(100)
    expect(most).toBe(16)
  })

  it('beyond max leave memory, and come back with another lookup', async () => {
    const { authenticator, rows, sign, verdict, lookUps } = await startLookup({ tenantCache: { max: 2 } })
    const row = rows.get('acme') as object
    const tenants = ids(3)
    for (const id of tenants) rows.set(id, { ...row, boundClaims: { org_id: id } })
    for (const id of tenants) expect(await verdict(id, await sign({ org_id: id }))).toBe('accepted')
    expect(authenticator.registry.statuses().map(({ tenant }) => tenant)).toEqual(['tenant-1', 'tenant-2'])
    expect(await verdict('tenant-0', await sign({ org_id: 'tenant-0' }))).toBe('accepted')
    expect(lookUps).toEqual([...tenants, 'tenant-0'])
  })

  it('beyond max serve the requests that are waiting for their keys', async () => {
    const { rows, sign, verdict } = await startLookup({ tenantCache: { max: 1 } })
    const row = rows.get('acme') as object
    const tenants = ids(20)
    for (const id of tenants) rows.set(id, { ...row, boundClaims: { org_id: id } })
    const tokens = await Promise.all(tenants.map((id) => sign({ org_id: id })))
    const verdicts = await Promise.all(tenants.map((id, index) => verdict(id, tokens[index] ?? '')))
    expect(new Set(verdicts)).toEqual(new Set(['accepted']))
  })
})

describe('forged ids', () => {
  it('evict no tenant, and take no more memory than max', async () => {
    const { authenticator, sign, verdict, lookUps } = await startLookup({ tenantCache: { max: 10 } })
    const token = await sign()
    expect(await verdict('acme', token)).toBe('accepted')
    for (const id of ids(50)) expect(await verdict(id, token)).toBe('ERR_TENANT_UNKNOWN')
    expect(await verdict('acme', token)).toBe('accepted')
    expect(lookUps.filter((id) => id === 'acme')).toHaveLength(1)
    expect(authenticator.registry.statuses()).toHaveLength(1)
    // The last ten are remembered, the others are not.
    expect(await verdict('tenant-49', token)).toBe('ERR_TENANT_UNKNOWN')
    expect(lookUps).toHaveLength(51)
    expect(await verdict('tenant-0', token)).toBe('ERR_TENANT_UNKNOWN')
    expect(lookUps).toHaveLength(52)
  })

  it('that wait for slow lookups do not delay a tenant that is in use', async () => {
    const scene = await startLookup({ tenantCache: { ttl: 1_000 } })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    const pending: (() => void)[] = []
    scene.override = (id) =>
      id === 'acme' ? scene.rows.get(id) : new Promise<void>((resolve) => pending.push(resolve))
    const forged = ids(100).map((id) => scene.verdict(id, token))
    await scene.clock.advance(1_000)
    const asking = scene.verdict('acme', token)
    await expect.poll(() => pending.length).toBe(16)
    pending.shift()?.()
    expect(await asking).toBe('accepted')
    expect(scene.lookUps.filter((id) => id !== 'acme').length).toBeLessThan(100)
    while (scene.lookUps.length < 102 || pending.length > 0) {
      pending.shift()?.()
      await new Promise(setImmediate)
    }
    await Promise.all(forged)
  })
})
