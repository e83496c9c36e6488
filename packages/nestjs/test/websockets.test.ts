import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import {
  type Auth,
  type Authenticator,
  CurrentAuth,
  JWKS_AUTHENTICATOR,
  JwksAuthModule,
  Public,
  RequireScopes,
} from '@jwks-auth/nestjs'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { IoAdapter } from '@nestjs/platform-socket.io'
import { WsAdapter } from '@nestjs/platform-ws'
import { type OnGatewayConnection, type OnGatewayInit, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets'
import type { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createApp, listen, platforms } from './apps.ts'

const audience = 'https://api.example'
let issuer: TestIssuer

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
})

afterAll(() => issuer.close())

const invalid = { status: 'error', error: 'invalid_token' }

function authModule() {
  return JwksAuthModule.forRoot({ issuer: issuer.issuer, audience, requireHttps: false })
}

class Messages {
  @SubscribeMessage('who')
  who(@CurrentAuth() auth: Auth): object {
    return { event: 'answer', data: { sub: auth.claims.sub } }
  }

  @RequireScopes('chat:write')
  @SubscribeMessage('write')
  write(): object {
    return { event: 'answer', data: 'written' }
  }

  @Public()
  @SubscribeMessage('ping')
  ping(): object {
    return { event: 'answer', data: 'pong' }
  }
}

describe.each(platforms)('a gateway of Socket.IO on %s', (platform) => {
  async function connect(token?: string, auth: { readonly token?: string } = {}) {
    @WebSocketGateway()
    class Gateway extends Messages implements OnGatewayInit<Server> {
      // As docs/nestjs.md has it.
      afterInit(server: Server): void {
        server.use((socket, next) => {
          const { token } = socket.handshake.auth
          if (typeof token === 'string') socket.request.headers.authorization = `Bearer ${token}`
          next()
        })
      }
    }
    const nest = await createApp(platform, { imports: [authModule()], providers: [Gateway] })
    nest.useWebSocketAdapter(new IoAdapter(nest))
    const { port } = await listen(nest)
    const socket = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'],
      reconnection: false,
      auth,
      extraHeaders: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })
    return {
      nest,
      async ask(event: string): Promise<unknown> {
        const answer = new Promise((resolve) => {
          socket.once('answer', (data) => resolve({ answer: data }))
          socket.once('exception', (data) => resolve({ exception: data }))
        })
        socket.emit(event, {})
        const received = await answer
        socket.off('answer').off('exception')
        return received
      },
      close: () => socket.disconnect(),
    }
  }

  it('authenticates each message by the token of the handshake', async () => {
    const socket = await connect(await issuer.sign({ sub: 'user-1', scope: 'chat:write' }))
    expect(await socket.ask('who')).toEqual({ answer: { sub: 'user-1' } })
    expect(await socket.ask('write')).toEqual({ answer: 'written' })
    socket.close()
  })

  it('authenticates by a token that a middleware has copied from the auth of the handshake', async () => {
    const socket = await connect(undefined, { token: await issuer.sign({ sub: 'user-3' }) })
    expect(await socket.ask('who')).toEqual({ answer: { sub: 'user-3' } })
    socket.close()
  })

  it("sends the body of core's refusal as an exception", async () => {
    const socket = await connect(await issuer.sign({ scope: 'chat:read' }))
    expect(await socket.ask('write')).toMatchObject({ exception: { status: 'error', error: 'insufficient_scope' } })
    expect(await socket.ask('ping')).toEqual({ answer: 'pong' })
    socket.close()
    const stranger = await connect('bad')
    expect(await stranger.ask('who')).toMatchObject({ exception: invalid })
    stranger.close()
    const anonymous = await connect()
    expect(await anonymous.ask('who')).toEqual({
      exception: { status: 'error', error: 'unauthorized', error_description: 'A bearer token is required.' },
    })
    anonymous.close()
  })

  it('refuses a message once the key of the token is revoked', async () => {
    const socket = await connect(await issuer.sign({ sub: 'user-1' }))
    expect(await socket.ask('who')).toEqual({ answer: { sub: 'user-1' } })
    const { registry } = socket.nest.get<Authenticator<unknown>>(JWKS_AUTHENTICATOR)
    const { keys } = await registry.resolve('default', 'default')
    await registry.revokeKey('default', 'default', keys[0]?.kid ?? '')
    expect(await socket.ask('who')).toMatchObject({ exception: invalid })
    socket.close()
  })
})

describe.each(platforms)('a gateway of ws on %s', (platform) => {
  async function connect(keepsHandshake: boolean, token: string) {
    @WebSocketGateway()
    class Gateway extends Messages implements OnGatewayConnection {
      handleConnection(client: WebSocket, request: IncomingMessage): void {
        if (keepsHandshake) Object.assign(client, { request })
      }
    }
    const nest = await createApp(platform, { imports: [authModule()], providers: [Gateway] })
    nest.useWebSocketAdapter(new WsAdapter(nest))
    const { port } = await listen(nest)
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { authorization: `Bearer ${token}` } })
    await once(socket, 'open')
    return async (event: string): Promise<unknown> => {
      socket.send(JSON.stringify({ event, data: {} }))
      const [message] = await once(socket, 'message')
      return JSON.parse(String(message))
    }
  }

  it('authenticates where handleConnection keeps the handshake request', async () => {
    const ask = await connect(true, await issuer.sign({ sub: 'user-2' }))
    expect(await ask('who')).toEqual({ event: 'answer', data: { sub: 'user-2' } })
    expect(await ask('write')).toMatchObject({ event: 'exception', data: { error: 'insufficient_scope' } })
    expect(await (await connect(true, 'bad'))('who')).toMatchObject({ event: 'exception', data: invalid })
  })

  it('lets no message pass where the handshake request is not kept', async () => {
    const ask = await connect(false, await issuer.sign())
    expect(await ask('who')).toMatchObject({ event: 'exception', data: { message: 'Internal server error' } })
    expect(await ask('ping')).toEqual({ event: 'answer', data: 'pong' })
  })
})
