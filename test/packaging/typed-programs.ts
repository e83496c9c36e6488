/* Programs of users with typed claims, by adapter. */
const exact = `
type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false
function check<Given extends true>(given?: Given): void { void given }
`

const schemas = {
  zod: "import { z } from 'zod'\nconst claims = z.object({ sub: z.string(), org: z.string().transform(Number) })",
  valibot:
    "import * as v from 'valibot'\nconst claims = v.object({ sub: v.string(), org: v.pipe(v.string(), v.transform(Number)) })",
} as const

const output = '{ sub: string; org: number }'
const options = "{ issuer: 'https://issuer.example', audience: 'api', claims }"

function program(adapter: string, schema: keyof typeof schemas): string {
  return `${schemas[schema]}\n${exact}\n${bodies[adapter]}`
}

const guards = 'requireScopes("a"), requireAnyScope("a"), requireAuth(), requireAuthentication({ maxAge: 60_000 })'
const names =
  'getAuth, jwksAuth, protectedResource, requireAnyScope, requireAuth, requireAuthentication, requireClaims, requireScopes'

const bodies: Readonly<Record<string, string>> = {
  express: `
import express from 'express'
import { type ClaimsOf, ${names} } from '@jwks-auth/express'
const authenticate = jwksAuth(${options})
declare module '@jwks-auth/express' {
  interface Register { claims: ClaimsOf<typeof authenticate> }
}
const app = express()
app.use(protectedResource({ resource: 'https://api.example' }), authenticate)
app.get('/', ${guards}, requireClaims(({ org }) => org > 1), (req, res) => {
  const auth = getAuth(req)
  check<Equal<typeof auth.claims, ${output}>>()
  res.json(req.auth?.claims.org.toFixed())
})
`,
  koa: `
import Koa from 'koa'
import { ${names} } from '@jwks-auth/koa'
const app = new Koa()
app.use(protectedResource({ resource: 'https://api.example' }))
for (const guard of [${guards}]) app.use(guard)
app.use(requireClaims<${output}>(({ org }) => org > 1))
app.use(jwksAuth(${options})).use((ctx) => {
  const auth = getAuth(ctx)
  check<Equal<typeof auth.claims, ${output}>>()
})
`,
  fastify: `
import { fastify } from 'fastify'
import { authenticate, ${names} } from '@jwks-auth/fastify'
declare module '@jwks-auth/fastify' {
  interface Register { claims: ${output} }
}
const app = fastify()
app.register(protectedResource({ resource: 'https://api.example' }))
app.register(jwksAuth, ${options})
app.get('/', { onRequest: authenticate, preHandler: [${guards}, requireClaims(({ org }) => org > 1)] }, (request) => {
  const auth = getAuth(request)
  check<Equal<typeof auth.claims, ${output}>>()
  return request.auth?.claims.org.toFixed()
})
`,
  'express beside another package': `
import express from 'express'
import { type AccessTokenClaims, getAuth, jwksAuth } from '@jwks-auth/express'
interface AuthResult { readonly payload: { readonly sub?: string } }
declare global {
  namespace Express {
    interface Request { auth?: AuthResult | undefined }
  }
}
declare module '@jwks-auth/express' {
  interface Register { auth: AuthResult | undefined }
}
const { claims: _claims, ...options } = ${options}
express().use(jwksAuth({ ...options, property: 'client' })).get('/', (req, res) => {
  const auth = getAuth(req)
  check<Equal<typeof auth.claims, AccessTokenClaims>>()
  res.json(req.auth?.payload.sub)
})
`,
}

/** The one that has to be compiled alone: it declares the `Register` of Express in another way. */
export const besideAnotherPackage = 'express-beside-another-package'

/** What to compile, by the name of its file without the extension. */
export const typedPrograms: Readonly<Record<string, string>> = {
  express: program('express', 'zod'),
  koa: program('koa', 'valibot'),
  fastify: program('fastify', 'valibot'),
  [besideAnotherPackage]: program('express beside another package', 'zod'),
}
