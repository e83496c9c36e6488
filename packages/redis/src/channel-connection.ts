import type { ChannelListener, RedisClient } from './redis-client.ts'

/** The part of ioredis' `Redis` and `Cluster` that is needed of the connection that `duplicate` makes. */
interface Duplicate {
  on(event: string, listener: (...values: unknown[]) => void): unknown
  subscribe(...channels: string[]): Promise<unknown>
  disconnect(): void
}

const never = (): null => null

/**
 * How the connection differs from the client, which may be set to fail fast. It never reconnects: a new one is made
 * instead, from the options that the client has then.
 */
const OPTIONS = {
  lazyConnect: false,
  enableOfflineQueue: true,
  keepAlive: 10_000,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  // ioredis keeps the process alive for this long when it is disconnected while connecting.
  disconnectTimeout: 100,
  reconnectOnError: null,
  retryStrategy: never,
  sentinelRetryStrategy: never,
}

const CLUSTER_OPTIONS = { lazyConnect: false, enableOfflineQueue: true, clusterRetryStrategy: never }

/**
 * Opens a connection for messages, with the client's current credentials and topology.
 *
 * @returns a function that closes it
 * @throws what the client throws; `TypeError` for a client that can open none
 */
export function openChannelConnection(client: RedisClient, channels: string[], listener: ChannelListener): () => void {
  if (client.listen !== undefined) return client.listen(channels, listener)
  const connection = duplicate(client)
  let failure: unknown
  connection.on('error', (error) => {
    failure = error
  })
  connection.on('end', () => listener.ended(failure))
  connection.on('message', (_channel, message) => listener.receive(message))
  connection.subscribe(...channels).then(
    () => listener.started(),
    (error: unknown) => listener.ended(failure ?? error),
  )
  return () => connection.disconnect()
}

function duplicate(client: RedisClient): Duplicate {
  if (client.duplicate === undefined) {
    throw new TypeError(
      'the client has neither duplicate nor listen: changes of other processes are found by polling only',
    )
  }
  const options = client.isCluster === true ? [knownNodes(client), CLUSTER_OPTIONS] : [OPTIONS]
  const made: unknown = Reflect.apply(client.duplicate, client, options)
  if (!isDuplicate(made)) throw new TypeError('duplicate() of the client returned no connection')
  return made
}

/** The nodes that a connected `Cluster` knows now; none, for those it started from, where it is not connected. */
function knownNodes(cluster: RedisClient): readonly { readonly host: string; readonly port: number }[] {
  const nodes: unknown = Reflect.get(cluster, 'nodes')
  if (typeof nodes !== 'function' || Reflect.get(cluster, 'status') !== 'ready') return []
  const found: unknown = Reflect.apply(nodes, cluster, [])
  if (!Array.isArray(found)) return []
  return found.flatMap((node: unknown) => {
    const { options } = Object(node) as { readonly options?: { readonly host?: unknown; readonly port?: unknown } }
    const { host, port } = options ?? {}
    return typeof host === 'string' && typeof port === 'number' ? [{ host, port }] : []
  })
}

function isDuplicate(value: unknown): value is Duplicate {
  if (typeof value !== 'object' || value === null) return false
  return ['on', 'subscribe', 'disconnect'].every((name) => typeof Reflect.get(value, name) === 'function')
}
