import { createRegistry, JwksAuthError, type JwksAuthOptions, jwksAuth, requireScopes } from '@jwks-auth/express'
import type { ErrorRequestHandler, Request, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { audience, expresses, useWorld } from './world.ts'

const world = useWorld()

/** Responds with the error's message. */
const showError: ErrorRequestHandler = (error: Error & { status?: number }, _req, res, _next) => {
  res.status(error.status ?? 500).send(`shown: ${error.message}`)
}

describe.each(expresses)('jwksAuth in %s', (_, express) => {
  it('exposes its registry, and closes it', async () => {
    const middleware = world.start()
    const url = await world.listen(express().use(middleware))
    await fetch(url, { headers: { authorization: world.authorization } })
    expect(middleware.registry.status('default', 'default')).toMatchObject({ state: 'ready', kids: ['key-1'] })
    await middleware.close()
    await expect(middleware.registry.resolve('default', 'default')).rejects.toMatchObject({
      code: 'ERR_REGISTRY_CLOSED',
    })
  })

  it('leaves a shared registry open', async () => {
    const registry = createRegistry({ requireHttps: false })
    world.closing.push(() => registry.close())
    const middleware = jwksAuth({ issuer: world.issuer.issuer, audience, registry })
    expect(middleware.registry).toBe(registry)
    await middleware.close()
    await expect(registry.resolve('default', 'default')).resolves.toMatchObject({ keys: [{ kid: 'key-1' }] })
  })

  it('throws a TypeError for a wrong option when the middleware is created', () => {
    const misspelt = { issuer: world.issuer.issuer, audiences: audience } as unknown as JwksAuthOptions
    expect(() => jwksAuth(misspelt)).toThrow(TypeError)
  })

  it('passes errors of later handlers to the application’s error handler', async () => {
    const app = express().use(world.start())
    app.get('/', () => {
      throw new Error('later')
    })
    const answer = await fetch(await world.listen(app.use(showError)), {
      headers: { authorization: world.authorization },
    })
    expect([answer.status, await answer.text()]).toEqual([500, 'shown: later'])
  })

  it('runs the next handler once', async () => {
    let runs = 0
    const app = express().use(world.start())
    app.use((_req, _res, next) => {
      runs += 1
      next(new Error('no'))
    })
    await fetch(await world.listen(app.use(showError)), { headers: { authorization: world.authorization } })
    expect(runs).toBe(1)
  })

  it('protects a single route, in one line with guards', async () => {
    const app = express()
    app.get('/open', (_req, res) => {
      res.send('open')
    })
    app.get('/closed', world.start(), requireScopes('a', 'b'), (req, res) => {
      res.send(req.auth?.claims.sub)
    })
    const url = await world.listen(app)
    expect((await fetch(`${url}/open`)).status).toBe(200)
    expect((await fetch(`${url}/closed`)).status).toBe(401)
    expect(await (await fetch(`${url}/closed`, { headers: { authorization: world.authorization } })).text()).toBe(
      'user-1',
    )
  })

  it('lets guards use what it found, also where a handler has changed req.auth', async () => {
    const app = express()
    app.use(world.start(), (req, _res, next) => {
      req.auth = undefined
      next()
    })
    app.get('/a', requireScopes('a'), (_req, res) => {
      res.send('a')
    })
    app.get('/c', requireScopes('c'), (_req, res) => {
      res.send('c')
    })
    const url = await world.listen(app)
    expect((await fetch(`${url}/a`, { headers: { authorization: world.authorization } })).status).toBe(200)
    expect((await fetch(`${url}/c`, { headers: { authorization: world.authorization } })).status).toBe(403)
  })

  it('authenticates requests that were made up for a test and have no rawHeaders', async () => {
    const made = {
      method: 'GET',
      originalUrl: '/',
      hostname: 'api.example',
      headers: { authorization: world.authorization },
    } as Request
    const passed: unknown[] = []
    const handlers = [world.start(), requireScopes('a')]
    for (const handler of handlers) {
      await new Promise<void>((resolve) => {
        void handler(made, {} as Response, (error?: unknown) => {
          passed.push(error)
          resolve()
        })
      })
    }
    expect(passed).toEqual([undefined, undefined])
  })

  it('keeps headers that were set on the response before it', async () => {
    const app = express()
    app.use((_req, res, next) => {
      res.set({ 'access-control-allow-origin': '*', 'x-request-id': '7' })
      res.cookie('a', 'b')
      next()
    })
    const { status, headers } = await fetch(await world.listen(app.use(world.start())))
    expect(status).toBe(401)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('x-request-id')).toBe('7')
    expect(headers.get('set-cookie')).toBe('a=b; Path=/')
  })

  it('passes refusals, those of guards too, to the error handler with passErrors', async () => {
    const seen: unknown[] = []
    const app = express().use(world.start({ passErrors: true }))
    app.get('/', requireScopes('c'))
    const collect: ErrorRequestHandler = (error, _req, _res, next) => {
      seen.push(error)
      next(error)
    }
    app.set('env', 'test')
    const url = await world.listen(app.use(collect).use(showError))
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: { authorization: world.authorization } })).status).toBe(403)
    expect(seen.every((error) => error instanceof JwksAuthError)).toBe(true)
    expect(seen).toMatchObject([
      { status: 401, statusCode: 401, expose: true },
      { status: 403, statusCode: 403, expose: true, headers: { 'www-authenticate': expect.stringContaining('"c"') } },
    ])
  })
})
