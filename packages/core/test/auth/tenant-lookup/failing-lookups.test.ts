import { describe, expect, it } from 'vitest'
import { TenantLookupFailedError } from '../../../src/index.ts'
import { startLookup } from './lookup-scene.ts'

const HOUR = 3_600_000
const fault = new Error('database: password=secret')

const failures: readonly (readonly [string, () => unknown])[] = [
  [
    'throws',
    () => {
      throw fault
    },
  ],
  ['rejects', () => Promise.reject(fault)],
]

describe('a lookup that fails', () => {
  it.each(failures)('where it %s is 503 with Retry-After, and tells the client nothing', async (_, fail) => {
    const scene = await startLookup()
    scene.override = fail
    const outcome = await scene.outcome('acme', await scene.sign())
    if (outcome.ok) throw new Error('accepted')
    expect(outcome.error).toBeInstanceOf(TenantLookupFailedError)
    expect(outcome.error).toMatchObject({ code: 'ERR_TENANT_LOOKUP_FAILED', cause: fault, retryAfter: 1_000 })
    expect(outcome.response).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(outcome.response.headers).not.toHaveProperty('www-authenticate')
    expect(JSON.stringify(outcome.response)).not.toMatch(/secret|acme/)
    expect(outcome.error.message).not.toContain('secret')
    expect(scene.events('tenant-lookup-failed')).toEqual([{ tenant: 'acme', provider: '*', error: outcome.error }])
  })

  it.each(failures)('where it %s is tried again by the next request', async (_, fail) => {
    const scene = await startLookup()
    const token = await scene.sign()
    scene.override = fail
    expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_LOOKUP_FAILED')
    scene.override = undefined
    expect(await scene.verdict('acme', token)).toBe('accepted')
  })

  it.each(failures)('where it %s keeps the last configuration for staleTtl, then is 503', async (_, fail) => {
    const scene = await startLookup({ clockTolerance: 10 * HOUR })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.override = fail
    await scene.clock.advance(300_000)
    expect(await scene.verdict('acme', token)).toBe('accepted')
    await scene.clock.advance(HOUR - 1)
    expect(await scene.verdict('acme', token)).toBe('accepted')
    await scene.clock.advance(1)
    expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_LOOKUP_FAILED')
    scene.override = undefined
    expect(await scene.verdict('acme', token)).toBe('accepted')
    expect(scene.issuer.requestCount('jwks')).toBeLessThan(10)
  })

  it('while the last configuration is kept is repeated once a second at most', async () => {
    const scene = await startLookup({ clockTolerance: HOUR })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.override = () => Promise.reject(fault)
    await scene.clock.advance(300_000)
    for (let request = 0; request < 20; request += 1) {
      expect(await scene.verdict('acme', token)).toBe('accepted')
      await scene.clock.advance(100)
    }
    expect(scene.lookUps).toHaveLength(3)
    expect(scene.events('tenant-lookup-failed')).toHaveLength(2)
  })

  it('and then finds that the tenant is gone has it refused', async () => {
    const scene = await startLookup({ clockTolerance: HOUR })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.override = () => Promise.reject(fault)
    await scene.clock.advance(300_000)
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.override = () => undefined
    await scene.clock.advance(1_000)
    expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_UNKNOWN')
  })

  it('for an id that was unknown is 503, and remembered no longer', async () => {
    const scene = await startLookup()
    const token = await scene.sign()
    expect(await scene.verdict('globex', token)).toBe('ERR_TENANT_UNKNOWN')
    await scene.clock.advance(10_000)
    scene.override = () => Promise.reject(fault)
    expect(await scene.verdict('globex', token)).toBe('ERR_TENANT_LOOKUP_FAILED')
  })

  it('with staleTtl 0 keeps nothing', async () => {
    const scene = await startLookup({ clockTolerance: HOUR, tenantCache: { staleTtl: 0 } })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.override = () => Promise.reject(fault)
    await scene.clock.advance(300_000)
    expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_LOOKUP_FAILED')
  })
})

