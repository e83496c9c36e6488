import { type Auth, authenticate, getAuth, jwksAuth, type Registry, requireScopes } from '@jwks-auth/fastify'
import { fastify } from 'fastify'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'

const issuer = 'https://issuer.example/'
const audience = 'https://api.example'
const app = fastify()

await app.register(jwksAuth, { issuer, audience })
await app.register(jwksAuth, { issuer, audience, global: false })
await app.register(jwksAuth, { issuer, audience, claims: z.object({ sub: z.string() }) })
await app.register(jwksAuth, { audience, tenants: { acme: { issuer } } })

expectTypeOf<typeof app.jwksAuth.registry>().toEqualTypeOf<Registry>()

app.get('/', { preHandler: requireScopes('a', 'b') }, (request) => {
  expectTypeOf<typeof request.auth>().toEqualTypeOf<Auth | undefined>()
  // @ts-expect-error: undefined where credentials are not required
  return request.auth.claims.sub
})
app.get(
  '/opted-in',
  { onRequest: app.authenticate, preHandler: [requireScopes('a')] },
  (request) => request.auth?.tenant,
)
app.get('/imported', { onRequest: [authenticate, requireScopes('a')] }, (request) => {
  expectTypeOf(getAuth(request)).toEqualTypeOf<Auth>()
  return getAuth(request).claims.sub
})
app.get<{ Params: { id: string } }>('/typed/:id', { onRequest: authenticate }, (request) => getAuth(request).tenant)
app.get('/early', { onRequest: [app.authenticate, requireScopes('a')] }, () => 'both in one hook')

// @ts-expect-error: no audience
await app.register(jwksAuth, { issuer })
// @ts-expect-error: misspelt
await app.register(jwksAuth, { issuer, audience, passError: true })
// @ts-expect-error: `global` is a switch
await app.register(jwksAuth, { issuer, audience, global: 'no' })
// @ts-expect-error: an issuer beside tenants
await app.register(jwksAuth, { issuer, audience, tenants: { acme: { issuer } } })
// @ts-expect-error: a shared secret is no way to verify with public keys
await app.register(jwksAuth, { issuer, audience, algorithms: ['HS256'] })
// @ts-expect-error: scopes are strings
requireScopes(7)

// Callbacks see what `request.auth` is.
await app.register(jwksAuth, {
  issuer,
  audience,
  validate: ({ claims }) => claims.sub !== undefined,
  isRevoked: async ({ claims: { jti } }, { method }) => jti === 'revoked' && method === 'POST',
  tokenCache: { max: 100 },
})
// @ts-expect-error: neither yes nor no
await app.register(jwksAuth, { issuer, audience, isRevoked: () => 1 })
