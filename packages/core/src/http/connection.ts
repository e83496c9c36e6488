import { createHash, X509Certificate } from 'node:crypto'
import type { LookupAddress } from 'node:dns'
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { type ConnectionOptions, connect as connectTls, type DetailedPeerCertificate, TLSSocket } from 'node:tls'
import {
  KeyPinMismatchError,
  UpstreamAddressNotAllowedError,
  UpstreamRequestFailedError,
  type UpstreamStep,
} from '../base/errors/upstream-errors.ts'
import { orAborted } from '../base/steps.ts'
import { type AddressCheck, type AddressRules, createAddressCheck, type NameResolver } from './addresses.ts'

/** The authorities that connections trust, read when they are needed. */
export type TrustAnchors = () => readonly X509Certificate[]

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Splits PEM text, perhaps a bundle, into certificates.
 *
 * @returns `undefined` where a text has no certificate, or one that cannot be read
 */
export function splitPem(texts: readonly string[]): readonly string[] | undefined {
  const certificates = texts.map((text) => text.match(PEM_CERTIFICATE) ?? [])
  const all = certificates.flat()
  return certificates.every((found) => found.length > 0) && all.every(isCertificate) ? all : undefined
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

/** The given authorities as certificates, parsed on first use. */
function trustAnchorsOf(pems: readonly string[]): TrustAnchors {
  let anchors: readonly X509Certificate[] | undefined
  return () => {
    anchors ??= pems.map((pem) => new X509Certificate(pem))
    return anchors
  }
}

/**
 * Node's own authorities as certificates, parsed on first use, and again if Node's list is replaced: some 150
 * certificates, so share what this returns.
 */
export function createDefaultTrustAnchors(): TrustAnchors {
  let source: readonly string[] | undefined
  let anchors: TrustAnchors = () => []
  return () => {
    const current = defaultAuthorities()
    if (current !== source) {
      anchors = trustAnchorsOf(current)
      source = current
    }
    return anchors()
  }
}

/**
 * What Node trusts where no `ca` is given. Before Node 22.15 that cannot be read, and these are the bundled authorities
 * only; what NODE_EXTRA_CA_CERTS or OpenSSL's own store add is found by the connection that uses it.
 */
function defaultAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => readonly string[] }
  return getCACertificates?.('default') ?? tls.rootCertificates
}

/** Servers present two to five certificates; each more costs signature checks, so that there must be an end to it. */
const MAX_PRESENTED = 16

/** True for a pin as RFC 7469 §2.4 writes it: the base64 of a SHA-256 hash, padding included. */
export function isSpkiHash(text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === text
}

/**
 * True where the connection's certificate was verified, in this very handshake, by way of a pinned key.
 *
 * Node tells which certificates were presented, and links them by name, but not which path OpenSSL has verified. So
 * this looks for a way round the pins instead: see {@link isEveryPathPinned}.
 */
export function hasPinnedKey(socket: TLSSocket, pins: ReadonlySet<string>, trustAnchors: TrustAnchors): boolean {
  // In a resumed session no certificate is sent, and Node does not compare the host's name.
  if (!socket.authorized || socket.isSessionReused()) return false
  // In this order: getPeerX509Certificate takes what was presented out of the connection, once and for all.
  const linked = linkedByName(socket)
  const leaf = socket.getPeerX509Certificate()
  const presented = presentedAfter(leaf)
  if (leaf === undefined || presented.length > MAX_PRESENTED) return false
  return isEveryPathPinned(leaf, pins, () => [...presented, ...linked, ...trustAnchors()])
}

/**
 * True where no path from the leaf, each link's signature checked, reaches its end without a pinned key. The path that
 * was verified is one of them, so it has a pinned key, too; what is merely presented is on none (CVE-2016-2402). It
 * does not matter here whether a link would pass for other reasons, such as its validity or its constraints.
 *
 * @param issuers what may have issued the leaf, or another of them
 */
export function isEveryPathPinned(
  leaf: X509Certificate,
  pins: ReadonlySet<string>,
  issuers: () => readonly X509Certificate[],
): boolean {
  if (isPinned(leaf, pins)) return true
  const known = issuers()
  const reached = new Map([[leaf.fingerprint256, leaf]])
  let pinned = false
  // A map's iteration comes by what is added meanwhile, and each certificate is in it once: circles end.
  for (const certificate of reached.values()) {
    if (isPinned(certificate, pins)) {
      pinned = true
      continue
    }
    const above = hasIssued(certificate, certificate) ? [] : known.filter((issuer) => hasIssued(issuer, certificate))
    if (above.length === 0) return false
    for (const issuer of above) reached.set(issuer.fingerprint256, issuer)
  }
  return pinned
}

/** All that the server sent after its own certificate, as it came: related or not, unchecked. */
function presentedAfter(leaf: X509Certificate | undefined): readonly X509Certificate[] {
  const presented: X509Certificate[] = []
  let next = leaf?.issuerCertificate
  while (next !== undefined && presented.length <= MAX_PRESENTED) {
    presented.push(next)
    next = next.issuerCertificate
  }
  return presented
}

/** Node's own chain, linked by name only; past what was presented it has the authorities that the connection trusts. */
function linkedByName(socket: TLSSocket): readonly X509Certificate[] {
  const chain = new Map<string, X509Certificate>()
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next?.raw !== undefined && !chain.has(next.fingerprint256)) {
    chain.set(next.fingerprint256, new X509Certificate(next.raw))
    next = next.issuerCertificate
  }
  return [...chain.values()]
}

function isPinned(certificate: X509Certificate, pins: ReadonlySet<string>): boolean {
  try {
    const key = certificate.publicKey.export({ type: 'spki', format: 'der' })
    return pins.has(createHash('sha256').update(key).digest('base64'))
  } catch {
    // A key of a kind that this OpenSSL does not know; it cannot have signed anything here either.
    return false
  }
}

