import { type Auth, CurrentAuth, JwksAuthModule, Public, RequireScopes } from '@jwks-auth/nestjs'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo'
import type { DynamicModule } from '@nestjs/common'
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql'
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Platform, startApp } from './apps.ts'

const audience = 'https://api.example'
let issuer: TestIssuer

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
})

afterAll(() => issuer.close())

@Resolver()
class Orders {
  @Query('who')
  who(@CurrentAuth() auth: Auth): string | undefined {
    return auth.claims.sub
  }

  @RequireScopes('orders:read')
  @Query('orders')
  orders(): string {
    return 'orders'
  }

  @RequireScopes('invoices:read')
  @Query('invoices')
  invoices(): string {
    return 'invoices'
  }

  @Public()
  @Query('health')
  health(): string {
    return 'ok'
  }
}

const typeDefs = 'type Query { who: String orders: String invoices: String health: String }'

const drivers: readonly (readonly [string, Platform, () => DynamicModule])[] = [
  [
    'Apollo',
    'Express',
    () => GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, typeDefs, csrfPrevention: false }),
  ],
  ['Mercurius', 'Fastify', () => GraphQLModule.forRoot<MercuriusDriverConfig>({ driver: MercuriusDriver, typeDefs })],
]

describe.each(drivers)('a resolver of %s on %s', (_, platform, graphql) => {
  async function start(more: { readonly isRevoked?: () => boolean } = {}) {
    const auth = JwksAuthModule.forRoot({
      issuer: issuer.issuer,
      audience,
      requireHttps: false,
      realm: 'nest',
      ...more,
    })
    const app = await startApp(platform, { imports: [auth, graphql()], providers: [Orders] })
    return async (query: string, token?: string) => {
      const response = await fetch(`http://127.0.0.1:${app.port}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query }),
      })
      return { headers: response.headers, body: (await response.json()) as { data?: unknown; errors?: unknown } }
    }
  }

  it('authenticates by the request of the GraphQL context', async () => {
    const ask = await start()
    const token = await issuer.sign({ sub: 'user-1', scope: 'orders:read' })
    expect((await ask('{ who orders health }', token)).body).toEqual({
      data: { who: 'user-1', orders: 'orders', health: 'ok' },
    })
    expect((await ask('{ health }')).body).toEqual({ data: { health: 'ok' } })
  })

  it('refuses a resolver with the text of the refusal, and sets the challenge', async () => {
    const ask = await start()
    const { headers, body } = await ask('{ who health }')
    expect(body.data).toEqual({ who: null, health: 'ok' })
    expect(body.errors).toMatchObject([{ message: 'A bearer token is required.', path: ['who'] }])
    expect(headers.get('www-authenticate')).toBe('Bearer realm="nest"')
    const refused = await ask('{ orders }', await issuer.sign({ scope: 'other' }))
    expect(refused.body.errors).toMatchObject([
      { message: 'The access token lacks a scope that this request requires.' },
    ])
    expect(refused.headers.get('www-authenticate')).toContain('scope="orders:read"')
  })

  it('authenticates a request once for all its resolvers, and checks each of them', async () => {
    const isRevoked = vi.fn<() => boolean>(() => false)
    const ask = await start({ isRevoked })
    const { body } = await ask('{ who orders invoices }', await issuer.sign({ sub: 'user-1', scope: 'orders:read' }))
    expect(body.data).toEqual({ who: 'user-1', orders: 'orders', invoices: null })
    expect(isRevoked).toHaveBeenCalledTimes(1)
  })
})
