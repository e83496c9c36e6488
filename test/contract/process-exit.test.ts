import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** What every child begins with: the options, and one request over a connection that is kept open. */
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

/** Runs a program as a user would, with plain Node and the compiled packages; kills it after ten seconds. */
function run(program: string, environment: Readonly<Record<string, string>>): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', prelude + program], {
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

describe('a process that has served a request and closed everything', () => {
  let issuer: TestIssuer
  let environment: Readonly<Record<string, string>>
  beforeAll(async () => {
    issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
    environment = { ISSUER: issuer.issuer, TOKEN: await issuer.sign() }
  })
  afterAll(async () => {
    await issuer.close()
  })

  it.each(Object.entries(programs))('exits by itself: %s', async (_, program) => {
    expect(await run(program, environment)).toEqual({ code: 0, signal: null, output: '200\n' })
  })
})
