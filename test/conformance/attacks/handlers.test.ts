import type { Auth, Authenticator } from '@jwks-auth/core'
import { authenticate, startAuthenticatorFor, startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'

/** What a handler could write to if it meant to. */
type Writable = Auth<Record<string, unknown>> & { header: Record<string, unknown>; scopes: Set<string> }

async function authOf(authenticator: Authenticator<unknown>, token: string): Promise<Writable> {
  const outcome = await authenticate(authenticator, token)
  if (!outcome.ok || outcome.auth === undefined) throw new Error('refused')
  return outcome.auth as Writable
}

/** Changes what can be changed; what is frozen may say so. */
function attempt(change: () => unknown): void {
  try {
    change()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
}

describe('what a handler does to its request', () => {
  const changes: readonly [string, (auth: Writable) => unknown][] = [
    ['sets a claim', ({ claims }) => Object.assign(claims, { sub: 'admin' })],
    ['adds to a list in a claim', ({ claims }) => (claims['roles'] as string[]).push('admin')],
    ['removes a claim', ({ claims }) => Reflect.deleteProperty(claims, 'sub')],
    ['sets a header member', ({ header }) => Object.assign(header, { kid: 'other', alg: 'none' })],
    ['adds a scope', ({ scopes }) => scopes.add('admin')],
    ['removes the scopes', ({ scopes }) => scopes.clear()],
    ['adds a scope by way of Set', ({ scopes }) => Set.prototype.add.call(scopes, 'admin')],
    ['sets all of it', (auth) => Object.assign(auth, { tenant: 'other', claims: {}, scopes: new Set(['admin']) })],
  ]

  it.each(changes)('is nothing to the next one with the same token: it %s', async (_, change) => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer)
    const token = await issuer.sign({ roles: ['user'], scope: 'read' })
    const first = await authOf(authenticator, token)
    const before = structuredClone({ ...first })
    attempt(() => change(first))
    expect({ ...(await authOf(authenticator, token)) }).toEqual(before)
  })

  it.each(changes)('is nothing to tokens that say the same: it %s', async (_, change) => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer)
    const sign = (jti: string) => issuer.sign({ jti, roles: ['user'], scope: 'read' })
    const tokens = await Promise.all(['1', '2', '3'].map(sign))
    const before = []
    for (const token of tokens) before.push(structuredClone({ ...(await authOf(authenticator, token)) }))
    for (const token of tokens) {
      const changed = await authOf(authenticator, token)
      attempt(() => change(changed))
      const after = []
      for (const other of tokens) after.push({ ...(await authOf(authenticator, other)) })
      expect(after).toEqual(before)
    }
  })
})

describe('what a caller does to a resolved key set', () => {
  it('is nothing to verification', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const resolved = await registry.resolve('acme', 'auth0')
    for (const key of resolved.keys) attempt(() => Object.assign(key, { kid: 'other', x: 'AAAA', use: 'enc' }))
    attempt(() => resolved.keys.pop())
    expect((await registry.resolve('acme', 'auth0')).keys).toEqual([issuer.signingKey.publicJwk])
    const verified = jwtVerify(await issuer.sign(), registry.keyResolver('acme', 'auth0'))
    await expect(verified).resolves.toHaveProperty('payload')
  })
})
