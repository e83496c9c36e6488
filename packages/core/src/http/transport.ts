import { lookup } from 'node:dns'
import { LRUCache } from 'lru-cache'
import { type Agent, type Dispatcher, request } from 'undici'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { UpstreamUnreachableError, UpstreamUrlNotAllowedError } from '../base/errors/upstream-errors.ts'
import type { ResponseHeaders } from './freshness.ts'
import { type ConnectionParts, type ConnectionRules, createGuardedAgent } from './guarded-agent.ts'
import { ACCEPTED_ENCODINGS, readBody } from './read-body.ts'
import { createTrustAnchors } from './trust-anchors.ts'
import { checkUrl, parseUrl, type UrlRules } from './url-rules.ts'

/** What a provider's documents may be fetched from, and how much of it. */
export interface TransportPolicy extends UrlRules, ConnectionRules {
  /** The origin that the operator configured; only here does an implicit `network` hold. */
  readonly configuredOrigin: string
  /** True when the operator gave `network` for this provider, so that it holds for other origins, too. */
  readonly networkIsExplicit: boolean
  /** Bytes of a decoded body. */
  readonly maxResponseBytes: number
  /** Redirects that are followed. */
  readonly maxRedirects: number
}

/** One GET. */
export interface TransportRequest {
  /** Absolute URL. */
  readonly url: string
  /** Headers to send, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** Gives the exchange up, its body included. */
  readonly signal: AbortSignal
  /** Milliseconds for the headers to come, and between two parts of the body. */
  readonly timeout: number
}

/** What came back. */
export interface TransportResponse {
  readonly status: number
  readonly headers: ResponseHeaders
  /** The decoded body of a 200; empty for every other status. */
  readonly body: string
}

/** Fetches documents from providers under their policies. */
export interface Transport {
  /** One exchange, redirects included. Rejects with an error of this package, or with the signal's reason. */
  get(request: TransportRequest, policy: TransportPolicy): Promise<TransportResponse>
  /** Closes every connection. */
  close(): Promise<void>
}

/** Some firewalls refuse clients that do not say who they are. */
const COMMON_HEADERS = Object.freeze({
  accept: 'application/json',
  'accept-encoding': ACCEPTED_ENCODINGS,
  'user-agent': '@jwks-auth/core',
})

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** What a {@link Transport} can be made with instead of what it has by itself; for tests. */
export interface TransportParts extends Partial<Omit<ConnectionParts, 'trustAnchors'>> {
  /** Agents kept; where there are more policies, the least recently used one's sockets are closed. */
  readonly maxAgents?: number
}

/** The connections of a registry. Providers share sockets only if their address rules and their pins are the same. */
export function createTransport(dispatcher?: Dispatcher, parts: TransportParts = {}): Transport {
  const { resolveName = lookup, ca, maxAgents = 1_000 } = parts
  const connectionParts: ConnectionParts = { resolveName, ca, trustAnchors: createTrustAnchors(ca) }
  const agents = new LRUCache<string, Agent>({
    max: maxAgents,
    dispose: (agent, _, reason) => {
      // Ends when what is under way has ended.
      if (reason === 'evict') void agent.close()
    },
  })

  function dispatcherFor(url: URL, policy: TransportPolicy): Dispatcher {
    if (dispatcher !== undefined) return dispatcher
    const trusted = policy.networkIsExplicit || url.origin === policy.configuredOrigin
    const rules: ConnectionRules = {
      network: trusted ? policy.network : 'public',
      allowAddresses: policy.allowAddresses,
      pinnedSpki: policy.pinnedSpki,
    }
    const key = JSON.stringify(rules)
    const agent = agents.get(key) ?? createGuardedAgent(rules, connectionParts)
    agents.set(key, agent)
    return agent
  }

  async function exchange(url: URL, { headers, signal, timeout }: TransportRequest, policy: TransportPolicy) {
    return await request(url, {
      dispatcher: dispatcherFor(url, policy),
      headers: { ...COMMON_HEADERS, ...headers },
      signal,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    })
  }

  async function follow(transportRequest: TransportRequest, policy: TransportPolicy): Promise<TransportResponse> {
    let url = parseUrl(transportRequest.url)
    for (let hop = 0; hop <= policy.maxRedirects; hop += 1) {
      if (url === undefined) throw new UpstreamUrlNotAllowedError('it is not an absolute URL')
      checkUrl(url, policy)
      const { statusCode, headers, body } = await exchange(url, transportRequest, policy)
      const { location, ...responseHeaders } = singleValues(headers)
      if (statusCode === 200) {
        const text = await readBody(body, responseHeaders, policy.maxResponseBytes)
        return { status: statusCode, headers: responseHeaders, body: text }
      }
      await body.dump({ limit: 16_384, signal: transportRequest.signal })
      if (!REDIRECTS.has(statusCode) || location === undefined) {
        return { status: statusCode, headers: responseHeaders, body: '' }
      }
      url = parseUrl(location, url)
    }
    throw new UpstreamUrlNotAllowedError('there are more redirects than maxRedirects')
  }

  return {
    async get(transportRequest, policy) {
      try {
        return await follow(transportRequest, policy)
      } catch (error) {
        transportRequest.signal.throwIfAborted()
        throw error instanceof JwksAuthError ? error : new UpstreamUnreachableError({ cause: error })
      }
    },
    async close() {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()))
      agents.clear()
    },
  }
}

/** A header that came several times, as the one that its field's list syntax makes of it (RFC 9110 §5.3). */
function singleValues(headers: Readonly<Record<string, string | string[] | undefined>>): ResponseHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}
