import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a process ended. */
interface Exit {
  readonly code: number | null
  /** Of both streams. */
  readonly output: string
}

/** Runs a program with plain Node and the compiled package, as a user would; kills it after ten seconds. */
function runProgram(program: string): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, NODE_ENV: 'test' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 10_000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

/** A client as source text, for the two versions of ioredis by their names among the dependencies. */
export const clientSource = {
  single: (module: string, port: number) =>
    `new (await import('${module}')).Redis({ port: ${port}, host: '127.0.0.1', lazyConnect: true })`,
  cluster: (module: string, nodes: readonly object[]) =>
    `new (await import('${module}')).Cluster(${JSON.stringify(nodes)}, { lazyConnect: true })`,
  sentinel: (module: string, sentinels: readonly object[], name: string) =>
    `new (await import('${module}')).Redis({ sentinels: ${JSON.stringify(sentinels)}, name: '${name}', lazyConnect: true })`,
}

/**
 * A process that subscribes, and when `until` has happened unsubscribes and disconnects its client. It ends by itself
 * only if the store leaves nothing behind.
 */
export function subscribeAndLeave(client: string, until: string): Promise<Exit> {
  return runProgram(`
    import { setTimeout } from 'node:timers/promises'
    import { redisStore } from '@jwks-auth/redis'
    const client = ${client}
    client.on('error', () => {})
    const store = redisStore({ client })
    let heard = 0
    const unsubscribe = store.coordination.subscribe(() => heard++)
    const revocation = { version: 1, payload: '', keepUntil: null, integrity: '' }
    ${until}
    unsubscribe()
    client.disconnect()
    console.log('done')
  `)
}

/** Waits for a notice. */
export const UNTIL_NOTICE = `while (heard === 0) {
  await store.revocations.save('${'0'.repeat(32)}', revocation)
  await setTimeout(20)
}`
