import { audience } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { startLookup } from './lookup-scene.ts'

describe('two looked-up tenants with one issuer', () => {
  it('and nothing to tell them apart: the later one is refused, with an event', async () => {
    const scene = await startLookup()
    scene.rows.set('globex', scene.rows.get('acme'))
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    const outcome = await scene.outcome('globex', token)
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_ISSUER_SHARED' }, response: { status: 401 } })
    expect(JSON.stringify(outcome)).not.toMatch(/acme|globex/)
    expect(scene.events('issuer-shared')).toEqual([
      { tenant: 'globex', provider: 'default', issuer: scene.issuer.issuer, otherTenant: 'acme' },
    ])
    expect(await scene.verdict('acme', token)).toBe('accepted')
    expect(scene.authenticator.registry.statuses()).toHaveLength(1)
  })

  it.each([
    ['boundClaims', { boundClaims: { org_id: 'a' } }, { boundClaims: { org_id: 'b' } }],
    ['audience', { audience: 'a' }, { audience: 'b' }],
  ])('are accepted with different %s', async (_, one, other) => {
    const scene = await startLookup()
    const row = scene.rows.get('acme') as object
    scene.rows.set('acme', { ...row, ...one })
    scene.rows.set('globex', { ...row, ...other })
    const aud = (own: string): string[] => [own, audience]
    expect(await scene.verdict('acme', await scene.sign({ aud: aud('a'), org_id: 'a' }))).toBe('accepted')
    expect(await scene.verdict('globex', await scene.sign({ aud: aud('b'), org_id: 'b' }))).toBe('accepted')
    expect(await scene.verdict('globex', await scene.sign({ aud: aud('a'), org_id: 'a' }))).toMatch(
      /NOT_BOUND|NOT_ALLOWED/,
    )
    expect(scene.events('issuer-shared')).toEqual([])
  })

  it('refuse the provider with that issuer, and no other', async () => {
    const scene = await startLookup()
    const row = scene.rows.get('acme') as object
    scene.rows.set('globex', { providers: { shared: row, own: { ...row, issuer: 'https://globex.example' } } })
    expect(await scene.verdict('acme', await scene.sign())).toBe('accepted')
    expect(await scene.verdict('globex', await scene.sign({ iss: 'https://globex.example' }))).toBe('accepted')
    expect(await scene.verdict('globex', await scene.sign())).toBe('ERR_ISSUER_SHARED')
  })

  it('are accepted once the first one has another issuer: the later one is looked up soon', async () => {
    const scene = await startLookup()
    const row = scene.rows.get('acme') as object
    scene.rows.set('globex', row)
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    expect(await scene.verdict('globex', token)).toBe('ERR_ISSUER_SHARED')
    scene.rows.set('acme', { ...row, issuer: 'https://acme.example' })
    scene.authenticator.invalidateTenant('acme')
    await scene.clock.advance(10_000)
    expect(await scene.verdict('globex', token)).toBe('accepted')
    expect(await scene.verdict('acme', token)).toBe('ERR_ISSUER_NOT_ALLOWED')
  })

  it('after a rename: the new id is accepted when the old one has passed its ttl, and the old one is refused', async () => {
    const scene = await startLookup({ clockTolerance: 3_600_000 })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.rows.set('acme-2', scene.rows.get('acme'))
    await scene.clock.advance(300_000)
    expect(await scene.verdict('acme-2', token)).toBe('accepted')
    // Still there by mistake: now it is the later one.
    expect(await scene.verdict('acme', token)).toBe('ERR_ISSUER_SHARED')
    expect(await scene.verdict('acme-2', token)).toBe('accepted')
  })

  it('are told apart while the first one keeps its last configuration because its lookups fail', async () => {
    const scene = await startLookup({ clockTolerance: 3_600_000 })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.rows.set('globex', scene.rows.get('acme'))
    await scene.clock.advance(300_000)
    scene.override = (id) => (id === 'acme' ? Promise.reject(new Error('down')) : scene.rows.get(id))
    expect(await scene.verdict('acme', token)).toBe('accepted')
    expect(await scene.verdict('globex', token)).toBe('ERR_ISSUER_SHARED')
  })
})
