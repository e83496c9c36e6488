import { lookup } from 'node:dns'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { LRUCache } from 'lru-cache'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import {
  ContentCodingNotSupportedError,
  KeyPinMismatchError,
  ResponseTooLargeError,
  UpstreamAddressNotAllowedError,
  type UpstreamDocument,
  UpstreamRequestFailedError,
  UpstreamTimedOutError,
  UpstreamUnreachableError,
  UpstreamUrlNotAllowedError,
} from '../base/errors/upstream-errors.ts'
import { isObject } from '../base/options.ts'
import { valueText } from '../base/provider-key.ts'
import { orAborted } from '../base/steps.ts'
import { createNameResolver, type ResolveName } from './addresses.ts'
import {
  Attempt,
  type ConnectionParts,
  type ConnectionRules,
  createConnect,
  createDefaultTrustAnchors,
} from './connection.ts'
import { ACCEPTED_CODINGS, discardBody, readBody } from './content-coding.ts'
import {
  bunExchange,
  createDispatcherExchange,
  createGuardedClients,
  type Exchange,
  type GuardedClients,
  type HttpDispatcher,
  type IncomingResponse,
  isBun,
} from './exchange.ts'
import type { ResponseHeaders, TransportResponse } from './freshness.ts'
import { checkUrl, parseUrl, type UrlRules } from './url-rules.ts'

/** Request headers: a record, or a function that is called for each fetch. */
export type RequestHeaders =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>)

/**
 * What the connection (RFC 9110 §7.6.1), the message framing, and this package's own decoding and revalidation rely on.
 */
const FORBIDDEN = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['host', 'content-length', 'expect', 'accept-encoding', 'range'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'],
])

/** What is wrong with request headers, as the end of a sentence that begins with their name; `undefined` if nothing is. */
export function headersFault(headers: unknown): string | undefined {
  if (!isObject(headers)) return 'must be an object of header names and values'
  for (const [name, value] of Object.entries(headers)) {
    if (!isValid(() => validateHeaderName(name))) return `has a name that is not a header name: ${JSON.stringify(name)}`
    if (FORBIDDEN.has(name.toLowerCase()))
      return `must not have ${JSON.stringify(name)}, which is set by the HTTP client`
    if (typeof value !== 'string' || !isValid(() => validateHeaderValue(name, value))) {
      return `must have a valid header value for ${JSON.stringify(name)}`
    }
  }
  return undefined
}

function isValid(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

/**
 * The headers for one fetch, by lower-case name.
 *
 * @throws UpstreamRequestFailedError where the function fails or returns something else
 */
async function readRequestHeaders(headers: RequestHeaders): Promise<Readonly<Record<string, string>>> {
  let given: unknown = headers
  if (typeof headers === 'function') {
    try {
      given = await headers()
    } catch (error) {
      throw new UpstreamRequestFailedError('the function headers failed', { cause: error })
    }
  }
  const fault = headersFault(given)
  if (fault !== undefined || !isObject(given)) {
    throw new UpstreamRequestFailedError('the function headers returned something other than valid request headers')
  }
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), String(value)]))
}

/** What a provider's documents may be fetched from, and how much of it. */
export interface TransportPolicy extends UrlRules, ConnectionRules {
  /** The origin that the operator configured; an implicit `network` and the `headers` are for this origin only. */
  readonly configuredOrigin: string
  /** True when the operator gave `network` for this provider, so that it holds for other origins, too. */
  readonly networkIsExplicit: boolean
  /** Headers to send to the configured origin. */
  readonly headers: RequestHeaders | undefined
  /** Bytes of a decoded body. */
  readonly maxResponseBytes: number
  /** Redirects that are followed. */
  readonly maxRedirects: number
}

/** One GET. */
export interface TransportRequest {
  /** Absolute URL. */
  readonly url: string
  /** Which document it is: decides the `Accept` header, and is named in errors. */
  readonly document: UpstreamDocument
  /** Headers to send, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** Ends the attempt in any phase, from name resolution to the last byte of the body. */
  readonly signal: AbortSignal
  /** Milliseconds for the headers to arrive, and between two parts of the body, for a dispatcher of the application's. */
  readonly timeout: number
  /** Called when a request is written to a connection; once for each redirect. A dispatcher's is taken for sent at once. */
  readonly onSent?: (() => void) | undefined
}

/** Fetches documents from providers under their policies. */
export interface Transport {
  /**
   * One attempt, redirects included. Rejects with an error of this package, or with the signal's reason as soon as that
   * aborts.
   */
  get(request: TransportRequest, policy: TransportPolicy): Promise<TransportResponse>
  /** Closes every connection. */
  close(): Promise<void>
}

const ACCEPT: Readonly<Record<UpstreamDocument, string>> = {
  // Kubernetes' API server, for one, responds with 406 unless the first is accepted (RFC 7517 §8.5.2).
  'key set': 'application/jwk-set+json, application/json',
  metadata: 'application/json',
}

/** Some firewalls refuse clients without a `User-Agent`. */
const COMMON_HEADERS = Object.freeze({ 'accept-encoding': ACCEPTED_CODINGS, 'user-agent': '@jwks-auth/core' })

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Replacements for parts of a {@link Transport}, for tests. */
export interface TransportParts {
  readonly resolveName?: ResolveName
  /** Sets of rules whose connections are kept; beyond that, those of the least recently used one are closed. */
  readonly maxAgents?: number
}

