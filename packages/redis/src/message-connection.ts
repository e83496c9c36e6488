import type { RedisClient } from './redis-client.ts'

/** A connection that does nothing but receive messages. */
export interface MessageConnection {
  /** Ends it for good; nothing of it keeps the process alive. */
  close(): void
}

/** What of ioredis' `Redis` and `Cluster` is needed of the connection that `duplicate` makes. */
interface Duplicate {
  on(event: string, listener: (...values: unknown[]) => void): unknown
  subscribe(channel: string): Promise<unknown>
  disconnect(): void
}

/** Milliseconds until a subscription is tried again that the server or the connection refused. */
const SUBSCRIBE_AGAIN_AFTER = 1_000

/** Milliseconds between attempts to connect: soon at first, and never given up. */
const reconnectDelay = (attempt: number): number => Math.min(attempt * 100, 2_000)

/**
 * What differs from the user's client. That one may be made to fail fast; this one waits for nobody, and is to come
 * back whatever happens. Keep-alive finds out that a server is gone which went without a word.
 */
const PATIENT = {
  lazyConnect: false,
  enableOfflineQueue: true,
  keepAlive: 10_000,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  // ioredis holds the process for this long when it is told to leave between two attempts.
  disconnectTimeout: 100,
  reconnectOnError: null,
  retryStrategy: reconnectDelay,
  sentinelRetryStrategy: reconnectDelay,
}

/** Who is told of what comes over a connection. */
interface MessageListener {
  receive(message: unknown): void
  /** It listens again after an interruption: messages sent meanwhile are lost. */
  resumed(): void
}

/**
 * Opens a connection of its own beside the client's and listens on the channel, again after each reconnection. A client
 * that cannot `duplicate` gives a connection on which nothing ever comes. A `Cluster` says nothing of moving its
 * subscription from one node to another.
 */
export function openMessageConnection(
  client: RedisClient,
  channel: string,
  { receive, resumed }: MessageListener,
): MessageConnection {
  const connection = duplicate(client)
  if (connection === undefined) return { close() {} }
  let closed = false
  let hasListened = false
  let again: NodeJS.Timeout | undefined

  // Not left to the client alone: a Cluster whose first node refuses the subscription forgets about it.
  const listen = async (): Promise<void> => {
    clearTimeout(again)
    if (closed) return
    try {
      await connection.subscribe(channel)
    } catch {
      if (!closed) again = setTimeout(() => void listen(), SUBSCRIBE_AGAIN_AFTER).unref()
      return
    }
    if (hasListened && !closed) resumed()
    hasListened = true
  }

  // Every error is followed by another attempt; what else fails is seen by those who use the user's own client.
  connection.on('error', () => {})
  connection.on('ready', () => void listen())
  connection.on('message', (_channel, message) => receive(message))
  return {
    close() {
      closed = true
      clearTimeout(again)
      connection.disconnect()
    },
  }
}

function duplicate(client: RedisClient): Duplicate | undefined {
  if (client.duplicate === undefined) return undefined
  const cluster = [[], { lazyConnect: false, enableOfflineQueue: true, clusterRetryStrategy: reconnectDelay }]
  const made: unknown = Reflect.apply(client.duplicate, client, client.isCluster === true ? cluster : [PATIENT])
  return isDuplicate(made) ? made : undefined
}

function isDuplicate(value: unknown): value is Duplicate {
  if (typeof value !== 'object' || value === null) return false
  return ['on', 'subscribe', 'disconnect'].every((name) => typeof Reflect.get(value, name) === 'function')
}
