import { once } from 'node:events'
import { createServer, IncomingMessage, request, ServerResponse } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import {
  getAuth,
  jwksAuth,
  requireScopes,
  tenantFromHost,
  tenantFromPath,
  tokenFromCookie,
  tokenFromQuery,
} from '@jwks-auth/express'
import { authenticated, deferred } from '@jwks-auth/test-support/deferred'
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { audience, expresses, useWorld } from './world.ts'

const world = useWorld()

const failure = Object.assign(new Error('the database is away'), { code: 'E_DATABASE' })
function fail(thrown: unknown = failure): never {
  throw thrown
}

/** Calls a handler as connect and Express do; resolves with what it passes to `next`, rejects with what it throws. */
function run(handler: RequestHandler, req: Request, res: Response): Promise<unknown> {
  return new Promise((resolve, reject) => {
    try {
      void handler(req, res, resolve)
    } catch (error) {
      reject(error)
    }
  })
}

/** A request and a response as Node makes them, without Express. */
function plainExchange(url: string, headers: Record<string, string>): { req: Request; res: Response } {
  const req = new IncomingMessage(new Socket())
  Object.assign(req, { method: 'GET', url, headers })
  const res = new ServerResponse(req)
  return { req: req as Request, res: res as Response }
}

describe.each(expresses)('a callback that throws in %s', (_, express) => {
  const tenants = (): object => ({ acme: { issuer: world.issuer.issuer } })
  const callbacks: readonly (readonly [name: string, options: () => object, passed: unknown])[] = [
    ['isRevoked', () => ({ isRevoked: () => fail() }), failure],
    ['getToken', () => ({ getToken: () => fail() }), failure],
    ['a list of getToken', () => ({ getToken: [() => undefined, () => fail()] }), failure],
    ['tenant', () => ({ tenants: tenants(), tenant: () => fail() }), failure],
    ['validate', () => ({ validate: () => fail(), tokenCache: false }), failure],
    [
      'isRevoked, which throws a word that Express takes for leave to go on',
      () => ({ isRevoked: () => fail('route') }),
      expect.objectContaining({ cause: 'route' }),
    ],
  ]

  it.each(callbacks)(
    'passes the error of %s to next, for a first-time and for a cached token',
    async (_, options, passed) => {
      const { issuer } = world.issuer
      const base = 'tenants' in options() ? {} : { issuer }
      const middleware = jwksAuth({ ...base, audience, requireHttps: false, ...options() } as never)
      world.closing.push(() => middleware.close())
      const seen: unknown[] = []
      for (const _ of [1, 2, 3]) {
        const { req, res } = plainExchange('/', { authorization: world.authorization })
        seen.push(await run(middleware, req, res))
      }
      expect(seen).toEqual([passed, passed, passed])
    },
  )

  it('reaches the error handler under an asynchronous wrapper', async () => {
    let isAway = false
    const middleware = world.start({ isRevoked: () => (isAway ? fail() : false) })
    const seen: unknown[] = []
    const app = express()
    const wrapper = async (req: Request, res: Response, next: NextFunction): Promise<void> => {
      await Promise.resolve()
      middleware(req, res, next)
    }
    app.use((req, res, next) => {
      void wrapper(req, res, next)
    })
    app.get('/', (_req, res) => {
      res.send('handled')
    })
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      seen.push(error)
      res.sendStatus(500)
    })
    const url = await world.listen(app)
    const headers = { authorization: world.authorization }
    expect((await fetch(url, { headers })).status).toBe(200)
    isAway = true
    expect((await fetch(url, { headers })).status).toBe(500)
    expect(seen).toEqual([failure])
  })
})

/** Counts the requests and errors that come past a middleware. */
function countPassedOn(app: Express): () => number {
  let passedOn = 0
  app.use((_req, res) => {
    passedOn += 1
    res.send('handled')
  })
  app.use((_error: unknown, _req: Request, _res: Response, _next: NextFunction) => {
    passedOn += 1
  })
  return () => passedOn
}

const ends: readonly (readonly [name: string, isRevoked: boolean, passErrors: boolean])[] = [
  ['accepted', false, false],
  ['refused', true, false],
  ['refused with passErrors', true, true],
]

