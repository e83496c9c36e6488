import { requireScopes } from '@jwks-auth/express'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { expresses, useWorld } from './world.ts'

const world = useWorld()

/** Answers with whom it takes the request to be of. */
const tellSubject: RequestHandler = (req, res) => {
  res.send(req.auth?.claims.sub ?? 'nobody')
}

async function subjectAt(url: string, authorization: string | undefined = world.authorization): Promise<string> {
  const answer = await fetch(url, authorization === undefined ? {} : { headers: { authorization } })
  expect(answer.status).toBe(200)
  return await answer.text()
}

async function tokenOf(sub: string): Promise<string> {
  return `Bearer ${await world.issuer.sign({ sub, scope: 'b' })}`
}

describe.each(expresses)('req.auth in %s', (_, express) => {
  it('is there in an application that is mounted, and before it is', async () => {
    const app = express().use(world.start())
    app.get('/here', tellSubject)
    app.use('/mounted', express().get('/', tellSubject))
    const url = await world.listen(app)
    expect(await subjectAt(`${url}/here`)).toBe('user-1')
    expect(await subjectAt(`${url}/mounted`)).toBe('user-1')
  })

  it('is there after an application that is mounted has asked for it', async () => {
    const app = express().use(express().use(world.start()))
    expect(await subjectAt(await world.listen(app.get('/', tellSubject)))).toBe('user-1')
  })

  it('is there in an application that is called by hand', async () => {
    const inner = express().get('/', requireScopes('a'), tellSubject)
    const app = express().use(world.start())
    app.use((req, res) => void inner(req, res))
    expect(await subjectAt(await world.listen(app))).toBe('user-1')
  })

  it('is nothing in other applications', async () => {
    await subjectAt(await world.listen(express().use(world.start()).get('/', tellSubject)))
    expect(await subjectAt(await world.listen(express().get('/', tellSubject)))).toBe('nobody')
  })

  it('is that of each of two requests at once', async () => {
    const app = express().use(world.start())
    const waiting: (() => void)[] = []
    app.use((_req, _res, next) => {
      waiting.push(next)
      if (waiting.length === 2) for (const goOn of waiting) goOn()
    })
    const url = await world.listen(app.get('/', tellSubject))
    const subjects = [subjectAt(url, await tokenOf('first')), subjectAt(url, await tokenOf('second'))]
    expect(await Promise.all(subjects)).toEqual(['first', 'second'])
  })

  it('is what it is set to, a member like any other, for this request only', async () => {
    const app = express().use(world.start())
    const names: string[][] = []
    app.get('/set', (req, _res, next) => {
      if (req.auth === undefined) throw new Error('no auth')
      req.auth = { ...req.auth, claims: { ...req.auth.claims, sub: 'other' } }
      names.push(Object.keys(req).filter((name) => name === 'auth'))
      next()
    })
    app.get(['/', '/set'], tellSubject)
    const url = await world.listen(app)
    expect(await subjectAt(`${url}/set`)).toBe('other')
    expect(await subjectAt(url)).toBe('user-1')
    expect(names).toEqual([['auth']])
  })

  it.each([
    ['a token', 'user-1'],
    ['no token', 'nobody'],
  ])('takes the place of what something else has set, with %s', async (credentials, subject) => {
    const app = express()
    app.use((req, _res, next) => {
      Object.assign(req, { auth: { claims: { sub: 'basic' } } })
      next()
    })
    const url = await world.listen(app.use(world.start({ credentialsRequired: false })).get('/', tellSubject))
    const headers = credentials === 'a token' ? { authorization: world.authorization } : undefined
    const answer = await fetch(url, headers === undefined ? {} : { headers })
    expect(await answer.text()).toBe(subject)
  })

  it('goes to requests that are derived from it, as guards do', async () => {
    const app = express().use(world.start())
    app.get('/', (req, res, next) => {
      const derived = Object.create(req) as Request
      requireScopes('a')(derived, res, (error) => (error === undefined ? tellSubject(derived, res, next) : next(error)))
    })
    expect(await subjectAt(await world.listen(app))).toBe('user-1')
  })

  it('is nothing to a request that was made of another one and that nobody authenticated', async () => {
    const app = express().use(world.start())
    app.get('/', (req, res, next) => {
      const copy = Object.assign(Object.create(Object.getPrototypeOf(req) as object), req) as Request
      if (copy.auth === undefined) requireScopes('a')(copy, res, next)
      else tellSubject(copy, res, next)
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(answer.status).toBe(500)
  })

  it('is its own of a request that was made of another one and brings another token', async () => {
    const authenticate = world.start()
    const token = await tokenOf('inner')
    const seen: unknown[] = []
    const app = express().use(authenticate)
    const authenticateCopies = async (req: Request, res: Response, next: NextFunction): Promise<void> => {
      const prototype = Object.getPrototypeOf(req) as object
      const run = (handler: RequestHandler, inner: Request) =>
        new Promise<unknown>((resolve) => void handler(inner, res, resolve))
      for (const inner of [Object.assign(Object.create(prototype), req), Object.create(req)] as Request[]) {
        Object.defineProperty(inner, 'headers', { value: { authorization: token } })
        await run(authenticate, inner)
        seen.push(inner.auth?.claims.sub, await run(requireScopes('b'), inner))
      }
      next()
    }
    app.use((req, res, next) => void authenticateCopies(req, res, next))
    app.get('/', requireScopes('a'), tellSubject)
    expect(await subjectAt(await world.listen(app))).toBe('user-1')
    expect(seen).toEqual(['inner', undefined, 'inner', undefined])
  })
})
