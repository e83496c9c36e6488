import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { type RedisProcess, startRedisProcess } from './redis-process.ts'
import { type RedisServer, sendCommand, startRedisServer } from './redis-server.ts'

/** A master with two replicas, and three Sentinels that agree to promote one when it is gone for a second. */
export interface RedisSentinels {
  /** Master first; who is master changes with a failover. */
  readonly servers: readonly RedisServer[]
  /** What a client asks for the master. */
  readonly sentinels: { host: string; port: number }[]
  /** What the Sentinels call the master. */
  readonly name: string
  /** The server that is the master now, as a Sentinel has it. */
  master(): Promise<RedisServer>
  /** Stops all of it permanently. */
  stop(): Promise<void>
}

const NAME = 'jwks'

/** Starts Redis with Sentinels on loopback and waits until all know each other and the replicas are in step. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const first = await startRedisServer('--repl-diskless-sync-delay', '0')
  const replicaOf = ['--replicaof', `127.0.0.1 ${first.port}`, '--repl-diskless-sync-delay', '0']
  const replicas = await Promise.all([startRedisServer(...replicaOf), startRedisServer(...replicaOf)])
  await eventually('the replicas are in step', async () => {
    const infos = await Promise.all(replicas.map((replica) => replica.command('INFO', 'replication')))
    return infos.every((info) => String(info).includes('master_link_status:up'))
  })
  const processes = await Promise.all(Array.from({ length: 3 }, () => startSentinel(first.port)))
  await eventually('the Sentinels know each other', async () => {
    const views = await Promise.all(processes.map(({ port }) => viewOf(port)))
    return views.every((view) => view.get('num-slaves') === '2' && view.get('num-other-sentinels') === '2')
  })
  const servers = [first, ...replicas]
  return {
    servers,
    sentinels: processes.map(({ port }) => ({ host: '127.0.0.1', port })),
    name: NAME,
    async master() {
      const port = (await viewOf(processes[0]?.port ?? 0)).get('port')
      const master = servers.find((server) => String(server.port) === port)
      if (master === undefined) throw new Error(`no server has port ${port}`)
      return master
    },
    stop: async () => void (await Promise.all([...processes, ...servers].map((process) => process.stop()))),
  }
}

function startSentinel(master: number): Promise<RedisProcess> {
  return startRedisProcess(async (port, folder) => {
    const file = join(folder, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${master} 2`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 5000`,
    ]
    await writeFile(file, `${lines.join('\n')}\n`)
    return [file, '--sentinel']
  })
}

/** What a Sentinel says of the master: names and values in turn. */
async function viewOf(port: number): Promise<ReadonlyMap<string, string>> {
  const reply = await sendCommand(port, 'SENTINEL', 'MASTER', NAME)
  const items = Array.isArray(reply) ? reply.map(String) : []
  return new Map(items.flatMap((item, index) => (index % 2 === 0 ? [[item, items[index + 1] ?? ''] as const] : [])))
}