/** Creates the connections of a registry. Providers share sockets only if their connection rules are the same. */
export function createTransport(dispatcher?: HttpDispatcher, parts: TransportParts = {}): Transport {
  const { resolveName = lookup, maxAgents = 1_000 } = parts
  const connectionParts: ConnectionParts = {
    resolver: createNameResolver(resolveName),
    trustAnchors: createDefaultTrustAnchors(),
  }
  const byDispatcher = dispatcher && createDispatcherExchange(dispatcher)
  const guarded = new LRUCache<string, GuardedClients>({
    max: maxAgents,
    dispose: (clients, _, reason) => {
      if (reason === 'evict') clients.retire()
    },
  })

  function exchangeFor(url: URL, policy: TransportPolicy): Exchange {
    if (byDispatcher !== undefined) return byDispatcher
    const trusted = policy.networkIsExplicit || url.origin === policy.configuredOrigin
    const rules: ConnectionRules = {
      network: trusted ? policy.network : 'public',
      allowAddresses: policy.allowAddresses,
      pinnedSpki: policy.pinnedSpki,
      ca: policy.ca,
    }
    // Registrations that need rules about connections are refused on Bun; this is for redirects to other origins.
    if (isBun && rules.network === 'public') throw new UpstreamAddressNotAllowedError()
    if (isBun) return bunExchange
    const key = valueText(rules)
    const clients = guarded.get(key) ?? createGuardedClients(createConnect(rules, connectionParts))
    guarded.set(key, clients)
    return clients.exchange
  }

  async function follow(
    request: TransportRequest,
    policy: TransportPolicy,
    attempt: Attempt,
  ): Promise<TransportResponse> {
    const headersFor = createHeaders(request, policy)
    let url = parseUrl(request.url)
    for (let hop = 0; hop <= policy.maxRedirects; hop += 1) {
      if (url === undefined) throw new UpstreamUrlNotAllowedError('it is not an absolute URL')
      checkUrl(url, policy)
      attempt.step = 'preparing the request'
      const headers = await headersFor(url)
      attempt.signal.throwIfAborted()
      const exchange = exchangeFor(url, policy)
      const response = await exchange({ url, headers, timeout: request.timeout, onSent: request.onSent }, attempt)
      attempt.step = 'reading the response'
      const location = first(response.headers['location'])
      if (!REDIRECTS.has(response.status) || location === undefined) return await read(response, policy)
      await discardBody(response.body)
      url = parseUrl(location, url)
    }
    throw new UpstreamUrlNotAllowedError('there are more redirects than maxRedirects')
  }

  return {
    async get(request, policy) {
      const attempt = new Attempt(request.signal)
      try {
        return await orAborted(follow(request, policy, attempt), request.signal)
      } catch (error) {
        throw request.signal.aborted ? located(request.signal.reason, request, attempt) : own(error, request, attempt)
      }
    },
    async close() {
      await Promise.all([...guarded.values()].map((clients) => clients.destroy()))
      guarded.clear()
    },
  }
}

/** The headers for each URL of one fetch. The provider's own are read once, and only if its origin is asked. */
function createHeaders({ document, headers }: TransportRequest, policy: TransportPolicy) {
  let own: Promise<Readonly<Record<string, string>>> | undefined
  return async (url: URL): Promise<Readonly<Record<string, string>>> => {
    const common = { accept: ACCEPT[document], ...COMMON_HEADERS }
    if (policy.headers === undefined || url.origin !== policy.configuredOrigin) return { ...common, ...headers }
    own ??= readRequestHeaders(policy.headers)
    return { ...common, ...(await own), ...headers }
  }
}

async function read({ status, headers, body }: IncomingResponse, policy: TransportPolicy): Promise<TransportResponse> {
  const responseHeaders = joinHeaders(headers)
  if (status === 200) {
    const text = await readBody(body, responseHeaders['content-encoding'], policy.maxResponseBytes)
    return { status, headers: responseHeaders, body: text }
  }
  await discardBody(body)
  return { status, headers: responseHeaders, body: '' }
}

/** The reason for which an attempt was ended; a time limit with what it was waiting for. */
function located(reason: unknown, { document }: TransportRequest, { step }: Attempt): unknown {
  if (!(reason instanceof UpstreamTimedOutError)) return reason
  return new UpstreamTimedOutError({ cause: reason.cause, document, step })
}

/** Refusals that are made where the document is not known. */
const REFUSALS = [
  UpstreamAddressNotAllowedError,
  KeyPinMismatchError,
  ResponseTooLargeError,
  ContentCodingNotSupportedError,
] as const

/** An error of this package, which names the document, for whatever ended the attempt. */
function own(error: unknown, { document }: TransportRequest, { step }: Attempt): JwksAuthError {
  if (!(error instanceof JwksAuthError)) return new UpstreamUnreachableError({ cause: error, document, step })
  const { cause } = error
  if (error instanceof UpstreamUrlNotAllowedError)
    return new UpstreamUrlNotAllowedError(error.reason, { cause, document })
  const Refusal = REFUSALS.find((each) => error instanceof each)
  return Refusal === undefined ? error : new Refusal({ cause, document })
}

/** A header that came several times is the list of its values (RFC 9110 §5.3). */
function joinHeaders(headers: IncomingResponse['headers']): ResponseHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : value?.join(', ')]),
  )
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}
