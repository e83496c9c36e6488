import type { Server as HttpServer } from 'node:http'
import type { Auth, Authenticator } from '@jwks-auth/core'
import { Server } from 'socket.io'
import { closeWhenInvalid } from './close-when-invalid.ts'

interface ServerEvents {
  reply(text: string): void
  ended(): void
}
interface ClientEvents {
  message(text: string): void
}
export type SocketIoServer = Server<ClientEvents, ServerEvents, Record<never, never>, { auth: Auth }>

/** Serves Socket.IO, whose clients send the token in the handshake: `io(url, { auth: { token } })`. */
export function serveSocketIo(
  server: HttpServer,
  authenticator: Authenticator,
  onMessage: (auth: Auth, text: string) => string,
): SocketIoServer {
  const io: SocketIoServer = new Server(server)

  io.use(async (socket, next) => {
    const outcome = await authenticator.verify(socket.handshake.auth['token'])
    if (!outcome.ok) {
      // The client sees `connect_error` with a sentence that is safe to send.
      next(new Error(outcome.response.status === 503 ? 'temporarily unavailable' : 'unauthorized'))
      return
    }
    socket.data.auth = outcome.auth
    next()
  })

  io.on('connection', (socket) => {
    const { auth } = socket.data
    const closed = new AbortController()
    socket.on('disconnect', () => closed.abort())
    socket.on('message', (text) => socket.emit('reply', onMessage(auth, String(text))))
    const close = (): void => {
      socket.emit('ended')
      socket.disconnect(true)
    }
    closeWhenInvalid(authenticator, auth, { signal: closed.signal, close }).catch(() => socket.disconnect(true))
  })
  return io
}
