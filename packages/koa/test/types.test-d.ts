import { type AccessTokenClaims, type Auth, type ClaimsOf, getAuth, jwksAuth, requireScopes } from '@jwks-auth/koa'
import Koa from 'koa'
import Koa2 from 'koa2'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'

const issuer = 'https://issuer.example/'
const audience = 'https://api.example'
const schema = z.object({ sub: z.string(), org: z.string().transform(Number) })

const plain = jwksAuth({ issuer, audience })
const typed = jwksAuth({ issuer, audience, claims: schema })
expectTypeOf<ClaimsOf<typeof plain>>().toEqualTypeOf<AccessTokenClaims>()
expectTypeOf<ClaimsOf<typeof typed>>().toEqualTypeOf<{ sub: string; org: number }>()

// The state is typed from the middleware on, along the chain.
new Koa()
  .use(plain)
  .use(requireScopes('a'))
  .use((ctx) => {
    expectTypeOf<typeof ctx.state.auth>().toEqualTypeOf<Auth | undefined>()
    // @ts-expect-error: undefined where credentials are not required
    ctx.body = ctx.state.auth.claims.sub
    ctx.body = ctx.state.auth?.claims.sub
    expectTypeOf(getAuth(ctx)).toEqualTypeOf<Auth>()
    ctx.body = getAuth(ctx).claims.sub
  })

new Koa()
  .use(typed)
  .use(requireScopes('a'))
  .use((ctx) => {
    expectTypeOf<typeof ctx.state.auth>().toEqualTypeOf<Auth<{ sub: string; org: number }> | undefined>()
    // @ts-expect-error: a claim that the schema does not have
    ctx.body = ctx.state.auth?.claims.role
    ctx.body = ctx.state.auth?.claims.org.toFixed()
    expectTypeOf(getAuth(ctx)).toEqualTypeOf<Auth<{ sub: string; org: number }>>()
  })

// A context without types: the claims of `Register`.
new Koa().use((ctx) => {
  expectTypeOf(getAuth(ctx)).toEqualTypeOf<Auth>()
})
// @ts-expect-error: a Koa context, not a request
getAuth({ headers: {} })

// An application with a state of its own keeps it.
interface AppState {
  requestId: string
}
new Koa<AppState>().use(typed).use((ctx) => {
  expectTypeOf<typeof ctx.state.requestId>().toEqualTypeOf<string>()
  expectTypeOf<typeof ctx.state.auth>().toEqualTypeOf<Auth<{ sub: string; org: number }> | undefined>()
})

// Koa 2 takes the same middleware.
new Koa2().use(typed).use(requireScopes('a'))

// @ts-expect-error: no audience
jwksAuth({ issuer })
// @ts-expect-error: misspelt
jwksAuth({ issuer, audience, passError: true })
// @ts-expect-error: scopes are strings
requireScopes(7)
