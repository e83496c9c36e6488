import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createTestIssuer } from '@jwks-auth/testing'
import type { ClientOptions } from './clients.mjs'
import { startFullBacklog } from './full-backlog.mjs'

/** What clients saw. */
export interface Seen {
  /** How many requests ended with which status, or with which code of an error. */
  readonly statuses: ReadonlyMap<number | string, number>
  /** Milliseconds that each request took, in order of its end. */
  readonly latencies: readonly number[]
}

/** What a soak showed. */
export interface SoakReport {
  /**
   * The good tenant's clients: without anything else; beside the hostile tenants' clients where their tokens are not read,
   * which is the least that their requests can cost; and beside the same clients where the package refuses them.
   */
  readonly alone: Seen
  readonly besideUnread: Seen
  readonly beside: Seen
  /** The hostile tenants' clients. */
  readonly hostile: Seen
  /** Rejections and exceptions that nothing in the application's process handled. */
  readonly escaped: readonly string[]
  /** The longest time in milliseconds for which its own code kept its event loop from going on, alone and beside. */
  readonly longestStall: { readonly alone: number; readonly beside: number }
  /** Its exit code, or the signal; undefined while it runs, as it should. */
  readonly exit: number | string | undefined
  /** How many documents of which kind the hostile provider was asked for. */
  readonly documents: Readonly<Record<string, number>>
}

/** How long to soak, and how. */
export interface SoakOptions {
  /** For all of it; a fifth is for the good tenant alone, and a fifth for the clients that are refused unread. */
  readonly milliseconds: number
  readonly seed: number
  /** Hostile tenants, whose provider publishes something else at each fetch. */
  readonly hostileTenants: number
}

const deadTenants = 40
const audience = 'api'
/** Milliseconds between two requests of a hostile client: the attack must leave the machine a part of its time. */
const hostilePause = 50
/** Hostile clients and their provider have machines of their own: here, they give way to the application. */
const elsewhere = constants.priority.PRIORITY_LOW

/**
 * Runs an application in a process of its own, with a good tenant, hostile ones that do all they can, and ones whose
 * providers cannot be connected to.
 *
 * @param onEnd takes the functions that end what was started, to be called in reverse order
 */
export async function soak(
  { milliseconds, seed, hostileTenants }: SoakOptions,
  onEnd: (close: () => Promise<unknown>) => void,
): Promise<SoakReport> {
  const directory = await mkdtemp(join(tmpdir(), 'soak-'))
  onEnd(() => rm(directory, { recursive: true, force: true }))
  const good = await createTestIssuer({ algorithm: 'RS256', audience })
  onEnd(() => good.close())
  good.setHeaders('jwks', { 'cache-control': 'max-age=5' })
  const backlog = await startFullBacklog()
  onEnd(() => backlog.close())
  const provider = startProcess('hostile-provider.mjs', elsewhere)
  onEnd(() => end(provider))
  const { port: hostilePort } = await ask<{ port: number }>(provider, { seed })

  const hostileIssuers = Array.from(
    { length: hostileTenants },
    (_, index) => `http://127.0.0.1:${hostilePort}/${index}`,
  )
  const deadIssuers = Array.from({ length: deadTenants }, (_, index) => `http://127.0.0.1:${backlog.port}/${index}`)
  const issuers = [good.issuer, ...hostileIssuers, ...deadIssuers]
  const app = startProcess('app.mjs')
  onEnd(() => end(app))
  const { port } = await ask<{ port: number }>(app, {
    tenants: Object.fromEntries(
      issuers.map((issuer, index) => [`tenant-${index}`, { issuer, jwksUri: `${issuer}/jwks`, audience }]),
    ),
    requireHttps: false,
    minTtl: 1_000,
    unknownKidCooldown: 1_000,
    publicKeyPath: directory,
    integrityKey: 'a key of at least thirty-two bytes, for tests',
  })

  const goodTokens = await Promise.all(
    Array.from({ length: 500 }, (_, index) => good.sign({ jti: `${index}`, exp: 4e9 })),
  )
  const start = (options: Omit<ClientOptions, 'port' | 'seed'>) => startClients({ port, seed, ...options }, onEnd)
  const startGood = () => start({ tokens: goodTokens, count: 8, pause: 10 })

  const warmUp = startGood()
  await sleep(1_000)
  await warmUp.stop()
  await ask(app, 'report')

  const alonePhase = startGood()
  await sleep(milliseconds / 5)
  const alone = await alonePhase.stop()
  const before = await ask<AppReport>(app, 'report')
  const startAttackers = (isRefusedUnread: boolean) => [
    start({ issuers: hostileIssuers, count: 24, pause: hostilePause, isRefusedUnread }),
    start({ issuers: deadIssuers, count: deadTenants, pause: hostilePause, isRefusedUnread }),
  ]

  const unread = startAttackers(true)
  const unreadPhase = startGood()
  await sleep(milliseconds / 5)
  const [besideUnread] = await Promise.all([unreadPhase, ...unread].map((clients) => clients.stop()))
  await ask(app, 'report')

  const attackers = startAttackers(false)
  const besidePhase = startGood()
  await Promise.race([sleep((milliseconds * 3) / 5), once(app, 'exit')])
  const [beside, ...hostile] = await Promise.all([besidePhase, ...attackers].map((clients) => clients.stop()))
  const exit = app.exitCode ?? app.signalCode ?? undefined
  const after = exit === undefined ? await ask<AppReport>(app, 'report') : undefined
  const { counts } = await ask<{ counts: Record<string, number> }>(provider, 'report')
  return {
    alone,
    besideUnread: besideUnread ?? alone,
    beside: beside ?? alone,
    hostile: together(hostile),
    escaped: after?.escaped ?? [],
    longestStall: { alone: before.longestStall, beside: after?.longestStall ?? Number.POSITIVE_INFINITY },
    exit,
    documents: counts,
  }
}

interface AppReport {
  readonly escaped: readonly string[]
  readonly longestStall: number
}

/** The latency that so many of all requests do not exceed. */
export function percentile({ latencies }: Seen, share: number): number {
  const sorted = latencies.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function together(parts: readonly Seen[]): Seen {
  const statuses = new Map<number | string, number>()
  for (const part of parts) {
    for (const [status, count] of part.statuses) statuses.set(status, (statuses.get(status) ?? 0) + count)
  }
  return { statuses, latencies: parts.flatMap(({ latencies }) => latencies) }
}

/** Clients that send one request after another. */
interface Clients {
  /** Sends no more; resolves once the last response is there. */
  stop(): Promise<Seen>
}

function startClients(options: ClientOptions, onEnd: (close: () => Promise<unknown>) => void): Clients {
  const child = startProcess('clients.mjs', options.issuers === undefined ? undefined : elsewhere)
  onEnd(() => end(child))
  child.send(options)
  return {
    async stop() {
      const { statuses, latencies } = await ask<{ statuses: [number | string, number][]; latencies: number[] }>(
        child,
        'stop',
      )
      await end(child)
      return { statuses: new Map(statuses), latencies }
    },
  }
}

function startProcess(file: string, priority: number = constants.priority.PRIORITY_NORMAL): ChildProcess {
  const env = { ...process.env, NODE_ENV: 'production' }
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { env })
  if (child.pid !== undefined) setPriority(child.pid, priority)
  return child
}

async function ask<Reply>(child: ChildProcess, message: object | string): Promise<Reply> {
  const reply = once(child, 'message')
  child.send(message)
  const [value]: unknown[] = await reply
  return value as Reply
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
