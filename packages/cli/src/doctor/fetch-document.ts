import { lookup } from 'node:dns'
import { TLSSocket } from 'node:tls'
import {
  Attempt,
  type Connect,
  checkUrl,
  contentCodings,
  createConnect,
  createDefaultTrustAnchors,
  createGuardedClients,
  createNameResolver,
  decodeBody,
  type GuardedClients,
  parseUrl,
  providerDefaults,
  type ResponseHeaders,
  withoutByteOrderMark,
} from '@jwks-auth/core/diagnostics'

/** What the doctor may connect to, and for how long. */
export interface FetchOptions {
  readonly ca: readonly string[] | undefined
  readonly allowHttp: boolean
  /** `undefined`: any address for the origin that was named, public ones for others. */
  readonly network: 'any' | 'public' | undefined
  readonly allowAddresses: readonly string[]
  /** Milliseconds for one document, redirects included. */
  readonly timeout: number
}

/** The TLS connection that a document came by. */
export interface TlsFacts {
  readonly protocol: string
  readonly validFrom: number
  readonly validTo: number
}

/** One request of a chain of redirects. */
export interface Hop {
  readonly url: string
  readonly status: number
}

/** A response, redirects followed. */
export interface DocumentResponse {
  readonly kind: 'response'
  readonly hops: readonly Hop[]
  readonly url: string
  readonly status: number
  readonly headers: ResponseHeaders
  /** Bytes of the body as it was sent. */
  readonly size: number
  readonly body: DocumentBody
  readonly tls: TlsFacts | undefined
  /** Milliseconds for everything. */
  readonly duration: number
  /** When it arrived, in milliseconds since the epoch. */
  readonly receivedAt: number
}

/** A body, decoded, or why it cannot be. */
export interface DocumentBody {
  readonly text: string | undefined
  readonly error: unknown
  /** True where the codings that the header names were not applied. */
  readonly isMislabelled: boolean
  /** True for gzip that no header names. */
  readonly isUnlabelledGzip: boolean
  readonly hasByteOrderMark: boolean
}

/** No response that can be read. */
export interface DocumentFailure {
  readonly kind: 'failure'
  readonly hops: readonly Hop[]
  readonly url: string
  readonly error: unknown
  /** What the request was doing. */
  readonly step: string
  readonly isTimeout: boolean
  readonly duration: number
}

/** What became of a request. */
export type DocumentOutcome = DocumentResponse | DocumentFailure

/** Fetches documents as jwksAuth does, with its address rules, and records what it hides. */
export interface DocumentFetcher {
  get(url: URL, accept: string, headers?: Readonly<Record<string, string>>): Promise<DocumentOutcome>
  close(): Promise<void>
}

