import { type ClientRequestArgs, type Agent as HttpAgent, Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Attempt, type Connect } from './connection.ts'

/** Milliseconds for which an idle connection is kept. Shorter than what servers and load balancers usually keep. */
const KEEP_ALIVE = 4_000

/** The connections of one set of rules: an agent for each scheme. */
export interface GuardedAgents {
  /** The agent for the scheme of a URL. */
  agentFor(url: URL): HttpAgent
  /** Closes the idle connections to a URL's host. */
  closeIdle(url: URL): void
  /** Keeps no connection any more; those in use end with their request. */
  retire(): void
  /** Closes every connection, those in use included; one that is being made is closed as soon as it is there. */
  destroy(): void
}

/** Creates agents that make their connections with `connect`. Requests must have an {@link Attempt} as `attempt`. */
export function createGuardedAgents(connect: Connect): GuardedAgents {
  const sockets = new Set<Socket>()
  const closing = new AbortController()

  function guarded<Guarded extends HttpAgent>(agent: Guarded, isTls: boolean): Guarded {
    agent.createConnection = (options: ClientRequestArgs, onCreate): undefined => {
      const attempt: unknown = Reflect.get(options, 'attempt')
      if (!(attempt instanceof Attempt) || onCreate === undefined) throw new TypeError('a request without an attempt')
      const target = { host: String(options.host), port: Number(options.port), isTls }
      connectFor(target, attempt, onCreate)
    }
    return agent
  }

  /** Cannot reject: the outcome goes to `onCreate`. */
  function connectFor(
    target: Parameters<Connect>[0],
    attempt: Attempt,
    onCreate: (error: Error | null, socket: Duplex) => void,
  ): void {
    connect(target, attempt).then(
      (socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        if (closing.signal.aborted) socket.destroy()
        onCreate(null, socket)
      },
      (error: unknown) => {
        // Node takes no socket with an error, whatever the types say.
        const report = onCreate as (error: Error) => void
        report(error instanceof Error ? error : new Error('The attempt has ended', { cause: error }))
      },
    )
  }

  const options = { keepAlive: true, timeout: KEEP_ALIVE }
  const plain = guarded(new PlainAgent(options), false)
  const tls = guarded(new TlsAgent(options), true)
  const agents: readonly HttpAgent[] = [plain, tls]

  return {
    agentFor: ({ protocol }) => (protocol === 'https:' ? tls : plain),
    closeIdle(url) {
      const prefix = `${hostOf(url)}:${portOf(url)}:`
      for (const agent of agents) {
        for (const [name, idle = []] of Object.entries(agent.freeSockets)) {
          if (name.startsWith(prefix)) for (const socket of idle) socket.destroy()
        }
      }
    },
    retire() {
      for (const agent of agents) {
        agent.maxFreeSockets = 0
        for (const idle of Object.values(agent.freeSockets)) for (const socket of idle ?? []) socket.destroy()
      }
    },
    destroy() {
      closing.abort()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** The host of a URL, without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** The port of a URL, the scheme's own where it has none. */
function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}