describe('a lookup that hangs', () => {
  it('is 503 after its time limit', async () => {
    const scene = await startLookup()
    scene.override = () => new Promise(() => undefined)
    const asking = scene.outcome('acme', await scene.sign())
    await scene.clock.advance(3_000)
    expect(await asking).toMatchObject({ ok: false, response: { status: 503 } })
  })

  it('keeps the last configuration, and only the first requests wait for it', async () => {
    const scene = await startLookup({ clockTolerance: HOUR })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.override = () => new Promise(() => undefined)
    await scene.clock.advance(300_000)
    const asking = scene.verdict('acme', token)
    await scene.clock.advance(3_000)
    expect(await asking).toBe('accepted')
    await scene.clock.advance(1_000)
    // One more lookup is made, which hangs too.
    expect(await scene.verdict('acme', token)).toBe('accepted')
    expect(scene.lookUps).toHaveLength(3)
  })

  it('does not hang requests of other tenants, and frees its slot', async () => {
    const scene = await startLookup()
    const token = await scene.sign()
    scene.override = (id) => (id === 'acme' ? scene.rows.get(id) : new Promise(() => undefined))
    const hanging = Array.from({ length: 15 }, (_, index) => scene.verdict(`hanging-${index}`, token))
    expect(await scene.verdict('acme', token)).toBe('accepted')
    hanging.push(scene.verdict('hanging-15', token))
    // All 16 slots are taken: the next one waits for the time limit of the others, and no longer.
    scene.rows.set('globex', { ...(scene.rows.get('acme') as object), audience: 'https://globex.example' })
    scene.override = async (id) => scene.rows.get(id)
    const waiting = scene.verdict('globex', await scene.sign({ aud: 'https://globex.example' }))
    await scene.clock.advance(2_999)
    expect(scene.lookUps).not.toContain('globex')
    await scene.clock.advance(1)
    expect(await waiting).toBe('accepted')
    expect(new Set(await Promise.all(hanging))).toEqual(new Set(['ERR_TENANT_LOOKUP_FAILED']))
  })

  it('that gets no slot within its time limit is 503', async () => {
    const scene = await startLookup()
    const token = await scene.sign()
    scene.override = () => new Promise(() => undefined)
    const hanging = Array.from({ length: 32 }, (_, index) => scene.verdict(`hanging-${index}`, token))
    await scene.clock.advance(2_000)
    const waiting = scene.verdict('acme', token)
    await scene.clock.advance(3_000)
    expect(await waiting).toBe('ERR_TENANT_LOOKUP_FAILED')
    expect(scene.lookUps).not.toContain('acme')
    await scene.clock.advance(3_000)
    expect(new Set(await Promise.all(hanging))).toEqual(new Set(['ERR_TENANT_LOOKUP_FAILED']))
    expect(scene.clock.pendingTimers).toBe(0)
  })
})

describe('a lookup that returns a wrong configuration', () => {
  const wrong: readonly (readonly [string, (row: object) => unknown, string])[] = [
    ['no object', () => 'acme', 'tenants.acme must be an object'],
    ['a list', () => [], 'tenants.acme must be an object'],
    ['nothing in it', () => ({}), 'tenants.acme.issuer is required'],
    ['an unknown option', (row) => ({ ...row, isuer: 'x' }), 'did you mean "issuer"?'],
    ['an issuer that is no URL', () => ({ issuer: 'acme' }), 'tenants.acme.issuer must be an absolute URL'],
    ['immutable keys', (row) => ({ ...row, keyLifetime: 'immutable' }), "keyLifetime cannot be 'immutable'"],
    ['a longer clockTolerance', (row) => ({ ...row, clockTolerance: 30_001 }), 'clockTolerance must not be greater'],
    ['no providers', () => ({ providers: {} }), 'providers must have at least one provider'],
    ['one issuer twice', (row) => ({ providers: { a: row, b: row } }), 'two providers have the issuer'],
    ['a provider without a name', (row) => ({ providers: { '': row } }), 'providers: the name ""'],
    ['no https', () => ({ issuer: 'http://acme.example' }), 'is not allowed'],
    [
      'a cycle',
      (row) => {
        const config: Record<string, unknown> = { ...row }
        config['audience'] = config
        return config
      },
      'circular',
    ],
  ]

  it.each(wrong)('with %s is 503 with the TypeError as cause, and an event', async (_, change, message) => {
    const isHttps = message === 'is not allowed'
    const scene = await startLookup(isHttps ? { requireHttps: true } : {})
    scene.rows.set('acme', change(scene.rows.get('acme') as object))
    const outcome = await scene.outcome('acme', await scene.sign())
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_TENANT_LOOKUP_FAILED' }, response: { status: 503 } })
    const [event] = scene.events('tenant-lookup-failed')
    expect(event?.error.cause).toBeInstanceOf(TypeError)
    expect(String(event?.error.cause)).toContain(message)
    expect(scene.authenticator.registry.statuses()).toEqual([])
  })

  it('keeps the last one, with its keys', async () => {
    const scene = await startLookup({ clockTolerance: HOUR })
    const token = await scene.sign()
    expect(await scene.verdict('acme', token)).toBe('accepted')
    scene.rows.set('acme', { providers: { good: scene.rows.get('acme'), bad: { issuer: 1 } } })
    await scene.clock.advance(300_000)
    expect(await scene.verdict('acme', token)).toBe('accepted')
    expect(scene.events('tenant-lookup-failed')).toHaveLength(1)
    expect(scene.authenticator.registry.statuses().map(({ provider }) => provider)).toEqual(['default'])
  })

  it('that throws when it is read is 503', async () => {
    const scene = await startLookup()
    scene.override = () => ({
      get issuer() {
        throw fault
      },
    })
    expect(await scene.verdict('acme', await scene.sign())).toBe('ERR_TENANT_LOOKUP_FAILED')
  })

  it('with a then that throws is 503, and takes no slot', async () => {
    const scene = await startLookup()
    const token = await scene.sign()
    scene.override = () => ({
      then() {
        throw fault
      },
    })
    for (let request = 0; request < 20; request += 1) {
      expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_LOOKUP_FAILED')
    }
    scene.override = undefined
    expect(await scene.verdict('acme', token)).toBe('accepted')
  })
})

describe('a private address in a looked-up configuration', () => {
  it('is not connected to, unless it is allowed', async () => {
    const scene = await startLookup({ allowAddresses: [] })
    expect(await scene.verdict('acme', await scene.sign())).toBe('ERR_KEYS_UNAVAILABLE')
    expect(scene.issuer.requestCount()).toBe(0)
  })
})
