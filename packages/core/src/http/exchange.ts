import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Socket } from 'node:net'
import type { buildConnector, Client } from 'undici'
import { loadUndici } from '#load-undici'
import { UpstreamRequestFailedError } from '../base/errors/upstream-errors.ts'
import type { Attempt, Connect } from './connection.ts'
import type { IncomingBody } from './content-coding.ts'

/** One GET to one URL; redirects are not followed. */
export interface ExchangeRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds for the headers to arrive, and between two parts of the body. */
  readonly timeout: number
  /** Called when the request is written to a connection. */
  readonly onSent: (() => void) | undefined
}

/** The head of a response, and its body as it arrives. */
export interface IncomingResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: IncomingBody
}

/** Sends one request and waits for the head of the response. */
export type Exchange = (request: ExchangeRequest, attempt: Attempt) => Promise<IncomingResponse>

/** The part of an HTTP dispatcher that is needed here: any `Dispatcher` of undici 6, 7 or 8 has it. */
export interface HttpDispatcher {
  /** Sends one request and resolves with the head of the response, and its body as it arrives. */
  request(options: {
    readonly origin: string
    readonly path: string
    readonly method: 'GET'
    readonly headers: Record<string, string>
    readonly signal: AbortSignal
    readonly headersTimeout: number
    readonly bodyTimeout: number
  }): Promise<{
    readonly statusCode: number
    readonly headers: Record<string, string | string[] | undefined>
    readonly body: AsyncIterable<Uint8Array>
  }>
}

/** Sends requests by a dispatcher of the application's. It resolves names, connects and does TLS by itself. */
export function createDispatcherExchange(dispatcher: HttpDispatcher): Exchange {
  return async ({ url, headers, timeout, onSent }, { signal }) => {
    // It does not say when a request is sent.
    onSent?.()
    const options = {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers: { ...headers },
      signal,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    } as const
    try {
      const { statusCode, headers: received, body } = await dispatcher.request(options)
      return { status: statusCode, headers: received, body }
    } catch (error) {
      if (!isRefusal(error)) throw error
      throw new UpstreamRequestFailedError('the dispatcher refused it', { cause: error })
    }
  }
}

/** What undici throws for a request that it does not take, as opposed to one that failed on the network. */
const REFUSALS = new Set([
  ...['UND_ERR_INVALID_ARG', 'UND_ERR_INVALID_RETURN_VALUE', 'UND_ERR_NOT_SUPPORTED'],
  ...['UND_ERR_CLOSED', 'UND_ERR_DESTROYED'],
])

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return true
  return error instanceof TypeError || ('code' in error && REFUSALS.has(String(error.code)))
}

/** True on Bun, which has no undici client and makes its connections by itself, whatever an agent would do. */
export const isBun: boolean = 'bun' in process.versions

/**
 * Sends requests on Bun. No address rule, pin or certificate authority holds for its connections, so registrations that
 * need one are refused there.
 */
export const bunExchange: Exchange = async ({ url, headers, onSent }, attempt) => {
  attempt.step = 'waiting for the response'
  onSent?.()
  const { signal } = attempt
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestTls : requestPlain
    send(url, { headers, signal }, resolve).on('error', reject).end()
  })
  return { status: response.statusCode ?? 0, headers: response.headersDistinct, body: response }
}

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

/**
 * Creates clients that make their connections with `connect`. Each connection has a client of its own, so that the time
 * limit of an attempt covers the making of its connection: undici's pools connect for whichever request comes first, and
 * look at a request's signal only afterwards.
 */
export function createGuardedClients(connect: Connect): GuardedClients {
  const idle = createIdleConnections()
  const all = new Set<Client>()
  let isRetired = false

  function open(origin: string, attempt: Attempt): Connection {
    // Loaded with the first fetch: a process that has its keys on disk may never need it.
    const { Client } = loadUndici()
    const connector: Connector = ({ hostname, port, protocol }, onConnect) => {
      const host = hostname.replace(/^\[|\]$/g, '')
      const isTls = protocol === 'https:'
      const target = { host, port: Number(port || (isTls ? 443 : 80)), isTls }
      connect(target, connection.attempt).then(
        (socket) => {
          connection.socket = socket
          connection.onReady()
          onConnect(null, socket)
        },
        (error: unknown) => {
          onConnect(error instanceof Error ? error : new Error('The attempt has ended', { cause: error }), null)
        },
      )
    }
    // Without time limits of their own: the attempt has one for everything together.
    const limits = { keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE, headersTimeout: 0, bodyTimeout: 0 }
    const client = new Client(origin, { connect: connector, ...limits })
    const connection: Connection = { client, attempt, socket: undefined, onReady: () => undefined }
    all.add(client)
    client.on('disconnect', () => {
      if (idle.remove(origin, connection)) discard(connection)
    })
    return connection
  }

  function keep(origin: string, connection: Connection): void {
    const isOpen = connection.socket?.destroyed === false
    if (isRetired || !isOpen || !idle.add(origin, connection)) discard(connection)
  }

  /** Closes a connection; cannot reject. */
  function discard({ client }: Connection): void {
    all.delete(client)
    client.destroy().catch(() => undefined)
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
        if (body.readableEnded) keep(url.origin, connection)
        else discard(connection)
      })
      return { status: response.statusCode, headers: response.headers, body }
    } catch (error) {
      discard(connection)
      throw error
    }
  }

  return {
    async exchange(request, attempt) {
      const { origin } = request.url
      const reused = idle.take(origin)
      if (reused === undefined) return await send(request, attempt, open(origin, attempt))
      const bytesBefore = reused.socket?.bytesRead
      try {
        return await send(request, attempt, reused)
      } catch (error) {
        // RFC 9112 §9.3.1: closed before the first byte of a response, the request may be repeated.
        if (attempt.signal.aborted || reused.socket?.bytesRead !== bytesBefore) throw error
        return await send(request, attempt, open(origin, attempt))
      }
    },
    retire() {
      isRetired = true
      for (const connection of idle.clear()) discard(connection)
    },
    async destroy() {
      isRetired = true
      await Promise.allSettled([...all].map((client) => client.destroy()))
      all.clear()
      idle.clear()
    },
  }
}

/** Idle connections by origin; the one that was used last is reused first. */
function createIdleConnections() {
  const byOrigin = new Map<string, Connection[]>()

  function remove(origin: string, connection: Connection): boolean {
    const connections = byOrigin.get(origin)
    const at = connections?.indexOf(connection) ?? -1
    if (connections === undefined || at < 0) return false
    connections.splice(at, 1)
    if (connections.length === 0) byOrigin.delete(origin)
    return true
  }

  return {
    remove,
    /** Adds a connection; false if there are enough. */
    add(origin: string, connection: Connection): boolean {
      const connections = byOrigin.get(origin) ?? []
      if (connections.length >= MAX_IDLE) return false
      byOrigin.set(origin, [...connections, connection])
      return true
    },
    take(origin: string): Connection | undefined {
      const connection = byOrigin.get(origin)?.at(-1)
      if (connection !== undefined) remove(origin, connection)
      return connection
    },
    clear(): readonly Connection[] {
      const connections = [...byOrigin.values()].flat()
      byOrigin.clear()
      return connections
    },
  }
}
