import { inspect } from 'node:util'
import { audience, authenticate, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/auth.ts'

const token = 'aaa.bbb.ccc'
const auth = createAuth(
  { tenant: 'acme', provider: 'auth0' },
  {
    text: token,
    scopes: ['read', 'write'],
    expiresAt: 1_000,
    authentication: { acr: undefined, authTime: undefined, clockTolerance: 0 },
  },
  { sub: 'user-1' },
  { alg: 'ES256' },
)

describe('the auth of a request', () => {
  it('has its token', () => {
    expect(auth.token).toBe(token)
  })

  it.each<[string, (value: object) => unknown]>([
    ['JSON.stringify', (value) => JSON.stringify(value)],
    ['util.inspect', (value) => inspect(value)],
    [
      'util.inspect of hidden members and getters',
      (value) => inspect(value, { showHidden: true, getters: true, depth: 9 }),
    ],
    ['a copy of all members', (value) => Object.entries(value)],
    ['structuredClone', (value) => JSON.stringify(structuredClone(value))],
  ])('does not show its token to %s, alone, nested or spread', (_, show) => {
    for (const value of [auth, { req: { auth } }, [auth], { ...auth }, Object.assign({}, auth)]) {
      expect(inspect(show(value), { depth: 9 })).not.toContain(token)
    }
  })

  it('has scopes that are an array in JSON', () => {
    const expected = { tenant: 'acme', provider: 'auth0', claims: { sub: 'user-1' }, header: { alg: 'ES256' } }
    expect(JSON.parse(JSON.stringify(auth))).toEqual({ ...expected, scopes: ['read', 'write'], expiresAt: 1_000 })
    expect(JSON.parse(JSON.stringify({ auth })).auth.scopes).toEqual(['read', 'write'])
  })

  it('says when the token expires, in milliseconds, when it is new and when it is cached', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, clockTolerance: 5_000 })
    const exp = Math.floor(Date.now() / 1000) + 60
    const signed = await issuer.sign({ exp })
    for (const _ of [1, 2]) {
      expect(await authenticate(authenticator, signed)).toMatchObject({ auth: { expiresAt: exp * 1000 } })
    }
  })
})
