import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { runProgram } from '../../test-support/run-program.ts'

/** What applications and test frameworks do to globals, and flags of Node that do it. */
const changes = {
  'globalThis.Promise is a subclass': 'globalThis.Promise = class OwnPromise extends Promise {}',
  'globalThis.Promise is bluebird’s': `globalThis.Promise = (await import('bluebird')).default`,
  'globalThis.Promise is zone.js’s': `await import('zone.js')`,
  'globalThis.Promise is a class that is no Promise': `
    const Native = Promise
    globalThis.Promise = class {
      #promise
      constructor(executor) { this.#promise = new Native(executor) }
      then(...args) { return this.#promise.then(...args) }
      catch(onRejected) { return this.#promise.catch(onRejected) }
      finally(onFinally) { return this.#promise.finally(onFinally) }
      static resolve(value) { return new this((resolve) => resolve(value)) }
      static reject(error) { return new this((_, reject) => reject(error)) }
      static all(values) { return Native.all(values) }
      static race(values) { return Native.race(values) }
      static allSettled(values) { return Native.allSettled(values) }
    }`,
  'Object.prototype is frozen': 'Object.freeze(Object.prototype)',
  // As guides against prototype pollution say: when everything is loaded.
  'Object.prototype is frozen after core was loaded': `await import('@jwks-auth/core')
    Object.freeze(Object.prototype)`,
  'all constructors and prototypes are frozen': `
    const names = Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z]/.test(name))
    for (const each of names.map((name) => globalThis[name]).filter((each) => typeof each === 'function')) {
      Object.freeze(each)
      Object.freeze(each.prototype)
    }`,
  'Object.prototype.__proto__ and eval throw': {
    flags: ['--disable-proto=throw', '--disallow-code-generation-from-strings'],
  },
  'deprecated functions throw': { flags: ['--pending-deprecation', '--throw-deprecation'] },
  'intrinsics are frozen by Node': { flags: ['--frozen-intrinsics', '--disable-warning=ExperimentalWarning'] },
} as const

/** Authenticates in every way in which something is waited for, and writes the outcomes. */
const program = `
  const { createAuthenticator, fileStore } = await import('@jwks-auth/core')
  const issuer = process.env.ISSUER
  const good = (value) => new Promise((resolve) => setTimeout(() => resolve(value), 1))
  const bad = () => new Promise((_, reject) => setTimeout(() => reject(new Error('callback')), 1))
  const schema = (validate) => ({ '~standard': { version: 1, vendor: 'test', validate } })
  const tenants = { acme: { issuer } }
  const variants = {
    plain: {},
    'file store': { store: fileStore({ directory: process.env.FOLDER }) },
    uncached: { tokenCache: false },
    validate: { validate: () => good(true) },
    'claims and isRevoked': { claims: schema((value) => good({ value })), isRevoked: () => good(false) },
    getToken: { getToken: () => good(process.env.TOKEN) },
    tenant: { issuer: undefined, tenants, tenant: () => good('acme') },
    'revoked token': { isRevoked: () => good(true) },
    'failing validate': { validate: bad },
    'failing tenant': { issuer: undefined, tenants, tenant: bad },
    'no token': { getToken: () => undefined },
    'malformed token': { getToken: () => 'a.b.c' },
    'forged token': { getToken: () => process.env.TOKEN.slice(0, -8) + 'AAAAAAAA' },
    'expired token': { getToken: () => process.env.EXPIRED },
  }
  const headers = { authorization: 'Bearer ' + process.env.TOKEN }
  const outcomes = {}
  for (const [name, options] of Object.entries(variants)) {
    const authenticator = createAuthenticator({ issuer, audience: 'api', requireHttps: false, ...options })
    const ask = async () => {
      try {
        const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers })
        return outcome.ok ? 'accepted' : outcome.error.code
      } catch (error) {
        return error.message
      }
    }
    // The first one fetches keys, the second one has them, the third one is concurrent with the fourth.
    outcomes[name] = [await ask(), await ask(), ...(await Promise.all([ask(), ask()]))]
    await authenticator.close()
  }
  process.send(outcomes)
  process.disconnect()
`

