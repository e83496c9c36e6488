import type { LookupAddress, LookupAllOptions } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Agent, buildConnector } from 'undici'
import { KeyPinMismatchError, UpstreamAddressNotAllowedError } from '../base/errors/upstream-errors.ts'
import { type AddressCheck, type AddressRules, createAddressCheck } from './address-rules.ts'
import { hasPinnedKey } from './pinned-keys.ts'
import type { TrustAnchors } from './trust-anchors.ts'

/** What connections have to satisfy. */
export interface ConnectionRules extends AddressRules {
  /** Hashes of public keys, of which one has to be on the server's certificate path; empty for no such demand. */
  readonly pinnedSpki: readonly string[]
}

/** Resolves a name to all of its addresses, as `lookup` of `node:dns` does. */
export type ResolveName = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** What connections are made with. */
export interface ConnectionParts {
  readonly resolveName: ResolveName
  /** Certificates of the authorities to trust instead of Node's own, as PEM. */
  readonly ca: readonly string[] | undefined
  /** The authorities that are trusted, for the pins. */
  readonly trustAnchors: TrustAnchors
}

/** Milliseconds for DNS, TCP and TLS together, where the attempt itself is not given up earlier. */
const CONNECT_TIMEOUT = 10_000

/**
 * An undici agent that connects only to addresses that the rules allow, and to servers that have a pinned key. The
 * addresses are checked when a connection is made, after name resolution, so that no name can lead elsewhere than it
 * was checked for; the keys when the handshake is done, before anything is sent.
 */
export function createGuardedAgent(rules: ConnectionRules, { resolveName, ca, trustAnchors }: ConnectionParts): Agent {
  const isAllowed = createAddressCheck(rules)
  const pins = new Set(rules.pinnedSpki)
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT,
    lookup: guardedLookup(isAllowed, resolveName),
    ...(ca === undefined ? {} : { ca: [...ca] }),
    // Each handshake has to show its certificates, and NODE_TLS_REJECT_UNAUTHORIZED must not have them unchecked.
    ...(pins.size === 0 ? {} : { maxCachedSessions: 0, rejectUnauthorized: true }),
  })
  return new Agent({
    connect(options, callback) {
      // net.connect does not ask `lookup` for IP literals.
      const host = options.hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0 && !isAllowed(host)) {
        callback(new UpstreamAddressNotAllowedError(), null)
        return
      }
      connect(options, (error, socket) => {
        if (error !== null) {
          callback(error, null)
        } else if (pins.size > 0 && !isPinned(socket, pins, trustAnchors)) {
          socket.destroy()
          callback(new KeyPinMismatchError(), null)
        } else {
          callback(null, socket)
        }
      })
    },
  })
}

function isPinned(socket: Socket, pins: ReadonlySet<string>, trustAnchors: TrustAnchors): boolean {
  return socket instanceof TLSSocket && hasPinnedKey(socket, pins, trustAnchors)
}

function guardedLookup(isAllowed: AddressCheck, resolveName: ResolveName): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '')
        return
      }
      const allowed = addresses.filter(({ address }) => isAllowed(address))
      const first = allowed[0]
      if (first === undefined) callback(new UpstreamAddressNotAllowedError(), '')
      else if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}
