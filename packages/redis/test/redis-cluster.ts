import { eventually } from './eventually.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'

/** Three masters that share the slots, without replicas. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  /** What a client starts from. */
  readonly startupNodes: { host: string; port: number }[]
  /** Resolves when every node holds the cluster to be whole and has a connection to each of the others, to last. */
  whole(): Promise<void>
  /** Stops all of it permanently. */
  stop(): Promise<void>
}

const SLOTS = 16_384

/**
 * The node timeout of nodes that have found each other, in milliseconds, Redis' own default. Nodes break off their
 * connections to one that has not answered for half of it, and what is published before they are back is lost: with
 * the short one that they start with, so that a lost handshake is soon repeated, a pause of the machine is enough.
 */
const PATIENCE = 15_000

/** Starts a Redis Cluster on loopback and waits until all of its nodes agree that it is whole. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: 3 }, startNode))
  await Promise.all(
    nodes.map(async (node, index) => {
      const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / nodes.length))
      const slots = Array.from({ length: (to ?? 0) - (from ?? 0) }, (_, slot) => (from ?? 0) + slot)
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
      await node.command('CLUSTER', 'ADDSLOTS', ...slots)
    }),
  )
  for (const node of nodes.slice(1)) await nodes[0]?.command('CLUSTER', 'MEET', '127.0.0.1', node.port)
  const whole = async () => {
    await eventually('the cluster is whole', () => isWhole(nodes))
    await Promise.all(nodes.map((node) => node.command('CONFIG', 'SET', 'cluster-node-timeout', PATIENCE)))
  }
  await whole()
  return {
    nodes,
    startupNodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    whole,
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  }
}

async function isWhole(nodes: readonly RedisServer[]): Promise<boolean> {
  const views = await Promise.all(
    nodes.map(async (node) => {
      const info = String(await node.command('CLUSTER', 'INFO'))
      const known = String(await node.command('CLUSTER', 'NODES'))
        .trim()
        .split('\n')
      const isConnected = known.length === nodes.length && known.every((line) => line.includes(' connected'))
      return info.includes('cluster_state:ok') && isConnected
    }),
  )
  return views.every(Boolean)
}

function startNode(): Promise<RedisServer> {
  const options = { enabled: 'yes', 'config-file': 'nodes.conf', 'node-timeout': '2000', 'announce-ip': '127.0.0.1' }
  return startRedisServer(...Object.entries(options).flatMap(([name, value]) => [`--cluster-${name}`, value]))
}
