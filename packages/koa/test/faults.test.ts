import { once } from 'node:events'
import { connect } from 'node:net'
import { requireScopes } from '@jwks-auth/koa'
import { authenticated, deferred } from '@jwks-auth/test-support/deferred'
import type Koa3 from 'koa'
import { describe, expect, it, vi } from 'vitest'
import { koas, useWorld } from './world.ts'

const world = useWorld()

/** Counts the requests that come past a middleware, and the errors of the application. */
function countPassedOn(app: Koa3): () => number {
  let passedOn = 0
  app.on('error', () => {
    passedOn += 1
  })
  app.use((ctx) => {
    passedOn += 1
    ctx.body = 'handled'
  })
  return () => passedOn
}

const ends: readonly (readonly [name: string, isRevoked: boolean])[] = [
  ['accepted', false],
  ['refused', true],
]

describe.each(koas)('a response that was sent while jwksAuth waited in %s', (_, Koa) => {
  it.each(ends)('is left alone when the request is %s', async (_, revoked) => {
    const isRevoked = deferred<boolean>()
    const middleware = world.start({ isRevoked: () => isRevoked.promise })
    const app = new Koa().use((ctx, next) => {
      const later = next()
      ctx.res.writeHead(504, { 'content-type': 'text/plain' }).end('too late')
      return later
    })
    const passedOn = countPassedOn(app.use(middleware))
    await authenticated(middleware, async () => {
      const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
      expect([answer.status, await answer.text()]).toEqual([504, 'too late'])
      isRevoked.resolve(revoked)
    })
    expect(passedOn()).toBe(0)
  })

  it('is left alone when only its first part is sent', async () => {
    const isRevoked = deferred<boolean>()
    const middleware = world.start({ isRevoked: () => isRevoked.promise })
    const finish = deferred<void>()
    const app = new Koa().use(async (ctx, next) => {
      const later = next()
      ctx.res.writeHead(504, { 'content-type': 'text/plain' }).write('too ')
      void finish.promise.then(() => ctx.res.end('late'))
      await later
    })
    const passedOn = countPassedOn(app.use(middleware))
    let body = Promise.resolve('')
    await authenticated(middleware, async () => {
      const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
      body = answer.text()
      isRevoked.resolve(false)
    })
    finish.resolve()
    expect([await body, passedOn()]).toEqual(['too late', 0])
  })

  it('is left alone by a guard', async () => {
    const app = new Koa().use(world.start()).use((ctx, next) => {
      ctx.res.writeHead(202, { 'content-type': 'text/plain' }).end('accepted')
      return next()
    })
    const passedOn = countPassedOn(app.use(requireScopes('c')))
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect([answer.status, await answer.text(), passedOn()]).toEqual([202, 'accepted', 0])
  })
})

describe.each(koas)('a client that goes away while jwksAuth waits in %s', (_, Koa) => {
  it.each(ends)('gets no handler run when the request is %s', async (_, revoked) => {
    const isRevoked = deferred<boolean>()
    const gone = deferred<void>()
    const middleware = world.start({ isRevoked: () => isRevoked.promise })
    const app = new Koa().use((ctx, next) => {
      ctx.res.on('close', () => gone.resolve())
      return next()
    })
    const passedOn = countPassedOn(app.use(middleware))
    const url = await world.listen(app)
    await authenticated(middleware, async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ${world.authorization}\r\n\r\n`)
      await vi.waitUntil(() => vi.mocked(middleware.authenticator.authenticate).mock.calls.length > 0)
      socket.destroy()
      await gone.promise
      isRevoked.resolve(revoked)
    })
    expect(passedOn()).toBe(0)
  })
})

describe.each(koas)('an outcome that is a thenable and no Promise in %s', (_, Koa) => {
  it('is waited for', async () => {
    const middleware = world.start()
    const { authenticate } = middleware.authenticator
    vi.spyOn(middleware.authenticator, 'authenticate').mockImplementation((request) => {
      const promise = Promise.resolve(authenticate(request))
      const outcome: object = {}
      Reflect.set(outcome, 'then', promise.then.bind(promise))
      return outcome as typeof promise
    })
    const app = new Koa().use(middleware).use((ctx) => {
      ctx.body = ctx.state.auth?.claims.sub
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(await answer.text()).toBe('user-1')
  })
})
