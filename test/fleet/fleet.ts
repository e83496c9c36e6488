import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { JwksAuthOptions, ProviderStatus, RegistryEvents } from '@jwks-auth/core'

/** How one question for keys ended. */
export interface Answer {
  /** The error's code; absent where the token was accepted. */
  readonly code?: string
  /** Milliseconds. */
  readonly took: number
}

/** What a process saw of its own traffic since it was last asked. */
export interface TrafficReport {
  readonly requests: number
  /** The codes of those that were refused. */
  readonly codes: readonly string[]
  /** Milliseconds. */
  readonly slowest: number
  /** How many took longer than any that waits for nothing: 150 ms. */
  readonly slow: number
}

/** A process of a fleet. */
export interface Member {
  authenticate(token: string): Promise<Answer>
  /** Asks with this token every 10 ms from now on. */
  traffic(token: string): Promise<void>
  report(): Promise<TrafficReport>
  status(): Promise<ProviderStatus>
  /** Rejects with the name and message of what `revokeKey` rejects with. */
  revoke(kid: string): Promise<void>
  /** Makes its wall clock wrong by that many milliseconds. */
  moveClock(milliseconds: number): Promise<void>
  /** Gives its Redis client another password for connections that it opens from now on. */
  setPassword(password: string): Promise<void>
  /** How often it has emitted an event so far. */
  told(type: keyof RegistryEvents): number
  kill(): Promise<void>
  pause(): void
  resume(): void
  close(): Promise<void>
}

/** How to reach Redis: options of ioredis' `Redis`, or the nodes of a Cluster. */
export type RedisAddress = { readonly redis: object } | { readonly cluster: readonly object[] }

/** A directory for a file store. */
export interface DirectoryAddress {
  readonly directory: string
  /** Default: that of all others. */
  readonly integrityKey?: string
  /** The user to run as, where the tests run as root: permissions do not bind root. */
  readonly uid?: number | undefined
}

const program = fileURLToPath(new URL('member.mjs', import.meta.url))

/** The options of all processes of a fleet. */
export type FleetOptions = Omit<JwksAuthOptions, 'store'>

/** Starts that many processes, all with the same options. */
export async function startFleet(
  size: number,
  address: RedisAddress | DirectoryAddress,
  options: FleetOptions,
): Promise<readonly Member[]> {
  return await Promise.all(Array.from({ length: size }, async () => await startMember(address, options)))
}

async function startMember(address: RedisAddress | DirectoryAddress, options: object): Promise<Member> {
  const child = fork(program, [], { env: { ...process.env, MEMBER: JSON.stringify({ ...address, options }) } })
  const told = new Map<string, number>()
  const waiting = new Map<number, (message: { readonly result?: unknown; readonly error?: string }) => void>()
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let lastId = 0
  const started = new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('a process of the fleet ended before it had begun')))
    child.on('message', (message: { id?: number; event?: string; result?: unknown; error?: string }) => {
      if (message.event === 'started') resolve()
      if (message.event !== undefined) told.set(message.event, (told.get(message.event) ?? 0) + 1)
      if (message.id === undefined) return
      waiting.get(message.id)?.(message)
      waiting.delete(message.id)
    })
  })
  const call = async (command: string, argument?: unknown): Promise<unknown> => await ask(child, command, argument)

  async function ask(of: ChildProcess, command: string, argument: unknown): Promise<unknown> {
    lastId += 1
    const id = lastId
    return await new Promise((resolve, reject) => {
      waiting.set(id, ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error))))
      of.send({ id, command, argument }, (error) => {
        if (error !== null) reject(error)
      })
    })
  }

  await started
  return {
    authenticate: async (token) => (await call('authenticate', token)) as Answer,
    traffic: async (token) => void (await call('traffic', token)),
    report: async () => (await call('report')) as TrafficReport,
    status: async () => (await call('status')) as ProviderStatus,
    revoke: async (kid) => void (await call('revoke', kid)),
    moveClock: async (milliseconds) => void (await call('moveClock', milliseconds)),
    setPassword: async (password) => void (await call('setPassword', password)),
    told: (type) => told.get(type) ?? 0,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.send({ command: 'close' })
      await exited
    },
  }
}
