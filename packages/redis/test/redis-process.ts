import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether tests with Redis run. Where it is required they do even if it is missing, and fail. */
export const redisAvailable: boolean =
  process.env['REDIS_REQUIRED'] === '1' || spawnSync('redis-server', ['--version']).status === 0

/** A `redis-server` that is a child of the test process and does not outlive it. */
export interface RedisProcess {
  readonly port: number
  /** A folder of its own, gone when it is stopped. */
  readonly folder: string
  /** `kill -9`; clients see their connections reset. */
  kill(): Promise<void>
  /** Starts it again on its port after {@link kill}, with whatever its folder holds: nothing, unless told to save. */
  restart(): Promise<void>
  /** Stops it in its tracks: connections stay open, and nothing answers. */
  pause(): void
  /** Lets it go on after {@link pause}. */
  resume(): void
  /** Stops it permanently. */
  stop(): Promise<void>
}

/**
 * Starts `redis-server` on a free port in a folder of its own and waits until it is ready.
 *
 * @param argumentsFor - its arguments; asked again for each start
 */
export async function startRedisProcess(
  argumentsFor: (port: number, folder: string) => readonly string[] | Promise<readonly string[]>,
): Promise<RedisProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'jwks-auth-redis-'))
  const start = async (port: number) => launch(await argumentsFor(port, folder), folder)
  const { port, running } = await onFreePort(start)
  let current = running
  return {
    port,
    folder,
    kill: () => current.kill(),
    async restart() {
      await current.kill()
      current = await start(port)
    },
    pause: () => current.signal('SIGSTOP'),
    resume: () => current.signal('SIGCONT'),
    async stop() {
      await current.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Running {
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
}

/** Tries ports until one works: another test may take it between the check and the start. */
async function onFreePort(
  start: (port: number) => Promise<Running>,
  attempts = 5,
): Promise<{ readonly port: number; readonly running: Running }> {
  const port = await freePort()
  try {
    return { port, running: await start(port) }
  } catch (error) {
    if (attempts === 1) throw error
    return onFreePort(start, attempts - 1)
  }
}

async function launch(options: readonly string[], folder: string): Promise<Running> {
  const child = spawn('redis-server', options, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', () => resolve())
  })
  if (child.pid !== undefined) {
    const guard = watchOver(child.pid, folder)
    void exited.then(() => guard.kill())
  }
  await ready(child)
  return {
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Resolves when the server says that it is ready; rejects with its last words if it ends before. */
async function ready(child: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      if (/Ready to accept connections|monitor master/.test(said)) resolve()
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('error', reject)
    child.once('close', () => reject(new Error(`redis-server ended: ${said.slice(-2_000)}`)))
  })
}

/** A shell that outlives the test process just long enough to kill the server and remove its folder. */
function watchOver(pid: number, folder: string): ChildProcess {
  // Its input ends with the test process, however that ends; `detached`, or Ctrl+C would end the shell first.
  const program = 'read -r _; kill -9 "$0"; rm -rf "$1"'
  return spawn('sh', ['-c', program, String(pid), folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
}

/** Below the ports that the system hands out, with the one 10 000 above it, which a Cluster's nodes use among themselves. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 12_000)
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
