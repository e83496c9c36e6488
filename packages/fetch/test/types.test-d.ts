import { type AccessTokenClaims, type Auth, type ClaimsOf, getAuth, protect, requireScopes } from '@jwks-auth/fetch'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'

const issuer = 'https://issuer.example/'
const audience = 'https://api.example'
const schema = z.object({ sub: z.string(), org: z.string().transform(Number) })

const plain = protect({ issuer, audience })
const typed = protect({ issuer, audience, claims: schema })
expectTypeOf<ClaimsOf<typeof plain>>().toEqualTypeOf<AccessTokenClaims>()
expectTypeOf<ClaimsOf<typeof typed>>().toEqualTypeOf<{ sub: string; org: number }>()

// A handler of one argument keeps it alone.
const simple = plain((request) => {
  expectTypeOf(request).toEqualTypeOf<Request>()
  expectTypeOf(getAuth(request)).toEqualTypeOf<Auth>()
  return new Response()
})
expectTypeOf(simple).toEqualTypeOf<(request: Request) => Promise<Response>>()

// A route handler of Next.js keeps the framework's own request and context.
interface NextRequest extends Request {
  readonly nextUrl: URL
}
interface Context {
  readonly params: Promise<{ readonly id: string }>
}
const route = plain(
  requireScopes('a')(async (request: NextRequest, { params }: Context) => {
    const { id } = await params
    return Response.json({ id, path: request.nextUrl.pathname })
  }),
)
expectTypeOf(route).toEqualTypeOf<(request: NextRequest, context: Context) => Promise<Response>>()

// An outcome has a response or a token.
const outcome = await typed.authenticateRequest(new Request('https://api.example/'))
if (outcome.ok) expectTypeOf(outcome.auth).toEqualTypeOf<Auth<{ sub: string; org: number }> | undefined>()
else expectTypeOf(outcome.response).toEqualTypeOf<Response>()

// @ts-expect-error: a handler returns a response
plain(() => 'ok')
// @ts-expect-error: no audience
protect({ issuer })
// @ts-expect-error: misspelt
protect({ issuer, audience, passError: true })
// @ts-expect-error: scopes are strings
requireScopes(7)
// @ts-expect-error: not a request
getAuth({ headers: {} })
