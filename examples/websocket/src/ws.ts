import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Auth, type Authenticator, nodeHeaders } from '@jwks-auth/core'
import { type WebSocket, WebSocketServer } from 'ws'
import { closeWhenInvalid } from './close-when-invalid.ts'

/** For clients: 4000 to 4999 are an application's own codes (RFC 6455 §7.4.2). */
export const TOKEN_ENDED = 4401

/** Serves `/ws`. The request that opens a socket is authenticated like any other, before it becomes one. */
export function serveWebSockets(
  server: Server,
  authenticator: Authenticator,
  onMessage: (auth: Auth, text: string) => string,
): WebSocketServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 65_536 })

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { method = 'GET', url = '/' } = request
    const outcome = await authenticator.authenticate({ method, url, headers: nodeHeaders(request), raw: request })
    if (!outcome.ok) {
      const { status, headers, body } = outcome.response
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}connection: close\r\n\r\n${body}`)
      return
    }
    const { auth } = outcome
    if (auth !== undefined) sockets.handleUpgrade(request, socket, head, (opened) => serve(opened, auth))
  }

  function serve(socket: WebSocket, auth: Auth): void {
    const closed = new AbortController()
    socket.on('close', () => closed.abort())
    socket.on('error', () => socket.terminate())
    socket.on('message', (data) => socket.send(onMessage(auth, String(data))))
    const close = (): void => socket.close(TOKEN_ENDED, 'the token has ended')
    closeWhenInvalid(authenticator, auth, { signal: closed.signal, close }).catch(() => socket.terminate())
  }

  server.on('upgrade', (request, socket, head) => {
    if (request.url?.split('?')[0] !== '/ws') return
    socket.on('error', () => socket.destroy())
    upgrade(request, socket, head).catch(() => socket.destroy())
  })
  return sockets
}
