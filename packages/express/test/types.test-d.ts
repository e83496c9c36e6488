import {
  type AccessTokenClaims,
  type Auth,
  type ClaimsOf,
  createRegistry,
  getAuth,
  type JwksAuthOptions,
  jwksAuth,
  requireScopes,
  tenantFromHost,
} from '@jwks-auth/express'
import express from 'express'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'

const issuer = 'https://issuer.example/'
const audience = 'https://api.example'

// Claims: what every token has, unless a schema says more.
const plain = jwksAuth({ issuer, audience })
expectTypeOf<ClaimsOf<typeof plain>>().toEqualTypeOf<AccessTokenClaims>()

const schema = z.object({ sub: z.string(), org: z.string().transform(Number) })
const typed = jwksAuth({ issuer, audience, claims: schema })
expectTypeOf<ClaimsOf<typeof typed>>().toEqualTypeOf<{ sub: string; org: number }>()
expectTypeOf<ReturnType<typeof typed.close>>().toEqualTypeOf<Promise<void>>()

// Handlers.
const app = express()
app.use(plain)
app.get('/', requireScopes('a', 'b'), (req, res) => {
  expectTypeOf<typeof req.auth>().toEqualTypeOf<Auth | undefined>()
  // @ts-expect-error: undefined where credentials are not required
  res.json(req.auth.claims.sub)
  const subject: string | undefined = req.auth?.claims.sub
  const expiry: number | undefined = req.auth?.claims.exp
  // @ts-expect-error: a claim that no RFC names is unknown
  const role: string = req.auth?.claims['role']
  // @ts-expect-error: a verified token is not to be changed
  if (req.auth) req.auth.tenant = 'other'
  // @ts-expect-error: nor its scopes
  req.auth?.scopes.add('admin')
  res.json({ subject, expiry, role })
})
app.get('/orders/:id', (req) => {
  expectTypeOf(getAuth(req)).toEqualTypeOf<Auth>()
})
// @ts-expect-error: a request, not a token
getAuth('token')

// Options: what must be given.
// @ts-expect-error: no audience
jwksAuth({ issuer })
// @ts-expect-error: no issuer
jwksAuth({ audience })
// @ts-expect-error: the audience of `undefined` is none
jwksAuth({ issuer, audience: undefined })
jwksAuth({ issuer, audience: false })
jwksAuth({ issuer: [issuer, 'https://other.example/'], jwksUri: 'https://issuer.example/keys', audience })

// Tenants: the audience may be common to all.
jwksAuth({
  audience,
  tenants: { acme: { issuer }, globex: { providers: { okta: { issuer: 'https://okta.example' } } } },
})
jwksAuth({ tenants: { acme: { issuer, audience } }, tenant: tenantFromHost(':tenant.example.com') })
jwksAuth({ tenants: { acme: { issuer, audience } }, tenant: async ({ headers }) => String(headers['x-tenant']) })
// @ts-expect-error: a tenant without an issuer
jwksAuth({ audience, tenants: { acme: {} } })
// @ts-expect-error: an issuer beside tenants
jwksAuth({ audience, issuer, tenants: { acme: { issuer } } })
// @ts-expect-error: a resolver without tenants
jwksAuth({ audience, issuer, tenant: tenantFromHost(':tenant.example.com') })
// @ts-expect-error: a resolver that makes numbers
jwksAuth({ tenants: { acme: { issuer, audience } }, tenant: () => 7 })

// Options: names and values.
jwksAuth({ issuer, audience, property: 'client' })
// @ts-expect-error: a property has a name
jwksAuth({ issuer, audience, property: 7 })
// @ts-expect-error: misspelt
jwksAuth({ issuer, audience, credentialRequired: false })
// @ts-expect-error: misspelt in a tenant
jwksAuth({ tenants: { acme: { issuer, audience, requiredClaim: ['sub'] } } })
// @ts-expect-error: a shared secret is no way to verify with public keys
jwksAuth({ issuer, audience, algorithms: ['HS256'] })
// @ts-expect-error: neither is nothing
jwksAuth({ issuer, audience, algorithms: ['none'] })
// @ts-expect-error: durations are numbers of milliseconds
jwksAuth({ issuer, audience, clockTolerance: '30 s' })
// @ts-expect-error: no Standard Schema
jwksAuth({ issuer, audience, claims: { sub: 'string' } })

// A shared registry comes with its own options.
const registry = createRegistry({ maxProviders: 10 })
jwksAuth({ issuer, audience, registry })
jwksAuth({ issuer, audience, maxProviders: 10 })
// @ts-expect-error: an option of createRegistry beside a registry
jwksAuth({ issuer, audience, registry, maxProviders: 10 })
// @ts-expect-error: the same, with tenants
jwksAuth({ tenants: { acme: { issuer, audience } }, registry, maxConcurrentFetches: 10 })

// Options that are put together elsewhere.
const options: JwksAuthOptions = { issuer, audience }
jwksAuth(options)

// @ts-expect-error: scopes are strings
requireScopes(7)

// Callbacks see the claims that the middleware attaches.
jwksAuth({ issuer, audience, validate: ({ claims }) => claims.sub !== 'anonymous', tokenCache: false })
jwksAuth({
  issuer,
  audience,
  validate: async ({ scopes }) => scopes.has('a'),
  isRevoked: ({ claims }) => claims.jti === 'x',
})
jwksAuth({
  issuer,
  audience,
  claims: z.object({ tier: z.number() }),
  validate: ({ claims }) => {
    if (claims.tier < 2) throw new Error('too low')
  },
  isRevoked: ({ claims }, { raw }) => claims.tier > 3 && raw !== undefined,
})
// @ts-expect-error: neither yes nor no
jwksAuth({ issuer, audience, isRevoked: ({ claims }) => claims.jti })
// @ts-expect-error: neither yes nor no
jwksAuth({ issuer, audience, validate: ({ claims }) => claims.sub })
// @ts-expect-error: misspelt
jwksAuth({ issuer, audience, tokenCache: { maxByte: 1 } })