describe.each(expresses)('a response that was sent while jwksAuth waited in %s', (_, express) => {
  it.each(ends)('is left alone when the request is %s', async (_, revoked, passErrors) => {
    const isRevoked = deferred<boolean>()
    const middleware = world.start({ isRevoked: () => isRevoked.promise, passErrors })
    const app = express()
    app.use((_req, res, next) => {
      next()
      res.status(504).send('too late')
    })
    const passedOn = countPassedOn(app.use(middleware))
    await authenticated(middleware, async () => {
      const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
      expect([answer.status, await answer.text()]).toEqual([504, 'too late'])
      isRevoked.resolve(revoked)
    })
    expect(passedOn()).toBe(0)
  })

  it('is left alone by a guard', async () => {
    const app = express().use(world.start())
    app.use((_req, res, next) => {
      res.status(202).send('accepted')
      next()
    })
    const passedOn = countPassedOn(app.use(requireScopes('c')))
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect([answer.status, passedOn()]).toEqual([202, 0])
  })
})

describe.each(expresses)('a client that goes away while jwksAuth waits in %s', (_, express) => {
  it.each(ends)('gets no handler run when the request is %s', async (_, revoked, passErrors) => {
    const isRevoked = deferred<boolean>()
    const gone = deferred<void>()
    const middleware = world.start({ isRevoked: () => isRevoked.promise, passErrors })
    const app = express()
    app.use((_req, res, next) => {
      res.on('close', () => gone.resolve())
      next()
    })
    const passedOn = countPassedOn(app.use(middleware))
    const url = await world.listen(app)
    await authenticated(middleware, async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ${world.authorization}\r\n\r\n`)
      await vi.waitUntil(() => vi.mocked(middleware.authenticator.authenticate).mock.calls.length > 0)
      socket.destroy()
      await gone.promise
      isRevoked.resolve(revoked)
    })
    expect(passedOn()).toBe(0)
  })
})

describe('a plain Node request and response, without Express', () => {
  /** Serves as connect and engine.io do: the middleware gets what Node makes. */
  async function serve(middleware: RequestHandler): Promise<string> {
    const server = createServer((req, res) => {
      void middleware(req as Request, res as Response, (error?: unknown) => {
        res.statusCode = error === undefined ? 200 : 500
        res.end(error === undefined ? getAuth(req).claims.sub : 'failed')
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    world.closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('is authenticated and refused, first and again', async () => {
    const url = await serve(world.start())
    for (const _ of [1, 2]) {
      const answer = await fetch(url, { headers: { authorization: world.authorization } })
      expect([answer.status, await answer.text()]).toEqual([200, 'user-1'])
      const refused = await fetch(url)
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="api"'])
    }
  })

  it('gets the headers of a response to a token from a cookie or the query, first and again', async () => {
    const url = await serve(world.start({ getToken: [tokenFromCookie('session'), tokenFromQuery('token')] }))
    const token = world.authorization.slice('Bearer '.length)
    for (const _ of [1, 2]) {
      const answers = [
        await fetch(url, { headers: { cookie: `session=${token}` } }),
        await fetch(`${url}?token=${token}`),
      ]
      const seen = answers.map(({ status, headers }) => [status, headers.get('cache-control')])
      expect(seen).toEqual([
        [200, 'private'],
        [200, 'private'],
      ])
    }
  })

  it.each([
    ['path', () => tenantFromPath('/tenants/:tenant')],
    ['host', () => tenantFromHost(':tenant.localhost')],
  ])('has a tenant by its %s', async (_, resolver) => {
    const { issuer } = world.issuer
    const middleware = jwksAuth({ tenants: { acme: { issuer } }, tenant: resolver(), audience, requireHttps: false })
    world.closing.push(() => middleware.close())
    const { port } = new URL(await serve(middleware))
    const status = async (tenant: string): Promise<number | undefined> => {
      const headers = { authorization: world.authorization, host: `${tenant}.localhost:${port}` }
      const sent = request({ host: '127.0.0.1', port, path: `/tenants/${tenant}/who`, headers })
      sent.end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      answer.resume()
      return answer.statusCode
    }
    expect([await status('acme'), await status('globex'), await status('acme')]).toEqual([200, 401, 200])
  })

  it('passes a refusal to next with passErrors', async () => {
    const url = await serve(world.start({ passErrors: true }))
    expect((await fetch(url)).status).toBe(500)
  })
})

describe.each(expresses)('an outcome that is a thenable and no Promise in %s', (_, express) => {
  it('is waited for', async () => {
    const middleware = world.start()
    const { authenticate } = middleware.authenticator
    vi.spyOn(middleware.authenticator, 'authenticate').mockImplementation((request) => {
      const promise = Promise.resolve(authenticate(request))
      const outcome: object = {}
      Reflect.set(outcome, 'then', promise.then.bind(promise))
      return outcome as typeof promise
    })
    const app = express().use(middleware)
    app.get('/', (req, res) => {
      res.send(req.auth?.claims.sub)
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(await answer.text()).toBe('user-1')
  })
})
