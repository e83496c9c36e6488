import { AuthenticatorNotRunError, getAuth, jwksAuth, requireScopes } from '@jwks-auth/express'
import type { ErrorRequestHandler, NextFunction, Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { audience, expresses, useWorld } from './world.ts'

const world = useWorld()

/** Responds with the subject of `req.auth`. */
const sendSubject: RequestHandler = (req, res) => {
  res.send(req.auth?.claims.sub ?? 'anonymous')
}

async function subjectAt(url: string, authorization: string | undefined = world.authorization): Promise<string> {
  const answer = await fetch(url, { headers: { authorization } })
  expect(answer.status).toBe(200)
  return await answer.text()
}

async function tokenOf(sub: string): Promise<string> {
  return `Bearer ${await world.issuer.sign({ sub, scope: 'b' })}`
}

describe.each(expresses)('req.auth in %s', (_, express) => {
  it('is a plain own property that can be changed, copied and deleted', async () => {
    const app = express().use(world.start())
    const descriptors: unknown[] = []
    app.use((req, _res, next) => {
      const { auth } = { ...req }
      const { configurable, enumerable, writable, value } = Object.getOwnPropertyDescriptor(req, 'auth') ?? {}
      descriptors.push({ configurable, enumerable, writable, isCopied: value === auth && auth !== undefined })
      next()
    })
    app.get('/set', (req, res, next) => {
      if (req.auth === undefined) throw new Error('no auth')
      req.auth = { ...req.auth, claims: { ...req.auth.claims, sub: 'other' } }
      sendSubject(req, res, next)
    })
    app.get('/deleted', (req, res, next) => {
      delete req.auth
      sendSubject(req, res, next)
    })
    const url = await world.listen(app)
    expect(await subjectAt(`${url}/set`)).toBe('other')
    expect(await subjectAt(`${url}/deleted`)).toBe('anonymous')
    const plain = { configurable: true, enumerable: true, writable: true, isCopied: true }
    expect(descriptors).toEqual([plain, plain])
  })

  it('does not change the prototype that requests of other applications inherit from', async () => {
    const before = Reflect.ownKeys(express.request)
    await subjectAt(await world.listen(express().use(world.start()).get('/', sendSubject)))
    expect(Reflect.ownKeys(express.request)).toEqual(before)
  })

  it('reaches an application that is mounted, or called by hand', async () => {
    const app = express().use(world.start())
    app.use('/mounted', express().get('/', sendSubject))
    const inner = express().get('/called', requireScopes('a'), sendSubject)
    app.use((req, res) => {
      inner(req, res)
    })
    const url = await world.listen(app)
    expect(await subjectAt(`${url}/mounted`)).toBe('user-1')
    expect(await subjectAt(`${url}/called`)).toBe('user-1')
  })

  it('keeps two requests apart that are handled at once', async () => {
    const app = express().use(world.start())
    const waiting: (() => void)[] = []
    app.use((_req, _res, next) => {
      waiting.push(next)
      if (waiting.length === 2) for (const goOn of waiting) goOn()
    })
    const url = await world.listen(app.get('/', sendSubject))
    const subjects = [subjectAt(url, await tokenOf('first')), subjectAt(url, await tokenOf('second'))]
    expect(await Promise.all(subjects)).toEqual(['first', 'second'])
  })

  it.each([
    ['a token', 'user-1'],
    ['no token', 'anonymous'],
  ])('replaces what another middleware has set, with %s', async (credentials, subject) => {
    const app = express()
    app.use((req, _res, next) => {
      Object.assign(req, { auth: { claims: { sub: 'basic' } } })
      next()
    })
    const url = await world.listen(app.use(world.start({ credentialsRequired: false })).get('/', sendSubject))
    const answer = await fetch(
      url,
      credentials === 'a token' ? { headers: { authorization: world.authorization } } : undefined,
    )
    expect(await answer.text()).toBe(subject)
  })

  it('is inherited by requests that are derived from it, and guards work there', async () => {
    const app = express().use(world.start())
    app.get('/', (req, res, next) => {
      const derived = Object.create(req) as Request
      requireScopes('a')(derived, res, (error) => (error === undefined ? sendSubject(derived, res, next) : next(error)))
    })
    expect(await subjectAt(await world.listen(app))).toBe('user-1')
  })

  it('does not reach the original of a copied request that is authenticated again', async () => {
    const authenticate = world.start()
    const token = await tokenOf('inner')
    const seen: unknown[] = []
    const app = express().use(authenticate)
    const run = (handler: RequestHandler, req: Request, res: Response): Promise<unknown> =>
      new Promise((resolve) => {
        void handler(req, res, resolve)
      })
    const authenticateCopies = async (req: Request, res: Response, next: NextFunction): Promise<void> => {
      const copy = Object.assign(Object.create(Object.getPrototypeOf(req) as object), req) as Request
      for (const inner of [copy, Object.create(req) as Request]) {
        Object.defineProperty(inner, 'headers', { value: { authorization: token } })
        await run(authenticate, inner, res)
        seen.push(inner.auth?.claims.sub, await run(requireScopes('b'), inner, res))
      }
      next()
    }
    app.use((req, res, next) => {
      void authenticateCopies(req, res, next)
    })
    app.get('/', requireScopes('a'), sendSubject)
    expect(await subjectAt(await world.listen(app))).toBe('user-1')
    expect(seen).toEqual(['inner', undefined, 'inner', undefined])
  })
})

describe.each(expresses)('the option property in %s', (_, express) => {
  it('names the property, and leaves req.auth alone', async () => {
    const app = express().use(world.start({ property: 'client' }))
    app.get('/', requireScopes('a'), (req, res) => {
      res.json([Reflect.get(req, 'client')?.claims.sub, Object.hasOwn(req, 'auth')])
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(await answer.json()).toEqual(['user-1', false])
  })

  it('keeps the results of two middlewares beside one another, and guards use the last one', async () => {
    const app = express().use(
      world.start({ property: 'client' }),
      world.start({
        getToken: ({ headers }) => {
          const token = headers['x-user-token']
          return typeof token === 'string' ? token : undefined
        },
      }),
    )
    app.get('/', requireScopes('b'), (req, res) => {
      res.json([Reflect.get(req, 'client')?.claims.sub, req.auth?.claims.sub, getAuth(req).claims.sub])
    })
    const user = (await tokenOf('user-2')).slice('Bearer '.length)
    const headers = { authorization: world.authorization, 'x-user-token': user }
    expect(await (await fetch(await world.listen(app), { headers })).json()).toEqual(['user-1', 'user-2', 'user-2'])
  })

  it.each([7, '', null])('must not be %j', (property) => {
    const { issuer } = world.issuer
    expect(() => jwksAuth({ issuer, audience, requireHttps: false, property: property as never })).toThrow(
      /^property must be a non-empty string/,
    )
  })

  it('passes the TypeError of a property that cannot be set to next', async () => {
    const seen: unknown[] = []
    const app = express().use(world.start({ property: 'protocol' }))
    app.use(((error, _req, res, _next) => {
      seen.push(error)
      res.sendStatus(500)
    }) as ErrorRequestHandler)
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(answer.status).toBe(500)
    expect(seen).toEqual([expect.any(TypeError)])
  })
})

describe.each(expresses)('getAuth in %s', (_, express) => {
  it('returns who is calling', async () => {
    const app = express().use(world.start())
    app.get('/', (req, res) => {
      res.send(getAuth(req).claims.sub)
    })
    expect(await subjectAt(await world.listen(app))).toBe('user-1')
  })

  it('throws where no jwksAuth ran, which the framework answers with 500', async () => {
    const seen: unknown[] = []
    const app = express().get('/', (req, res) => {
      try {
        res.json(getAuth(req))
      } catch (error) {
        seen.push(error)
        throw error
      }
    })
    app.set('env', 'test')
    expect((await fetch(await world.listen(app))).status).toBe(500)
    expect(seen).toEqual([expect.any(AuthenticatorNotRunError)])
  })

  it('throws for an anonymous request, which the framework answers with 401 and the challenge', async () => {
    const app = express().use(world.start({ credentialsRequired: false }))
    app.set('env', 'test')
    app.get('/', (req, res) => {
      res.json(getAuth(req))
    })
    const answer = await fetch(await world.listen(app))
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="api"'])
  })
})
