import { eventually } from './eventually.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'

/** Three masters that share the slots, without replicas. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  /** What a client starts from. */
  readonly startupNodes: { host: string; port: number }[]
  /** Ends all of it for good. */
  stop(): Promise<void>
}

const SLOTS = 16_384

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
  await eventually('the cluster is whole', async () => {
    const infos = await Promise.all(nodes.map((node) => node.command('CLUSTER', 'INFO')))
    return infos.every((info) => /cluster_state:ok/.test(String(info)) && /cluster_known_nodes:3/.test(String(info)))
  })
  return {
    nodes,
    startupNodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  }
}

function startNode(): Promise<RedisServer> {
  const options = { enabled: 'yes', 'config-file': 'nodes.conf', 'node-timeout': '2000', 'announce-ip': '127.0.0.1' }
  return startRedisServer(...Object.entries(options).flatMap(([name, value]) => [`--cluster-${name}`, value]))
}
