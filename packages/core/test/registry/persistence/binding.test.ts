import { describe, expect, it } from 'vitest'
import { checkRegistration, type ProviderRegistration, snapshotRules } from '../../../src/registry/registration.ts'

const pin = Buffer.alloc(32).toString('base64')

/** What a snapshot of this registration is bound to. */
function bindingOf(registration: Partial<ProviderRegistration>, network: 'any' | 'public' = 'public'): string {
  const rules = { requireHttps: false, allowedDomains: [], hasDispatcher: false, canGuardConnections: true }
  const given = { tenant: 'acme', provider: 'main', issuer: 'https://issuer.example', ...registration }
  return JSON.stringify(
    snapshotRules(
      checkRegistration(given, {
        rules,
        defaults: {},
        network,
        where: '',
        share: (value) => value,
        existing: () => undefined,
      }),
    ).binding,
  )
}

describe('a snapshot is bound to', () => {
  it.each<Partial<ProviderRegistration>>([
    { tenant: 'Acme' },
    { provider: 'other' },
    { issuer: 'https://issuer.example/' },
    { jwksUri: 'https://issuer.example/jwks' },
    { pinnedSpki: [pin] },
    { requireHttps: true },
    { allowedDomains: ['example'] },
    { network: 'public' },
    { allowAddresses: ['10.0.0.1'] },
    { keyLifetime: 'immutable' },
  ])('%j', (change) => {
    expect(bindingOf(change)).not.toBe(bindingOf({}))
  })

  it('no default of network: register and createAuthenticator share a store', () => {
    expect(bindingOf({}, 'any')).toBe(bindingOf({}, 'public'))
    expect(bindingOf({ network: 'any' })).toBe(bindingOf({}, 'any'))
  })

  it('nothing that only says how long keys are kept, or how hard they are fetched', () => {
    const change: Partial<ProviderRegistration> = {
      minTtl: 1_000,
      maxTtl: 2_000,
      staleWhileError: 0,
      refreshEarly: 0,
      prefetch: 'never',
      maxKeys: 1,
      maxRedirects: 0,
      maxResponseBytes: 1,
      algorithms: ['ES256'],
      retryPolicy: { maxRetries: 0 },
      unknownKidCooldown: 1,
    }
    expect(bindingOf(change)).toBe(bindingOf({}))
  })
})
