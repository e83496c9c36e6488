import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** The first lines of a program that serves: its options, and one request over a connection that is kept open. */
const prelude = `
  import { once } from 'node:events'
  import { createServer, get } from 'node:http'
  const options = { issuer: process.env.ISSUER, audience: 'api', requireHttps: false, unknownKidCooldown: 600_000 }
  async function ask(port) {
    const asked = get({ port, host: '127.0.0.1', headers: { authorization: 'Bearer ' + process.env.TOKEN } })
    const [answer] = await once(asked, 'response')
    answer.resume()
    await once(answer, 'end')
    console.log(answer.statusCode)
  }
  async function serve(listener, authenticate) {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    await ask(server.address().port)
    server.close()
    server.closeAllConnections()
    await authenticate.close()
  }
`

const expressApp = (module: string): string => `
  import express from '${module}'
  import { jwksAuth } from '@jwks-auth/express'
  const authenticate = jwksAuth(options)
  await serve(express().use(authenticate).get('/', (_req, res) => { res.send() }), authenticate)
`

const koaApp = (module: string): string => `
  import Koa from '${module}'
  import { jwksAuth } from '@jwks-auth/koa'
  const authenticate = jwksAuth(options)
  await serve(new Koa().use(authenticate).use((ctx) => { ctx.body = '' }).callback(), authenticate)
`

const programs = {
  'Express 4': expressApp('express4'),
  'Express 5': expressApp('express'),
  'Koa 2': koaApp('koa2'),
  'Koa 3': koaApp('koa'),
  'Fastify 5': `
    import { fastify } from 'fastify'
    import { jwksAuth } from '@jwks-auth/fastify'
    const app = fastify({ forceCloseConnections: true })
    await app.register(jwksAuth, options)
    app.get('/', (_request, reply) => reply.send())
    await app.listen({ port: 0, host: '127.0.0.1' })
    await ask(app.server.address().port)
    await app.close()
  `,
  'core alone': `
    import { createRegistry } from '@jwks-auth/core'
    const { issuer, requireHttps } = options
    const registry = createRegistry({ requireHttps })
    await registry.register({ tenant: 't', provider: 'p', issuer, network: 'any', prefetch: 'always' })
    const { keys } = await registry.resolve('t', 'p')
    console.log(keys.length === 1 ? 200 : 'no key')
    await registry.close()
  `,
} as const

interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
}

/**
 * The first lines of a program that only waits: it makes no server and starts no timer, so that nothing but the
 * package keeps it alive. Three attempts of 200 ms, with pauses between them.
 */
const waitingPrelude = `
  import { createAuthenticator, createRegistry } from '@jwks-auth/core'
  const retryPolicy = { maxRetries: 2, attemptTimeout: 200, initialBackoff: 100, jitter: 'none', deadline: 5_000 }
  const provider = { issuer: process.env.ISSUER, jwksUri: process.env.ISSUER + '/jwks', retryPolicy }
  const options = { ...provider, audience: 'api', requireHttps: false }
  const request = { method: 'GET', url: '/', headers: { authorization: 'Bearer ' + process.env.TOKEN } }
  const never = new Promise(() => undefined)
  const hangingStore = { load: () => never, save: () => never, delete: () => never }
  const statusOf = (outcome) => (outcome.ok ? 200 : outcome.response.status)
  async function register(registryOptions) {
    const registry = createRegistry({ requireHttps: false, ...registryOptions })
    await registry.register({ tenant: 't', provider: 'p', ...provider, network: 'any' })
    return registry
  }
`

/** Each prints one line and closes nothing. */
const waitingPrograms = {
  'authenticate()': `
    console.log(statusOf(await createAuthenticator(options).authenticate(request)))
  `,
  'authenticate() after discovery': `
    const { jwksUri, ...discovering } = options
    console.log(statusOf(await createAuthenticator(discovering).authenticate(request)))
  `,
  'authenticate() beside a store that hangs': `
    const store = { store: hangingStore, integrityKey: false }
    console.log(statusOf(await createAuthenticator({ ...options, ...store }).authenticate(request)))
  `,
  'resolve()': `
    const registry = await register()
    const failure = await registry.resolve('t', 'p').catch((error) => error)
    console.log(failure.code === 'ERR_KEYS_UNAVAILABLE' ? 503 : failure)
  `,
  'resolve() beside a store that hangs': `
    const registry = await register({ store: hangingStore, integrityKey: false })
    const failure = await registry.resolve('t', 'p').catch((error) => error)
    console.log(failure.code === 'ERR_KEYS_UNAVAILABLE' ? 503 : failure)
  `,
  'refresh()': `
    const registry = await register()
    const outcome = await registry.refresh('t', 'p').catch((error) => error)
    console.log(outcome === undefined ? 'nothing' : 503)
  `,
} as const

