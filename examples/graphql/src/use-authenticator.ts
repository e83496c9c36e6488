import type { IncomingMessage } from 'node:http'
import { type Auth, type Authenticator, nodeHeaders } from '@jwks-auth/core'
import { createGraphQLError, type Plugin } from 'graphql-yoga'

/** What resolvers find in their context. */
export interface AuthContext {
  readonly auth: Auth
}

/** What Yoga knows of a request on Node. */
export interface NodeContext {
  readonly req: IncomingMessage
}

/** A plugin that authenticates each request before its query is read: who has no valid token cannot see the schema. */
export function useAuthenticator(authenticator: Authenticator): Plugin<AuthContext, NodeContext> {
  const authOf = new WeakMap<Request, Auth>()
  return {
    async onRequest({ request, serverContext: { req }, endResponse, fetchAPI }) {
      // A preflight request has no token, and Yoga answers it without a query.
      if (request.method === 'OPTIONS') return
      const { method = 'GET', url = '/' } = req
      const outcome = await authenticator.authenticate({ method, url, headers: nodeHeaders(req), raw: request })
      if (!outcome.ok) {
        const { status, headers, body } = outcome.response
        endResponse(new fetchAPI.Response(body, { status, headers }))
      } else if (outcome.auth !== undefined) {
        authOf.set(request, outcome.auth)
      }
    },
    onContextBuilding({ context, extendContext }) {
      const auth = authOf.get(context.request)
      if (auth === undefined) throw createGraphQLError('unauthenticated', { extensions: { code: 'UNAUTHENTICATED' } })
      extendContext({ auth })
    },
  }
}

/** For resolvers: a field that lacks its scope is an error of that field, and the others are served. */
export function requireScope({ auth }: AuthContext, scope: string): void {
  if (auth.scopes.has(scope)) return
  throw createGraphQLError(`the scope ${scope} is required`, { extensions: { code: 'FORBIDDEN', scope } })
}