/** By names, key identifiers and key usage (RFC 5280 §6.1), and by signature. */
function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

/** PEM text of certificate authorities, or a function that is called for each new connection. */
export type CertificateAuthorities =
  | string
  | readonly string[]
  | (() => string | readonly string[] | PromiseLike<string | readonly string[]>)

/** What connections have to satisfy. */
export interface ConnectionRules extends AddressRules {
  /** Hashes of public keys, of which one has to be on the server's certificate path; empty for no such demand. */
  readonly pinnedSpki: readonly string[]
  /** The certificate authorities to trust instead of Node's. */
  readonly ca: CertificateAuthorities | undefined
}

/** What connections are made with. */
export interface ConnectionParts {
  readonly resolver: NameResolver
  /** Node's own authorities, for pins where there is no `ca`. */
  readonly trustAnchors: TrustAnchors
}

/** One attempt to fetch something; it knows how far it has come. */
export class Attempt {
  /** Ends the attempt, also while it is connecting. */
  readonly signal: AbortSignal
  /** What the attempt is doing. */
  step: UpstreamStep = 'preparing the request'

  constructor(signal: AbortSignal) {
    this.signal = signal
  }
}

/** Where a connection goes. */
export interface ConnectionTarget {
  /** Host name or IP address, without brackets. */
  readonly host: string
  readonly port: number
  readonly isTls: boolean
}

/** Makes connections under one set of rules. */
export type Connect = (target: ConnectionTarget, attempt: Attempt) => Promise<Socket>

/**
 * Creates a function that connects only to addresses that the rules allow, and to servers that have a pinned key. The
 * addresses are checked after name resolution, and those that were checked are connected to, so that no name can lead
 * elsewhere; the keys are checked when the handshake is complete, before anything is sent. When the attempt ends, so does
 * the connection that is being made.
 */
export function createConnect(rules: ConnectionRules, { resolver, trustAnchors }: ConnectionParts): Connect {
  const isAllowed = createAddressCheck(rules)
  const pins = new Set(rules.pinnedSpki)

  async function addressesOf(host: string, attempt: Attempt): Promise<readonly LookupAddress[]> {
    const family = isIP(host)
    if (family !== 0) return allowedOf([{ address: host, family }], isAllowed)
    attempt.step = 'name resolution'
    return allowedOf(await resolver.resolve(host, attempt.signal), isAllowed)
  }

  return async ({ host, port, isTls }, attempt) => {
    if (!isTls && pins.size > 0) throw new KeyPinMismatchError()
    const addresses = await addressesOf(host, attempt)
    const address = { host, port, lookup: lookupOf(addresses) }
    if (!isTls) return await connected(connectTcp(address), 'connect', attempt)
    attempt.step = 'preparing the request'
    const ca = await orAborted(authoritiesOf(rules.ca), attempt.signal)
    // Sessions are never resumed: each handshake shows its certificates, and the host's name is compared.
    const options: ConnectionOptions = {
      ...address,
      servername: isIP(host) === 0 ? host.replace(/\.$/, '') : '',
      ALPNProtocols: ['http/1.1'],
      ...(ca === undefined ? {} : { ca: [...ca] }),
      // NODE_TLS_REJECT_UNAUTHORIZED must not switch pins off.
      ...(pins.size === 0 ? {} : { rejectUnauthorized: true }),
    }
    const socket = await connected(connectTls(options), 'secureConnect', attempt)
    const anchors = ca === undefined ? trustAnchors : trustAnchorsOf(ca)
    if (pins.size === 0 || (socket instanceof TLSSocket && hasPinnedKey(socket, pins, anchors))) return socket
    socket.destroy()
    throw new KeyPinMismatchError()
  }
}

/** Waits until a socket is ready; destroys it when the attempt ends earlier. */
async function connected(socket: Socket, event: 'connect' | 'secureConnect', attempt: Attempt): Promise<Socket> {
  attempt.step = 'connecting'
  if (event === 'secureConnect') {
    socket.once('connect', () => {
      attempt.step = 'TLS handshake'
    })
  }
  // The listeners stay: an error before the HTTP client listens, too, must not be uncaught.
  const isReady = new Promise<void>((resolve, reject) => {
    socket.once(event, resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('The connection was closed before it was ready')))
  })
  try {
    await orAborted(isReady, attempt.signal)
    return socket
  } catch (error) {
    // Its error, if there is another one, is of no interest any more.
    socket.on('error', () => undefined).destroy()
    throw error
  }
}

function allowedOf(addresses: readonly LookupAddress[], isAllowed: AddressCheck): readonly LookupAddress[] {
  const allowed = addresses.filter(({ address }) => isAllowed(address))
  if (allowed.length === 0) throw new UpstreamAddressNotAllowedError()
  return allowed
}

/** Answers with addresses that are known already. */
function lookupOf(addresses: readonly LookupAddress[]): LookupFunction {
  return (_, options, callback) => {
    const [first] = addresses
    if (options.all === true) callback(null, [...addresses])
    else callback(null, first?.address ?? '', first?.family)
  }
}

async function authoritiesOf(ca: CertificateAuthorities | undefined): Promise<readonly string[] | undefined> {
  if (ca === undefined) return undefined
  let text: unknown = ca
  if (typeof ca === 'function') {
    try {
      text = await ca()
    } catch (error) {
      throw new UpstreamRequestFailedError('the function ca failed', { cause: error })
    }
  }
  const certificates = splitPem([text].flat().map(String))
  if (certificates !== undefined && certificates.length > 0) return certificates
  throw new UpstreamRequestFailedError('the function ca returned something other than certificates in PEM form')
}
