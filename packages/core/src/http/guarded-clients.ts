import type { Socket } from 'node:net'
import type { buildConnector, Client } from 'undici'
import type { Attempt, Connect } from './connection.ts'
import type { Exchange, ExchangeRequest, IncomingResponse } from './exchange.ts'

/** Milliseconds for which an idle connection is kept. Shorter than what servers and load balancers usually keep. */
const KEEP_ALIVE = 4_000

/** Idle connections of one origin. */
const MAX_IDLE = 8

/** HTTP clients whose connections satisfy one set of rules. */
export interface GuardedClients {
  /** Sends one request. One whose reused connection is closed before a response is repeated once on a new connection. */
  readonly exchange: Exchange
  /** Closes idle connections, and others as soon as their response was read. */
  retire(): void
  /** Closes every connection, those in use included. */
  destroy(): Promise<void>
}

/** One undici client: one connection, one request at a time. */
interface Connection {
  readonly client: Client
  /** The attempt that uses it now: a connection that is being made ends with its attempt. */
  attempt: Attempt
  socket: Socket | undefined
  /** Called when the connection is ready for the request. */
  onReady: () => void
}

/** The type of undici's connectors, which make a client's connections. */
type Connector = Exclude<ReturnType<typeof buildConnector>, undefined>

/** Open connections: those in use, and idle ones by origin. */
class ConnectionPool {
  readonly #open = new Set<Connection>()
  readonly #idle = new Map<string, Connection[]>()
  #isRetired = false

  add(connection: Connection): void {
    this.#open.add(connection)
  }

  /** Takes the idle connection that was used last. */
  take(origin: string): Connection | undefined {
    const connection = this.#idle.get(origin)?.at(-1)
    if (connection !== undefined) this.#takeOut(origin, connection)
    return connection
  }

  /** Keeps a connection for another request, if it still stands and there are not too many. */
  keep(origin: string, connection: Connection): void {
    const idle = this.#idle.get(origin) ?? []
    if (this.#isRetired || idle.length >= MAX_IDLE || connection.socket?.destroyed !== false) this.discard(connection)
    else this.#idle.set(origin, [...idle, connection])
  }

  /** Closes a connection; cannot reject. */
  discard(connection: Connection): void {
    this.#open.delete(connection)
    connection.client.destroy().catch(() => undefined)
  }

  /** Removes a connection that was closed while it was idle; one in use is the request's own matter. */
  disconnected(origin: string, connection: Connection): void {
    if (this.#takeOut(origin, connection)) this.discard(connection)
  }

  /** Closes idle connections, and others instead of keeping them. */
  retire(): void {
    this.#isRetired = true
    for (const idle of this.#idle.values()) for (const connection of idle) this.discard(connection)
    this.#idle.clear()
  }

  /** Closes every connection. */
  async destroy(): Promise<void> {
    this.#isRetired = true
    this.#idle.clear()
    await Promise.allSettled([...this.#open].map(({ client }) => client.destroy()))
    this.#open.clear()
  }

  #takeOut(origin: string, connection: Connection): boolean {
    const idle = this.#idle.get(origin)
    const at = idle?.indexOf(connection) ?? -1
    if (idle === undefined || at < 0) return false
    idle.splice(at, 1)
    if (idle.length === 0) this.#idle.delete(origin)
    return true
  }
}

/**
 * Creates clients that make their connections with `connect`. Each connection has a client of its own, so that the time
 * limit of an attempt covers the making of its connection: undici's pools connect for whichever request comes first, and
 * read a request's signal only afterwards.
 */
export function createGuardedClients(connect: Connect): GuardedClients {
  const pool = new ConnectionPool()

  async function open(origin: string, attempt: Attempt): Promise<Connection> {
    // Loaded with the first fetch: a process that has its keys on disk may never need it.
    const { Client } = await import('undici')
    attempt.signal.throwIfAborted()
    const connector: Connector = ({ hostname, port, protocol }, callback) => {
      const host = hostname.replace(/^\[|\]$/g, '')
      const isTls = protocol === 'https:'
      const target = { host, port: Number(port || (isTls ? 443 : 80)), isTls }
      connect(target, connection.attempt).then(
        (socket) => {
          connection.socket = socket
          connection.onReady()
          callback(null, socket)
        },
        (error: unknown) => {
          callback(error instanceof Error ? error : new Error('The attempt has ended', { cause: error }), null)
        },
      )
    }
    // Without time limits of their own: the attempt has one for everything together.
    const limits = { keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE, headersTimeout: 0, bodyTimeout: 0 }
    const client = new Client(origin, { connect: connector, ...limits })
    const connection: Connection = { client, attempt, socket: undefined, onReady: () => undefined }
    pool.add(connection)
    client.on('disconnect', () => pool.disconnected(origin, connection))
    return connection
  }

  async function send(
    { url, headers, onSent }: ExchangeRequest,
    attempt: Attempt,
    connection: Connection,
  ): Promise<IncomingResponse> {
    connection.attempt = attempt
    connection.onReady = () => {
      attempt.step = 'waiting for the response'
      onSent?.()
    }
    if (connection.socket !== undefined) connection.onReady()
    try {
      const path = `${url.pathname}${url.search}`
      const { signal } = attempt
      const response = await connection.client.request({ method: 'GET', path, headers: { ...headers }, signal })
      const { body } = response
      body.once('close', () => {
        if (body.readableEnded) pool.keep(url.origin, connection)
        else pool.discard(connection)
      })
      return { status: response.statusCode, headers: response.headers, body }
    } catch (error) {
      pool.discard(connection)
      throw error
    }
  }

  return {
    async exchange(request, attempt) {
      const { origin } = request.url
      const reused = pool.take(origin)
      if (reused === undefined) return await send(request, attempt, await open(origin, attempt))
      const bytesBefore = reused.socket?.bytesRead
      try {
        return await send(request, attempt, reused)
      } catch (error) {
        // RFC 9112 §9.3.1: closed before the first byte of a response, the request may be repeated.
        if (attempt.signal.aborted || reused.socket?.bytesRead !== bytesBefore) throw error
        return await send(request, attempt, await open(origin, attempt))
      }
    },
    retire: () => pool.retire(),
    destroy: async () => await pool.destroy(),
  }
}
