import { eventually } from '../../packages/redis/test/eventually.ts'
import { startRedisCluster } from '../../packages/redis/test/redis-cluster.ts'
import { startRedisSentinels } from '../../packages/redis/test/redis-sentinel.ts'
import { type RedisServer, startRedisServer } from '../../packages/redis/test/redis-server.ts'
import type { DirectoryAddress, FleetOptions, Member, RedisAddress } from '../fleet/fleet.ts'

/** Something that breaks for a while. */
export interface Trouble {
  readonly name: string
  /** True where revocations can be read all the time. */
  readonly isReadable: boolean
  begin(members: readonly Member[], options: FleetOptions): Promise<void>
  end(members: readonly Member[]): Promise<void>
}

/** A kind of store, and what can happen to it. */
export interface Deployment {
  readonly address: RedisAddress | DirectoryAddress
  readonly troubles: readonly Trouble[]
  /** What a new process has to be given: the current password. */
  prepare(member: Member): Promise<void>
  stop(): Promise<void>
}

const nothing = async (): Promise<void> => undefined
const user = 'app'

/** One server, with a user of its own for the processes. */
export async function singleServer(): Promise<Deployment> {
  const server = await startRedisServer()
  let [password, rotations] = ['password-0', 0]
  const allow = async (): Promise<unknown> =>
    await server.command('ACL', 'SETUSER', user, 'reset', 'on', `>${password}`, '~*', '&*', '+@all')
  await allow()
  return {
    // A process that starts later is given the current password in `prepare`: its client tries until it is right.
    get address() {
      return { redis: { port: server.port, host: '127.0.0.1', username: user, password, maxRetriesPerRequest: 1 } }
    },
    troubles: [
      killed(server, allow),
      paused(server),
      emptied(server),
      full(server),
      {
        name: 'becomes a replica without a master',
        isReadable: true,
        begin: async () => await server.setReadOnly(true),
        end: async () => await server.setReadOnly(false),
      },
      {
        name: 'forbids its user to write',
        isReadable: true,
        begin: async () => void (await server.command('ACL', 'SETUSER', user, '-@write')),
        end: async () => void (await allow()),
      },
      {
        name: 'has its password rotated and all connections cut',
        isReadable: false,
        async begin() {
          rotations += 1
          password = `password-${rotations}`
          await allow()
          await server.command('CLIENT', 'KILL', 'USER', user)
        },
        end: async (members) =>
          void (await Promise.all(members.map(async (member) => await member.setPassword(password)))),
      },
    ],
    prepare: async (member) => await member.setPassword(password),
    stop: async () => await server.stop(),
  }
}

/** A master with two replicas that three Sentinels watch. */
export async function sentinels(): Promise<Deployment> {
  const deployment = await startRedisSentinels()
  let broken: RedisServer | undefined
  const failedOver = async (): Promise<void> => {
    const old = broken
    await eventually('another is promoted', async () => (await deployment.master()) !== old, 30_000)
  }
  /** Until then the old master takes writes that are lost: the processes that are still connected to it do not know. */
  const demoted = async (): Promise<void> => {
    const old = broken
    if (old === undefined) return
    await eventually(
      'the old master is a replica',
      async () => String(await old.command('INFO', 'replication')).includes('role:slave'),
      30_000,
    )
  }
  return {
    address: { redis: { sentinels: deployment.sentinels, name: deployment.name, maxRetriesPerRequest: 1 } },
    troubles: [
      {
        name: 'has its master killed',
        isReadable: false,
        async begin() {
          broken = await deployment.master()
          await broken.kill()
          await failedOver()
        },
        async end() {
          await broken?.restart()
          await demoted()
        },
      },
      {
        name: 'has its master paused until another is promoted',
        isReadable: false,
        async begin() {
          broken = await deployment.master()
          broken.pause()
          await failedOver()
        },
        async end() {
          broken?.resume()
          await demoted()
        },
      },
      {
        name: 'has its master emptied',
        isReadable: false,
        begin: async () => void (await (await deployment.master()).command('FLUSHALL')),
        end: nothing,
      },
    ],
    prepare: nothing,
    stop: async () => await deployment.stop(),
  }
}

/** Three masters of a Cluster. */
export async function cluster(): Promise<Deployment> {
  const deployment = await startRedisCluster()
  const { nodes } = deployment
  return {
    address: { cluster: deployment.startupNodes },
    troubles: nodes.flatMap((node, index) => [
      {
        name: `has node ${index} killed`,
        isReadable: false,
        begin: async () => await node.kill(),
        async end() {
          await node.restart()
          await deployment.whole()
        },
      },
      {
        ...paused(node),
        name: `has node ${index} paused`,
        async end() {
          node.resume()
          await deployment.whole()
        },
      },
      { ...emptied(node), name: `has node ${index} emptied` },
      { ...full(node), name: `has node ${index} full` },
    ]),
    prepare: nothing,
    stop: async () => await deployment.stop(),
  }
}

function killed(server: RedisServer, restarted: () => Promise<unknown>): Trouble {
  return {
    name: 'is killed, and restarted empty',
    isReadable: false,
    begin: async () => await server.kill(),
    async end() {
      await server.restart()
      await restarted()
    },
  }
}

function paused(server: RedisServer): Trouble {
  return {
    name: 'is paused',
    isReadable: false,
    begin: async () => server.pause(),
    end: async () => server.resume(),
  }
}

function emptied(server: RedisServer): Trouble {
  return {
    name: 'is emptied',
    isReadable: false,
    begin: async () => void (await server.command('FLUSHALL')),
    end: nothing,
  }
}

function full(server: RedisServer): Trouble {
  return {
    name: 'has no memory left',
    isReadable: true,
    begin: async () => await server.setMemoryFull(true),
    end: async () => await server.setMemoryFull(false),
  }
}