/** A redirect that is not followed. */
export class RedirectNotFollowed extends Error {
  override readonly name = 'RedirectNotFollowed'
  readonly reason: 'http' | 'too-many' | 'no-location'
  constructor(reason: RedirectNotFollowed['reason']) {
    super(`The redirect is not followed: ${reason}`)
    this.reason = reason
  }
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MAX_BYTES = providerDefaults.maxResponseBytes
const GZIP = Buffer.from([0x1f, 0x8b])

/** Creates a fetcher. */
export function createDocumentFetcher(configured: URL, options: FetchOptions): DocumentFetcher {
  const clients = new Map<string, GuardedClients>()
  const certificates = new Map<string, TlsFacts>()
  const parts = { resolver: createNameResolver(lookup), trustAnchors: createDefaultTrustAnchors() }

  /** Clients by the rules that hold for an origin: those of the transport of core. */
  function clientsFor(url: URL): GuardedClients {
    const network = options.network ?? (url.origin === configured.origin ? 'any' : 'public')
    const { allowAddresses, ca } = options
    const known = clients.get(network)
    if (known !== undefined) return known
    const created = createGuardedClients(
      recording(createConnect({ network, allowAddresses, pinnedSpki: [], ca }, parts)),
    )
    clients.set(network, created)
    return created
  }

  function recording(connect: Connect): Connect {
    return async (target, attempt) => {
      const socket = await connect(target, attempt)
      if (socket instanceof TLSSocket) certificates.set(`${target.host}:${target.port}`, tlsFacts(socket))
      return socket
    }
  }

  async function follow(
    start: URL,
    headers: Readonly<Record<string, string>>,
    hops: Hop[],
    attempt: Attempt,
  ): Promise<Omit<DocumentResponse, 'kind' | 'duration' | 'hops'>> {
    let url = start
    for (;;) {
      checkUrl(url, { requireHttps: false, allowedDomains: [] })
      const exchange = { url, headers, timeout: options.timeout, onSent: undefined }
      const response = await clientsFor(url).exchange(exchange, attempt)
      attempt.step = 'reading the response'
      const received = joinHeaders(response.headers)
      hops.push({ url: url.href, status: response.status })
      if (!REDIRECTS.has(response.status)) {
        const raw = await readBytes(response.body)
        const tls = certificates.get(`${url.hostname.replace(/^\[|\]$/g, '')}:${url.port || 443}`)
        const body = await readDocument(raw, received['content-encoding'])
        const { status } = response
        return { url: url.href, status, headers: received, size: raw.length, body, tls, receivedAt: Date.now() }
      }
      await readBytes(response.body)
      url = nextUrl(url, received['location'], hops)
    }
  }

  function nextUrl(url: URL, location: string | undefined, hops: readonly Hop[]): URL {
    const next = location === undefined ? undefined : parseUrl(location, url)
    if (next === undefined) throw new RedirectNotFollowed('no-location')
    if (next.protocol === 'http:' && (url.protocol === 'https:' || !options.allowHttp)) {
      throw new RedirectNotFollowed('http')
    }
    if (hops.length > providerDefaults.maxRedirects) throw new RedirectNotFollowed('too-many')
    return next
  }

  return {
    async get(url, accept, extra = {}) {
      const headers = { accept, 'accept-encoding': 'gzip, br', 'user-agent': '@jwks-auth/cli', ...extra }
      const controller = new AbortController()
      const attempt = new Attempt(controller.signal)
      const timer = setTimeout(() => controller.abort(), options.timeout)
      const start = performance.now()
      const hops: Hop[] = []
      try {
        const response = await follow(url, headers, hops, attempt)
        return { kind: 'response', hops, ...response, duration: performance.now() - start }
      } catch (error) {
        const isTimeout = controller.signal.aborted
        const last = hops.at(-1)?.url ?? url.href
        const { step } = attempt
        return { kind: 'failure', hops, url: last, error, step, isTimeout, duration: performance.now() - start }
      } finally {
        clearTimeout(timer)
      }
    },
    async close() {
      await Promise.all([...clients.values()].map((each) => each.destroy()))
    },
  }
}

/** Reads the body as it was sent, and no more of it than is allowed: `decodeBody` refuses what is longer. */
async function readBytes(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MAX_BYTES) break
  }
  return Buffer.concat(chunks)
}

async function readDocument(raw: Buffer, contentEncoding: string | undefined): Promise<DocumentBody> {
  const codings = contentCodings(contentEncoding)
  const isMislabelled = codings.length > 0 && isJson(raw)
  const isUnlabelledGzip = codings.length === 0 && raw.subarray(0, 2).equals(GZIP)
  const flags = { isMislabelled, isUnlabelledGzip }
  if (raw.length > MAX_BYTES) return { ...flags, text: undefined, error: undefined, hasByteOrderMark: false }
  try {
    const decoded = (await decodeBody(raw, codings, MAX_BYTES)).toString('utf8')
    const text = withoutByteOrderMark(decoded)
    return { ...flags, text, error: undefined, hasByteOrderMark: text !== decoded }
  } catch (error) {
    return { ...flags, text: undefined, error, hasByteOrderMark: false }
  }
}

function isJson(raw: Buffer): boolean {
  try {
    JSON.parse(withoutByteOrderMark(raw.toString('utf8')))
    return true
  } catch {
    return false
  }
}

/** A header that came several times is the list of its values (RFC 9110 §5.3); of `Location`, the first counts. */
function joinHeaders(headers: Readonly<Record<string, string | readonly string[] | undefined>>): ResponseHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (value === undefined || typeof value === 'string') return [name, value]
      return [name, name === 'location' ? value[0] : value.join(', ')]
    }),
  )
}

function tlsFacts(socket: TLSSocket): TlsFacts {
  const { valid_from: from, valid_to: to } = socket.getPeerCertificate()
  return { protocol: socket.getProtocol() ?? 'unknown', validFrom: Date.parse(from), validTo: Date.parse(to) }
}
