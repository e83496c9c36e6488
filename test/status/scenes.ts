import type { PageWorld } from './page-world.ts'

const MINUTE = 60_000

/** Four providers, all fresh; one has rotated its keys, another one is not used yet. */
export async function healthy(world: PageWorld): Promise<void> {
  const [auth0, okta, entra] = await Promise.all(['auth0-2026-05', 'okta-7', 'entra-x5t-1'].map(world.startIssuer))
  if (!auth0 || !okta || !entra) throw new Error('no issuer')
  await world.add('acme/auth0', auth0)
  await world.add('globex/okta', okta)
  await world.add('globex/entra', entra)
  await world.add('initech/auth0', auth0, { isUnused: true })
  await world.use('acme/auth0', 240)
  await world.use('globex/okta', 31)
  await world.clock.advance(3 * MINUTE)
  await okta.rotate({ kid: 'okta-8' })
  await world.registry.refresh('globex', 'okta')
  await world.clock.advance(2 * MINUTE)
}

/** An idle night: two providers have expired without a request, and clients send expired tokens. */
export async function stale(world: PageWorld): Promise<void> {
  const [auth0, okta, keycloak] = await Promise.all(['auth0-2026-05', 'okta-7', 'realm-1'].map(world.startIssuer))
  if (!auth0 || !okta || !keycloak) throw new Error('no issuer')
  await world.add('globex/okta', okta)
  await world.add('initech/keycloak', keycloak)
  await world.clock.advance(14 * MINUTE)
  await world.add('acme/auth0', auth0)
  await world.use('acme/auth0', 88)
  world.refuse(131, { tenant: 'acme', provider: 'auth0', code: 'ERR_TOKEN_EXPIRED', status: 401 })
  world.refuse(9, { tenant: 'acme', provider: 'auth0', code: 'ERR_AUDIENCE_NOT_ALLOWED', status: 401 })
  world.refuse(2, { code: 'ERR_TENANT_UNKNOWN', status: 401 })
  await world.clock.advance(90_000)
}

/** Two providers are down, one since before its keys were first needed. */
export async function failing(world: PageWorld): Promise<void> {
  const [auth0, okta, keycloak] = await Promise.all(['auth0-2026-05', 'okta-7', 'realm-1'].map(world.startIssuer))
  if (!auth0 || !okta || !keycloak) throw new Error('no issuer')
  await world.add('acme/auth0', auth0)
  await world.add('globex/okta', okta)
  await world.use('globex/okta', 57)
  okta.answerAlways('jwks', { kind: 'reply', status: 503 })
  await keycloak.stop()
  await world.clock.advance(11 * MINUTE)
  await world.use('globex/okta', 40)
  await world.registry.refresh('acme', 'auth0')
  await world.add('initech/keycloak', keycloak)
  world.refuse(46, { tenant: 'initech', provider: 'keycloak', code: 'ERR_KEYS_UNAVAILABLE', status: 503 })
  world.refuse(3, { tenant: 'acme', provider: 'auth0', code: 'ERR_TOKEN_EXPIRED', status: 401 })
  await world.clock.advance(20_000)
}

/** A thousand providers, a few of which are in trouble. */
export async function thousand(world: PageWorld): Promise<void> {
  const [auth0, okta] = await Promise.all(['auth0-2026-05', 'okta-7'].map(world.startIssuer))
  if (!auth0 || !okta) throw new Error('no issuer')
  for (let number = 1; number <= 997; number += 1) {
    await world.add(`tenant-${String(number).padStart(3, '0')}/auth0`, auth0, { isUnused: number % 5 === 0 })
  }
  for (const tenant of ['acme', 'globex', 'initech']) await world.add(`${tenant}/okta`, okta)
  await okta.stop()
  for (const tenant of ['acme', 'globex', 'initech']) await world.registry.refresh(tenant, 'okta')
  world.refuse(12, { tenant: 'tenant-017', provider: 'auth0', code: 'ERR_KEY_NOT_FOUND', status: 401 })
  await world.clock.advance(5 * MINUTE)
}
