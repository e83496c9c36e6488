import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createAuthenticator, type ProviderRegistration, type Registry } from '../../src/index.ts'
import { atOnce, closeAfterwards, nextEvent, provider, rejectionOf, type Scene, setScene, until } from './scene.ts'

const TENANTS = Array.from({ length: 200 }, (_, index) => `tenant-${index}`)

/** A registry in which tenants share the scene's issuer; its own registration, `acme/main`, is one more. */
async function startTenants(
  options: Partial<ProviderRegistration> = {},
  names: readonly string[] = TENANTS,
): Promise<Scene & { resolveAll(kid?: string): Promise<readonly (readonly (string | undefined)[])[]> }> {
  const scene = await setScene({ provider: options })
  const { registry, registration } = scene
  for (const tenant of names) await registry.register({ ...registration, tenant })
  return {
    ...scene,
    resolveAll: async (kid) => await Promise.all(names.map(async (tenant) => await kidsOf(registry, tenant, kid))),
  }
}

async function kidsOf(registry: Registry, tenant: string, kid?: string): Promise<readonly (string | undefined)[]> {
  const { keys } = await registry.resolve(tenant, provider, kid)
  return keys.map((key) => key.kid)
}

/** Fetches of the key set, which is what tenants share; discovery counts apart. */
const fetchesOf = (issuer: TestIssuer): number => issuer.requestCount('jwks')

