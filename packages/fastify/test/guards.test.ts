import { authenticate, jwksAuth, requireClaims, requireScopes } from '@jwks-auth/fastify'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const audience = 'https://api.example'
let issuer: TestIssuer
let authorization: string
let app: FastifyInstance

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  authorization = `Bearer ${await issuer.sign({ scope: 'a b' })}`
})
beforeEach(async () => {
  app = fastify()
  await app.register(jwksAuth, { issuer: issuer.issuer, audience, requireHttps: false, global: false })
})
afterEach(() => app.close())
afterAll(() => issuer.close())

/** The scopes that the challenge of a refusal names. */
async function scopesNamed(
  url: string,
  method: 'GET' | 'HEAD' = 'GET',
): Promise<readonly [status: number, scopes: string | undefined]> {
  const { statusCode, headers } = await app.inject({ url, method, headers: { authorization } })
  return [statusCode, /scope="([^"]*)"/.exec(String(headers['www-authenticate']))?.[1]]
}

describe('the challenge in Fastify', () => {
  it('names the scopes of guards in all hooks of a route, also for HEAD', async () => {
    app.get(
      '/x',
      {
        onRequest: [authenticate, requireScopes('c')],
        preValidation: requireScopes('d'),
        preHandler: [requireScopes('e')],
      },
      () => 'ok',
    )
    expect(await scopesNamed('/x')).toEqual([403, 'c d e'])
    expect(await scopesNamed('/x', 'HEAD')).toEqual([403, 'c d e'])
  })

  it('names those of the route, and those that were passed, for a guard of the scope', async () => {
    app.addHook('onRequest', authenticate)
    app.addHook('preHandler', requireScopes('a'))
    app.addHook('preHandler', requireScopes('c'))
    app.get('/x', { preHandler: requireScopes('d') }, () => 'ok')
    expect(await scopesNamed('/x')).toEqual([403, 'a d c'])
  })

  it('keeps the config of a route, and does not mix routes that share one', async () => {
    const config = { url: 'mine' } as object
    const onRequest = authenticate
    app.get('/one', { config, onRequest, preHandler: requireScopes('one') }, () => 'ok')
    app.get('/two', { config, onRequest, preHandler: requireScopes('two') }, () => 'ok')
    expect([await scopesNamed('/one'), await scopesNamed('/two')]).toEqual([
      [403, 'one'],
      [403, 'two'],
    ])
    expect(Reflect.ownKeys(config).filter((name) => typeof name === 'symbol')).toEqual([])
  })
})

describe('a guard in Fastify', () => {
  it('passes what its function throws to the error handler', async () => {
    const seen: unknown[] = []
    app.setErrorHandler((error, _request, reply) => {
      seen.push(error)
      return reply.code(500).send('broken')
    })
    const broken = requireClaims(() => {
      throw new Error('broken')
    })
    app.get('/x', { onRequest: authenticate, preHandler: broken }, () => 'ok')
    expect(await scopesNamed('/x')).toEqual([500, undefined])
    expect(seen).toEqual([new Error('broken')])
  })
})
