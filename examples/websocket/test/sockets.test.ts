import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Authenticator, createAuthenticator, type RegistryOptions } from '@jwks-auth/core'
import { createManualClock, createTestIssuer, type ManualClock, type TestIssuer } from '@jwks-auth/testing'
import { io, type Socket } from 'socket.io-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { serveSocketIo } from '../src/socket-io.ts'
import { serveWebSockets, TOKEN_ENDED } from '../src/ws.ts'

const audience = 'https://api.example.com'

interface Scene {
  readonly issuer: TestIssuer
  readonly authenticator: Authenticator
  readonly clock: ManualClock
  readonly port: number
}

async function start(options: Pick<RegistryOptions, 'publicKeyPath' | 'integrityKey'> = {}): Promise<Scene> {
  const clock = createManualClock({ now: Date.now() })
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience, clock })
  const authenticator = createAuthenticator({
    issuer: issuer.issuer,
    audience,
    requireHttps: false,
    clock,
    retryPolicy: { maxRetries: 0 },
    ...options,
  })
  const server = createServer((_, response) => response.writeHead(404).end())
  const sockets = serveWebSockets(server, authenticator, ({ claims }, text) => `${claims.sub}: ${text}`)
  const socketIo = serveSocketIo(server, authenticator, ({ claims }, text) => `${claims.sub}: ${text}`)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await authenticator.close()
    sockets.close()
    await socketIo.close()
    await issuer.close()
  })
  return { issuer, authenticator, clock, port: (server.address() as AddressInfo).port }
}

/** A client of either kind. */
interface Client {
  send(text: string): Promise<string>
  /** What the client learns when its connection ends. */
  readonly ended: Promise<unknown>
}

async function connectWs({ port }: Scene, token: string): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { authorization: `Bearer ${token}` } })
  onTestFinished(() => socket.terminate())
  const ended = once(socket, 'close').then(([code]) => code)
  await once(socket, 'open')
  return {
    ended,
    async send(text) {
      socket.send(text)
      const [data] = await once(socket, 'message')
      return String(data)
    },
  }
}

async function connectSocketIo({ port }: Scene, token: string): Promise<Client> {
  const socket: Socket = io(`http://127.0.0.1:${port}`, { auth: { token }, transports: ['websocket'], forceNew: true })
  onTestFinished(() => {
    socket.disconnect()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
  return {
    ended: new Promise((resolve) => {
      socket.once('ended', () => socket.once('disconnect', resolve))
    }),
    send: (text) =>
      new Promise((resolve) => {
        socket.once('reply', resolve)
        socket.emit('message', text)
      }),
  }
}

describe.each([
  ['ws', connectWs, TOKEN_ENDED],
  ['Socket.IO', connectSocketIo, 'io server disconnect'],
])('a socket of %s', (_, connect, ending) => {
  it('works for whoever the token is for', async () => {
    const scene = await start()
    const client = await connect(scene, await scene.issuer.sign({ sub: 'ann' }))
    expect(await client.send('hello')).toBe('ann: hello')
  })

  it('is closed within a second after its token has expired, and not before', async () => {
    const scene = await start()
    const client = await connect(scene, await scene.issuer.sign())
    await scene.clock.advance(299_000)
    expect(await client.send('still there?')).toBe('user-1: still there?')
    await scene.clock.advance(2_000)
    expect(await client.ended).toBe(ending)
  })

  it('is closed at once when its key is revoked, and those of other keys are not', async () => {
    const scene = await start()
    const client = await connect(scene, await scene.issuer.sign())
    await scene.issuer.rotate()
    const other = await connect(scene, await scene.issuer.sign({ sub: 'bob' }))
    await scene.authenticator.registry.revokeKey('default', 'default', 'key-1')
    expect(await client.ended).toBe(ending)
    expect(await other.send('hello')).toBe('bob: hello')
  })

  it('stays open while the issuer is down', async () => {
    const scene = await start()
    const client = await connect(scene, await scene.issuer.sign())
    await scene.issuer.stop()
    await scene.clock.advance(200_000)
    expect(await client.send('hello')).toBe('user-1: hello')
  })
})

const run = promisify(execFile)

/** Another process of the application, which shares the directory. */
const REVOKE = `
  import { createAuthenticator } from '@jwks-auth/core'
  const [issuer, publicKeyPath, kid] = process.argv.slice(1)
  const options = { issuer, audience: '${audience}', requireHttps: false, publicKeyPath, integrityKey: false }
  const { registry, close } = createAuthenticator(options)
  await registry.revokeKey('default', 'default', kid)
  await close()
`

it('a socket is closed within five seconds after another process has revoked its key', async () => {
  const publicKeyPath = await mkdtemp(join(tmpdir(), 'jwks-auth-websocket-'))
  onTestFinished(async () => await rm(publicKeyPath, { recursive: true }))
  const scene = await start({ publicKeyPath, integrityKey: false })
  const client = await connectWs(scene, await scene.issuer.sign())
  const args = ['--input-type=module', '--eval', REVOKE, scene.issuer.issuer, publicKeyPath, 'key-1']
  await run(process.execPath, args, { cwd: import.meta.dirname })
  await scene.clock.advance(5_000)
  expect(await client.ended).toBe(TOKEN_ENDED)
})

it('a socket of Socket.IO survives messages of any type', async () => {
  const scene = await start()
  const client = await connectSocketIo(scene, await scene.issuer.sign())
  for (const hostile of [{ toString: 1 }, null, [], 1, undefined]) {
    client.send(hostile as never).catch(() => undefined)
  }
  expect(await client.send('hello')).toBe('user-1: hello')
})

describe('a refused client', () => {
  it('of ws gets the response that a request would get', async () => {
    const scene = await start()
    const socket = new WebSocket(`ws://127.0.0.1:${scene.port}/ws`, { headers: { authorization: 'Bearer x.y.z' } })
    socket.on('error', () => undefined)
    const [, response] = await once(socket, 'unexpected-response')
    expect(response.statusCode).toBe(401)
    expect(response.headers['www-authenticate']).toContain('invalid_token')
  })

  it.each([
    ['no token', undefined],
    ['an object', {}],
    ['another text', 'x.y.z'],
  ])('of Socket.IO with %s gets a sentence', async (_, token) => {
    await expect(connectSocketIo(await start(), token as string)).rejects.toThrow('unauthorized')
  })

  it('of Socket.IO is told to come back while keys cannot be fetched', async () => {
    const scene = await start()
    const token = await scene.issuer.sign()
    await scene.issuer.stop()
    await expect(connectSocketIo(scene, token)).rejects.toThrow('temporarily unavailable')
  })
})
