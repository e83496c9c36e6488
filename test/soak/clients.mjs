import { Agent, request } from 'node:http'
import type { Chance } from './chance.mjs'
import { hostileKid } from './hostile-documents.mjs'

/** What clients saw. */
export interface Seen {
  /** How many requests ended with which status; 0 is a connection that broke. */
  readonly statuses: ReadonlyMap<number, number>
  /** Milliseconds that each request took, in order of its end. */
  readonly latencies: readonly number[]
}

/** Clients that send one request after another. */
export interface Clients {
  /** Sends no more; resolves once the last response is there. */
  stop(): Promise<Seen>
}

/**
 * Starts clients that each send a request, wait for its end, and pause.
 *
 * @param pause milliseconds between two requests of one client
 */
export function startClients(
  port: number,
  { count, pause, nextToken }: { readonly count: number; readonly pause: number; readonly nextToken: () => string },
): Clients {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  const statuses = new Map<number, number>()
  const latencies: number[] = []
  const stopping = new AbortController()

  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedAt = performance.now()
      const status = await send(agent, port, nextToken())
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      latencies.push(performance.now() - startedAt)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
  const clients = Promise.all(Array.from({ length: count }, client))
  return {
    async stop() {
      stopping.abort()
      await clients
      agent.destroy()
      return { statuses, latencies }
    },
  }
}

/** The status of the response; 0 where there was none. */
function send(agent: Agent, port: number, token: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      { agent, port, host: '127.0.0.1', headers: { authorization: `Bearer ${token}` } },
      (response) => {
        response.resume()
        response.once('close', () => resolve(response.statusCode ?? 0))
      },
    )
    sent.once('error', () => resolve(0))
    sent.end()
  })
}

/** Tokens of a hostile tenant's client: none of them is signed. */
export function hostileToken(chance: Chance, issuer: string): string {
  const now = Math.floor(Date.now() / 1_000)
  const claims = { iss: issuer, aud: 'api', sub: 'a', iat: now, exp: now + 600 }
  const forged = (header: object, payload: string): string =>
    [JSON.stringify({ alg: 'RS256', kid: hostileKid, ...header }), payload]
      .map((text) => Buffer.from(text).toString('base64url'))
      .concat(chance.bytes(256).toString('base64url'))
      .join('.')
  const payload = JSON.stringify(claims)
  const token = chance.pick<() => string>([
    () => forged({}, payload),
    () => forged({}, payload),
    () => forged({ kid: undefined }, payload),
    () => forged({ kid: `unknown-${chance.below(1_000_000)}` }, payload),
    () => forged({ kid: '__proto__' }, payload),
    () => forged({ kid: 'k'.repeat(5_000) }, payload),
    () => forged({ alg: 'none' }, payload),
    () => forged({ jku: 'http://127.0.0.1:1/', jwk: { kty: 'RSA' } }, payload),
    () => forged({}, `${payload.slice(0, -1)},"a":${'['.repeat(4_000)}${']'.repeat(4_000)}}`),
    () => forged({}, payload.replace(/"exp":\d+/, '"exp":1e306')),
    () => forged({}, payload.replace(/"exp":\d+/, '"exp":1,"exp":99999999999')),
    () => chance.bytes(chance.below(2_000)).toString('base64url'),
    () => `${'a'.repeat(10_000)}.${'b'.repeat(10_000)}.c`,
  ])
  return token()
}
