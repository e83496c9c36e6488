import type { RequestListener } from 'node:http'
import type { Authenticator } from '@jwks-auth/core'
import { createSchema, createYoga } from 'graphql-yoga'
import { type AuthContext, type NodeContext, requireScope, useAuthenticator } from './use-authenticator.ts'

const typeDefs = /* GraphQL */ `
  type Query {
    me: String!
    orders: [String!]
  }
  type Mutation {
    order(article: String!): [String!]
  }
`

/** A GraphQL API at `/graphql`. Every request needs a token, and some fields a scope. */
export function createApi(authenticator: Authenticator): RequestListener {
  const orders: { readonly customer: string | undefined; readonly article: string }[] = []
  const articlesOf = ({ auth }: AuthContext): string[] =>
    orders.filter(({ customer }) => customer === auth.claims.sub).map(({ article }) => article)

  return createYoga<NodeContext, AuthContext>({
    plugins: [useAuthenticator(authenticator)],
    graphiql: false,
    schema: createSchema<NodeContext & AuthContext>({
      typeDefs,
      resolvers: {
        Query: {
          me: (_parent, _args, { auth }) => `${auth.tenant}/${auth.claims.sub}`,
          orders(_parent, _args, context) {
            requireScope(context, 'orders:read')
            return articlesOf(context)
          },
        },
        Mutation: {
          order(_parent, { article }: { article: string }, context) {
            requireScope(context, 'orders:write')
            orders.push({ customer: context.auth.claims.sub, article })
            return articlesOf(context)
          },
        },
      },
    }),
  })
}
