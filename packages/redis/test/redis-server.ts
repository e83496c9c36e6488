import { Redis } from 'ioredis'
import { type RedisProcess, redisAvailable, startRedisProcess } from './redis-process.ts'

export { redisAvailable }

/** One server for a test to talk to and to break. */
export interface RedisServer extends RedisProcess {
  /** Sends one command over a connection of its own. */
  command(name: string, ...values: (string | number)[]): Promise<unknown>
  /** Leaves no memory for anything new, with `noeviction`; or as much as there is again. */
  setMemoryFull(full: boolean): Promise<void>
  /** Makes it a replica of a server that does not answer: it serves what it has and refuses writes; or a master again. */
  setReadOnly(readOnly: boolean): Promise<void>
}

/** Starts one server on loopback that keeps nothing on disk. */
export async function startRedisServer(...options: string[]): Promise<RedisServer> {
  const process = await startRedisProcess((port, folder) => [...serverOptions(port, folder), ...options])
  const command: RedisServer['command'] = (name, ...values) => sendCommand(process.port, name, ...values)
  return {
    ...process,
    command,
    async setMemoryFull(full) {
      await command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
      await command('CONFIG', 'SET', 'maxmemory', full ? 1 : 0)
    },
    async setReadOnly(readOnly) {
      if (readOnly) await command('REPLICAOF', '127.0.0.1', 1)
      else await command('REPLICAOF', 'NO', 'ONE')
    },
  }
}

/** What every server of ours is started with. */
function serverOptions(port: number, folder: string): string[] {
  return ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
}

/** Sends one command to a server on loopback. */
export async function sendCommand(port: number, name: string, ...values: (string | number)[]): Promise<unknown> {
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    await client.connect()
    return await client.call(name, ...values)
  } finally {
    client.disconnect()
  }
}