/** Protects an application of each framework, freezes what frameworks bear to be frozen, and writes the statuses. */
const frozenApps = `
  const { createServer } = await import('node:http')
  const { default: express } = await import('express')
  const { default: fastify } = await import('fastify')
  const { default: Koa } = await import('koa')
  const { getRequestListener } = await import('@hono/node-server')
  const onExpress = await import('@jwks-auth/express')
  const onFastify = await import('@jwks-auth/fastify')
  const onFetch = await import('@jwks-auth/fetch')
  const onKoa = await import('@jwks-auth/koa')
  const { RequestNotAuthenticatedException } = await import('@jwks-auth/nestjs')
  Object.freeze(Object.prototype)
  Object.freeze(Error)

  const options = { issuer: process.env.ISSUER, audience: 'api', requireHttps: false }
  const subject = ({ auth }) => ({ sub: auth.claims.sub })
  const expressApp = express().use(onExpress.jwksAuth(options)).get('/', (request, response) => response.json(subject(request)))
  const koaApp = new Koa().use(onKoa.jwksAuth(options)).use((context) => { context.body = subject(context.state) })
  const fetchHandler = onFetch.protect(options)((request) => Response.json(subject(request)))
  const fastifyApp = fastify()
  await fastifyApp.register(onFastify.jwksAuth, options)
  fastifyApp.get('/', { onRequest: fastifyApp.authenticate }, subject)
  await fastifyApp.ready()

  async function statuses(listener) {
    const server = createServer(listener)
    await new Promise((resolve) => server.listen(0, resolve))
    const answers = [undefined, 'a.b.c', process.env.EXPIRED, process.env.TOKEN].map(async (token) => {
      const headers = token === undefined ? {} : { authorization: 'Bearer ' + token }
      const response = await fetch('http://127.0.0.1:' + server.address().port, { headers })
      return response.status
    })
    return await Promise.all(answers)
  }
  const observed = {
    express: await statuses(expressApp),
    fastify: await statuses(fastifyApp.routing),
    fetch: await statuses(getRequestListener(fetchHandler)),
    koa: await statuses(koaApp.callback()),
    nestjs: new RequestNotAuthenticatedException({ code: 'invalid_token', message: 'm', status: 401, headers: {} }).getStatus(),
  }
  process.send(observed, () => process.exit())
`

const all = (outcome: string): string[] => Array<string>(4).fill(outcome)

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
})
afterAll(() => issuer.close())

describe.each(Object.entries(changes))('a process in which %s', (_, change) => {
  it('accepts and refuses tokens as any other, and stays up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'changed-globals-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const { flags, code } = typeof change === 'string' ? { flags: [], code: change } : { ...change, code: '' }
    const token = await issuer.sign({ claim: { constructor: 'a', toString: 'b', valueOf: [{ hasOwnProperty: 'c' }] } })
    const env = { ISSUER: issuer.issuer, TOKEN: token, EXPIRED: await issuer.sign({ exp: 1 }), FOLDER: folder }
    expect(await runProgram(`${code}\n${program}`, { env, flags })).toEqual({
      exitCode: 0,
      errors: '',
      sent: {
        plain: all('accepted'),
        'file store': all('accepted'),
        uncached: all('accepted'),
        validate: all('accepted'),
        'claims and isRevoked': all('accepted'),
        getToken: all('accepted'),
        tenant: all('accepted'),
        'revoked token': all('ERR_TOKEN_REVOKED'),
        'failing validate': all('callback'),
        'failing tenant': all('callback'),
        'no token': all('ERR_TOKEN_MISSING'),
        'malformed token': all('ERR_TOKEN_MALFORMED'),
        'forged token': all('ERR_SIGNATURE_INVALID'),
        'expired token': all('ERR_TOKEN_EXPIRED'),
      },
    })
    expect(readdirSync(folder, { recursive: true })).not.toEqual([])
  })
})

describe('a process in which Object.prototype and Error are frozen after everything was loaded', () => {
  it('accepts and refuses requests in every framework', async () => {
    const statuses = [401, 401, 401, 200]
    const env = { ISSUER: issuer.issuer, TOKEN: await issuer.sign(), EXPIRED: await issuer.sign({ exp: 1 }) }
    expect(await runProgram(frozenApps, { env })).toEqual({
      exitCode: 0,
      errors: '',
      sent: { express: statuses, fastify: statuses, fetch: statuses, koa: statuses, nestjs: 401 },
    })
  })
})