describe('two hundred tenants of one issuer', () => {
  it('fetch its key set once', async () => {
    const { issuer, resolveAll } = await startTenants()
    expect(new Set((await resolveAll()).flat())).toEqual(new Set(['key-1']))
    expect(fetchesOf(issuer)).toBe(1)
  })

  it('fetch it once also one after the other', async () => {
    const { issuer, registry } = await startTenants()
    for (const tenant of TENANTS) await kidsOf(registry, tenant)
    expect(fetchesOf(issuer)).toBe(1)
  })

  it('discover it once', async () => {
    const { issuer, resolveAll } = await startTenants({ jwksUri: undefined })
    await resolveAll()
    expect([issuer.requestCount('openid'), fetchesOf(issuer)]).toEqual([1, 1])
  })

  it('refresh it once when it expires', async () => {
    const { clock, issuer, resolveAll } = await startTenants({ prefetch: 'never' })
    await resolveAll()
    await clock.advance(600_000)
    await resolveAll()
    expect(fetchesOf(issuer)).toBe(2)
  })

  it('refetch it once for a rotation, at the same time and one after the other', async () => {
    const { issuer, registry, resolveAll } = await startTenants()
    await resolveAll()
    await issuer.rotate()
    const half = TENANTS.slice(0, 100)
    await Promise.all(half.map(async (tenant) => await kidsOf(registry, tenant, 'key-2')))
    expect(fetchesOf(issuer)).toBe(2)
    for (const kids of await resolveAll('key-2')) expect(kids).toEqual(['key-1', 'key-2'])
    expect(fetchesOf(issuer)).toBe(2)
  })

  it('see a rotation without a request of their own once one of them has', async () => {
    const { issuer, registry, resolveAll } = await startTenants()
    await resolveAll()
    await issuer.rotate()
    await kidsOf(registry, 'tenant-7', 'key-2')
    await issuer.stop()
    for (const kids of await resolveAll('key-2')) expect(kids).toContain('key-2')
  })

  it('refetch it once in each cooldown for forged tokens', async () => {
    const { clock, issuer, registry, resolveAll } = await startTenants()
    await resolveAll()
    issuer.clearRequests()
    for (let round = 1; round <= 3; round += 1) {
      const refusals = TENANTS.map((tenant) => rejectionOf(registry.resolve(tenant, provider, `forged-${tenant}`)))
      for (const refusal of await Promise.all(refusals)) expect(refusal).toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
      expect(fetchesOf(issuer)).toBe(round)
      await clock.advance(9_999)
      expect(await rejectionOf(registry.resolve('tenant-1', provider, 'forged'))).toMatchObject({
        code: 'ERR_KEY_NOT_FOUND',
      })
      expect(fetchesOf(issuer)).toBe(round)
      await clock.advance(1)
    }
  })

  it('fail together: one request for each backoff step, at the first fetch', async () => {
    const { clock, issuer, registry } = await startTenants()
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    let requests = 0
    // negativeCacheTtl doubles: 1, 2, 4 s.
    for (const pause of [1_000, 2_000, 4_000]) {
      requests += 1
      for (const tenant of TENANTS) {
        expect(await rejectionOf(registry.resolve(tenant, provider))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
      }
      expect(fetchesOf(issuer)).toBe(requests)
      await clock.advance(pause)
    }
    issuer.answerNormally('jwks')
    for (const tenant of TENANTS) expect(await kidsOf(registry, tenant)).toEqual(['key-1'])
    expect(fetchesOf(issuer)).toBe(requests + 1)
  })

  it('fail together while they serve stale keys: no more requests than one tenant alone', async () => {
    const requestsOf = async (names: readonly string[]): Promise<number> => {
      const { clock, issuer, registry, resolveAll } = await startTenants({ prefetch: 'never' }, names)
      await resolveAll()
      await clock.advance(600_000)
      issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
      issuer.clearRequests()
      for (let second = 0; second < 120; second += 1) {
        await resolveAll()
        await until(() => names.every((tenant) => registry.status(tenant, provider).state === 'ready'))
        await clock.advance(1_000)
      }
      return fetchesOf(issuer)
    }
    // The backoff has jitter: the earliest of several tenants asks for all.
    expect(await requestsOf(TENANTS.slice(0, 20))).toBeLessThanOrEqual((await requestsOf(['alone'])) * 2)
  })
})

describe('registrations that share an upstream', () => {
  const names = ['one', 'two', 'three']

  it('keep revocations of their own', async () => {
    const { registry, resolveAll } = await startTenants({}, names)
    await resolveAll()
    await registry.revokeKey('one', provider, 'key-1')
    expect(await rejectionOf(registry.resolve('one', provider, 'key-1'))).toMatchObject({ code: 'ERR_KEY_REVOKED' })
    expect(await atOnce(kidsOf(registry, 'two', 'key-1'))).toEqual(['key-1'])
  })

  it('keep status and counters of their own', async () => {
    const { registry } = await startTenants({}, names)
    await kidsOf(registry, 'one')
    await kidsOf(registry, 'one')
    await kidsOf(registry, 'two')
    const [one, two, three] = names.map((tenant) => registry.status(tenant, provider))
    expect(one).toMatchObject({ tenant: 'one', state: 'ready', kids: ['key-1'], metrics: { requests: 2, hits: 1 } })
    expect(two).toMatchObject({ tenant: 'two', state: 'ready', metrics: { requests: 1, misses: 1 } })
    expect(three).toMatchObject({ tenant: 'three', state: 'empty', metrics: { requests: 0 } })
  })

  it('keep claim rules of their own', async () => {
    const { issuer, registry, registration } = await startTenants({}, names)
    const { jwksUri, network, retryPolicy } = registration
    const tenants = Object.fromEntries(
      names.map((name) => [name, { issuer: issuer.issuer, jwksUri, network, retryPolicy, audience: `api-${name}` }]),
    )
    const authenticator = createAuthenticator({ registry, tenants, tenant: ({ hostname }) => hostname })
    closeAfterwards(authenticator)
    const authorization = `Bearer ${await issuer.sign({ aud: 'api-one' })}`
    const outcomes = await Promise.all(
      names.map(async (hostname) => {
        const request = { method: 'GET', url: '/', hostname, headers: { authorization } }
        return (await authenticator.authenticate(request)).ok
      }),
    )
    expect(outcomes).toEqual([true, false, false])
    expect(fetchesOf(issuer)).toBe(1)
  })

  it('report each fetch once, and each refresh for the provider that it was for', async () => {
    const { events, resolveAll } = await startTenants({}, names)
    await resolveAll()
    expect(events.filter(({ type }) => type === 'fetch')).toHaveLength(1)
    const refreshed = events.flatMap(({ type, event }) =>
      type === 'refresh' && 'tenant' in event ? (event.tenant ?? []) : [],
    )
    expect(refreshed.toSorted()).toEqual(names.toSorted())
  })

  it('go on when the one that fetched is unregistered', async () => {
    const { issuer, registry } = await startTenants({}, names)
    issuer.answerOnce('jwks', { kind: 'normal', delay: 30 })
    const begun = nextEvent(registry, 'fetch')
    const first = registry.resolve('one', provider)
    await begun
    const second = kidsOf(registry, 'two')
    await registry.unregister('one', provider)
    expect(await second).toEqual(['key-1'])
    await first.catch(() => undefined)
    await issuer.rotate()
    expect(await kidsOf(registry, 'three', 'key-2')).toEqual(['key-1', 'key-2'])
  })
})

describe('registrations that fetch in another way', () => {
  it.each<[string, (issuer: TestIssuer) => Partial<ProviderRegistration>]>([
    ['URL', ({ jwksUri }) => ({ jwksUri: `${jwksUri}?other` })],
    ['maxResponseBytes', () => ({ maxResponseBytes: 50_000 })],
    ['headers', () => ({ headers: { 'x-api-key': 'other' } })],
    ['allowAddresses', () => ({ allowAddresses: ['127.0.0.1'] })],
    ['maxRedirects', () => ({ maxRedirects: 1 })],
  ])('with another %s share nothing', async (_, change) => {
    const { issuer, registry, registration, resolve } = await setScene()
    await registry.register({ ...registration, ...change(issuer), tenant: 'other' })
    await resolve()
    expect(await kidsOf(registry, 'other')).toEqual(['key-1'])
    expect(fetchesOf(issuer)).toBe(2)
  })

  it('at another issuer share nothing', async () => {
    const { registry, registration, resolve } = await setScene()
    const other = await createTestIssuer({ algorithm: 'ES256' })
    closeAfterwards(other)
    await registry.register({ ...registration, issuer: other.issuer, jwksUri: other.jwksUri, tenant: 'other' })
    await resolve()
    await kidsOf(registry, 'other')
    expect(fetchesOf(other)).toBe(1)
  })
})
