import { once } from 'node:events'
import { createServer } from 'node:http'
import * as ofExpress from '@jwks-auth/express'
import * as ofFastify from '@jwks-auth/fastify'
import * as ofKoa from '@jwks-auth/koa'
import express5 from 'express'
import express4 from 'express4'
import { fastify } from 'fastify'
import Koa3 from 'koa'
import Koa2 from 'koa2'
import { afterEach, describe, expect, it } from 'vitest'
import { portOf } from './protected-app.ts'

const audience = 'https://api.example'
const issuer = 'https://issuer.example'
const base: ofExpress.ProtectedResourceOptions = {
  resource: 'https://api.example.com',
  authorizationServers: [issuer],
  scopesSupported: ['read', 'write'],
  resourceName: 'Orders',
  dpopBoundAccessTokensRequired: false,
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

/** Serves an API that is protected everywhere but for its metadata; returns its address. */
type Start = (options: ofExpress.ProtectedResourceOptions) => Promise<string>

async function serve(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer({}, listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return `http://127.0.0.1:${portOf(server.address())}`
}

function onExpress(express: typeof express5): Start {
  return (options) => {
    const resource = ofExpress.protectedResource(options)
    const authenticate = ofExpress.jwksAuth({ issuer, audience, resourceMetadata: resource.metadataUrl })
    closing.push(() => authenticate.close())
    return serve(express().use(resource).use(authenticate))
  }
}

function onKoa(Koa: typeof Koa3): Start {
  return (options) => {
    const resource = ofKoa.protectedResource(options)
    const authenticate = ofKoa.jwksAuth({ issuer, audience, resourceMetadata: resource.metadataUrl })
    closing.push(() => authenticate.close())
    const answer = new Koa().use(resource).use(authenticate).callback()
    return serve((req, res) => void answer(req, res))
  }
}

function onFastify(order: 'before' | 'after'): Start {
  return async (options) => {
    const app = fastify()
    closing.push(() => app.close())
    const resource = ofFastify.protectedResource(options)
    if (order === 'before') await app.register(resource)
    await app.register(ofFastify.jwksAuth, { issuer, audience, resourceMetadata: resource.metadataUrl })
    if (order === 'after') await app.register(resource)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return `http://127.0.0.1:${portOf(app.server.address())}`
  }
}

const starts: readonly (readonly [name: string, start: Start, create: (options: never) => unknown])[] = [
  ['Express 4', onExpress(express4 as unknown as typeof express5), ofExpress.protectedResource],
  ['Express 5', onExpress(express5), ofExpress.protectedResource],
  ['Koa 2', onKoa(Koa2 as unknown as typeof Koa3), ofKoa.protectedResource],
  ['Koa 3', onKoa(Koa3), ofKoa.protectedResource],
  ['Fastify 5, before jwksAuth', onFastify('before'), ofFastify.protectedResource],
  ['Fastify 5, after jwksAuth', onFastify('after'), ofFastify.protectedResource],
]

const wellKnown = '/.well-known/oauth-protected-resource'

describe.each(starts)('protectedResource in %s', (_, start, create) => {
  it('serves the metadata to anyone, and challenges name it', async () => {
    const url = await start(base)
    const answer = await fetch(url + wellKnown)
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/json',
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=3600',
    })
    expect(await answer.json()).toEqual({
      resource: 'https://api.example.com',
      authorization_servers: [issuer],
      scopes_supported: ['read', 'write'],
      bearer_methods_supported: ['header'],
      resource_name: 'Orders',
      dpop_bound_access_tokens_required: false,
    })
    const refused = await fetch(`${url}/orders`)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      `Bearer realm="api", resource_metadata="https://api.example.com${wellKnown}"`,
    ])
  })

  it.each([
    ['https://api.example.com/', wellKnown],
    ['https://api.example.com/v1/orders', `${wellKnown}/v1/orders`],
    ['https://api.example.com/v1/', `${wellKnown}/v1/`],
    ['https://api.example.com/?tenant=a', `${wellKnown}?tenant=a`],
    ['http://localhost:3000/mcp', `${wellKnown}/mcp`],
  ])('for %s is at %s, and nowhere else', async (resource, path) => {
    const url = await start({ ...base, resource })
    const answer = await fetch(url + path)
    expect(await answer.json()).toMatchObject({ resource })
    for (const other of [`${path}x`, `/api${path}`, `${path}/..%2f`, '/', `${wellKnown}/other`, `/x${wellKnown}`]) {
      expect([other, (await fetch(url + other)).status]).toEqual([other, 401])
    }
  })

  it('answers HEAD without a body, a preflight, and other methods with 405', async () => {
    const url = (await start(base)) + wellKnown
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/json', ''])
    const preflight = await fetch(url, { method: 'OPTIONS' })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([204, 'GET, HEAD'])
    const post = await fetch(url, { method: 'POST', body: 'x' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  it.each([
    [undefined],
    [{}],
    [{ ...base, resource: 'api' }],
    [{ ...base, resource: 'ftp://api.example' }],
    [{ ...base, resource: 'https://api.example#x' }],
    [{ ...base, resource: 'https://api.example/#' }],
    [{ ...base, resource: 'https://user:secret@api.example' }],
    [{ ...base, resource: 7 }],
    [{ ...base, authorizationServers: issuer }],
    [{ ...base, authorizationServers: ['issuer'] }],
    [{ ...base, scopesSupported: ['a b'] }],
    [{ ...base, jwksUri: 'keys' }],
    [{ ...base, resourceName: '' }],
    [{ ...base, dpopBoundAccessTokensRequired: 'yes' }],
    [{ ...base, authorisationServers: [issuer] }],
  ])('throws a TypeError for %j', (options) => {
    expect(() => create(options as never)).toThrow(TypeError)
  })
})

it('protectedResource in a scope of Fastify with a prefix is refused', async () => {
  const app = fastify()
  closing.push(() => app.close())
  app.register(
    async (scope) => {
      await scope.register(ofFastify.protectedResource(base))
    },
    { prefix: '/api' },
  )
  await expect(app.ready()).rejects.toThrow('root instance')
})
