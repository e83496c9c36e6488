import type { LookupAddress } from 'node:dns'
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'
import {
  KeyPinMismatchError,
  UpstreamAddressNotAllowedError,
  UpstreamRequestFailedError,
  type UpstreamStep,
} from '../base/errors/upstream-errors.ts'
import { orAborted } from '../base/steps.ts'
import { type AddressCheck, type AddressRules, createAddressCheck } from './address-rules.ts'
import type { NameResolver } from './name-resolution.ts'
import { hasPinnedKey } from './pinned-keys.ts'
import { splitPem, type TrustAnchors, trustAnchorsOf } from './trust-anchors.ts'

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