/** Each leaves only background work behind, and closes nothing. */
const backgroundPrograms = {
  'a refresh ahead of expiry': `
    const registry = await register({ defaults: { prefetch: 'always' } })
    const { keys } = await registry.resolve('t', 'p')
    console.log(keys.length)
  `,
  'a token that was verified': `
    console.log(statusOf(await createAuthenticator(options).authenticate(request)) === 200 ? 1 : 'refused')
  `,
  'a store that hangs': `
    const registry = await register({ store: hangingStore, integrityKey: false })
    const { keys } = await registry.resolve('t', 'p')
    console.log(keys.length)
  `,
} as const

/** Each closes while a request waits for a provider that does not answer, within 30 seconds. */
const closingPrograms = {
  'an authenticator': `
    const patient = { ...retryPolicy, attemptTimeout: 30_000, deadline: 30_000 }
    const authenticator = createAuthenticator({ ...options, retryPolicy: patient })
    const outcome = Promise.resolve(authenticator.authenticate(request)).then(statusOf, (error) => error.name)
    await authenticator.close()
    await outcome
    console.log('closed')
  `,
  'a registry': `
    const registry = await register({ defaults: { retryPolicy: { attemptTimeout: 30_000, deadline: 30_000 } } })
    const outcome = registry.resolve('t', 'p').catch((error) => error.name)
    await registry.close()
    await outcome
    console.log('closed')
  `,
} as const

/** Runs a program as a user would, with plain Node and the compiled packages; kills it after ten seconds. */
function run(program: string, environment: Readonly<Record<string, string>>): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, ...environment, NODE_ENV: 'test' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 10_000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, output }))
  })
}

let issuer: TestIssuer
let environment: Readonly<Record<string, string>>
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
  environment = { ISSUER: issuer.issuer, TOKEN: await issuer.sign() }
})
afterAll(async () => {
  await issuer.close()
})

/** Providers that cannot be reached, each with a function that ends it. */
const unreachable = {
  'refuses connections': async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    return { port, end: () => undefined }
  },
  'accepts connections and never answers': async () => {
    const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { port, end: () => server.close() }
  },
} as const

/** For a process whose provider is at this port, with a token that names it. */
async function environmentFor(port: number): Promise<Readonly<Record<string, string>>> {
  const iss = `http://127.0.0.1:${port}`
  return { ISSUER: iss, TOKEN: await issuer.sign({ iss }) }
}

describe('a process that has served a request and closed everything', () => {
  it.each(Object.entries(programs))('exits by itself: %s', async (_, program) => {
    expect(await run(prelude + program, environment)).toEqual({ code: 0, signal: null, output: '200\n' })
  })
})

describe.each(Object.entries(unreachable))('a process that only waits for a provider that %s', (_, start) => {
  it.each(Object.entries(waitingPrograms))('stays until it has the result, then exits: %s', async (_, program) => {
    const { port, end } = await start()
    expect(await run(waitingPrelude + program, await environmentFor(port))).toEqual({
      code: 0,
      signal: null,
      output: '503\n',
    })
    end()
  })
})

describe('a process that has only background work left', () => {
  it.each(Object.entries(backgroundPrograms))('exits by itself: %s', async (_, program) => {
    expect(await run(waitingPrelude + program, environment)).toEqual({ code: 0, signal: null, output: '1\n' })
  })
})

describe('a process that closes while a request waits for its provider', () => {
  it.each(Object.entries(closingPrograms))('exits by itself: %s', async (_, program) => {
    const { port, end } = await unreachable['accepts connections and never answers']()
    expect(await run(waitingPrelude + program, await environmentFor(port))).toEqual({
      code: 0,
      signal: null,
      output: 'closed\n',
    })
    end()
  })
})
