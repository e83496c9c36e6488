import type { Server as HttpServer } from 'node:http'
import type { Auth, Authenticator } from '@jwks-auth/core'
import { type DefaultEventsMap, Server, type Socket } from 'socket.io'
import { closeWhenInvalid } from './close-when-invalid.ts'

interface ServerEvents {
  reply(text: string): void
  ended(): void
}
interface ClientEvents {
  /** Clients may send anything. */
  message(text: unknown): void
}
interface SocketData {
  auth: Auth
}
export type SocketIoServer = Server<ClientEvents, ServerEvents, DefaultEventsMap, SocketData>
type SocketIoSocket = Socket<ClientEvents, ServerEvents, DefaultEventsMap, SocketData>

/** Serves Socket.IO, whose clients send the token in the handshake: `io(url, { auth: { token } })`. */
export function serveSocketIo(
  server: HttpServer,
  authenticator: Authenticator,
  onMessage: (auth: Auth, text: string) => string,
): SocketIoServer {
  const io: SocketIoServer = new Server(server)

  /** Returns why a client may not connect: a sentence that it is sent. */
  async function authenticate(socket: SocketIoSocket): Promise<Error | undefined> {
    // Whatever a client has sent: what is no token is refused.
    const { token = '' } = socket.handshake.auth as { token?: string }
    const outcome = await authenticator.verify(token)
    if (!outcome.ok) return new Error(outcome.response.status === 503 ? 'temporarily unavailable' : 'unauthorized')
    socket.data.auth = outcome.auth
    return undefined
  }

  io.use((socket, admit) => {
    authenticate(socket).then(admit, () => admit(new Error('server error')))
  })

  io.on('connection', (socket) => {
    const { auth } = socket.data
    const closed = new AbortController()
    socket.on('disconnect', () => closed.abort())
    socket.on('message', (text) => {
      if (typeof text === 'string') socket.emit('reply', onMessage(auth, text))
    })
    const close = (): void => {
      socket.emit('ended')
      socket.disconnect(true)
    }
    closeWhenInvalid(authenticator, auth, { signal: closed.signal, close }).catch(() => socket.disconnect(true))
  })
  return io
}
