import type { LookupAddress, LookupAllOptions } from 'node:dns'
import { BlockList, type IPVersion, isIP, isIPv4 } from 'node:net'
import { LRUCache } from 'lru-cache'
import { orAborted } from '../base/steps.ts'

/** Where a connection may lead: anywhere, or only to globally reachable unicast addresses. */
export type Network = 'public' | 'any'

/** Which addresses a provider's host may have. */
export interface AddressRules {
  /** The kind of network that is allowed. */
  readonly network: Network
  /** Addresses and CIDR blocks that are exempt from these rules. */
  readonly allowAddresses: readonly string[]
}

/** Says of one IP address whether a connection may go there. */
export type AddressCheck = (address: string) => boolean

/**
 * Where clouds serve the credentials of their machines: AWS, Azure, GCP and most others; ECS tasks; Tencent; Scaleway;
 * Alibaba; Azure's wire server; Oracle; and AWS's, GCP's, OpenStack's and Scaleway's over IPv6.
 */
const CLOUD_METADATA = blockList([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '169.254.0.23',
  '169.254.42.42',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  'fe80::a9fe:a9fe',
  'fd00:42::42',
])

/**
 * IPv4 addresses that no provider of keys has: IANA's special-purpose registry (RFC 6890 and its updates), those that it
 * calls globally reachable (AS112, AMT, the deprecated relays of 6to4) included; multicast (RFC 5771 §3); and what is
 * reserved (RFC 1112 §4).
 */
const SPECIAL_IPV4 = blockList([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
])

/** All that is assigned for global unicast of IPv6 (RFC 4291 §2.4). */
const UNICAST_IPV6 = blockList(['2000::/3'])

/** The same as {@link SPECIAL_IPV4}, of what is assigned for global unicast. */
const SPECIAL_IPV6 = blockList(['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'])

/** NAT64's well-known prefix (RFC 6052 §2.1). */
const NAT64 = blockList(['64:ff9b::/96'])

/**
 * Which bytes of an IPv6 address hold the IPv4 address that a gateway would send it to: by the prefixes of NAT64 (RFC 6052
 * §2.2; the local ones of RFC 8215 are 96, 64, 56 or 48 bits long), of SIIT (RFC 6145), of 6to4 (RFC 3056), and as
 * IPv4-compatible (RFC 4291 §2.5.5.1).
 */
const LAST_BYTES = [12, 13, 14, 15] as const
const EMBEDDED_IPV4 = [
  { block: NAT64, places: [LAST_BYTES] },
  { block: blockList(['64:ff9b:1::/48']), places: [LAST_BYTES, [9, 10, 11, 12], [7, 9, 10, 11], [6, 7, 9, 10]] },
  { block: blockList(['::ffff:0:0:0/96', '::/96']), places: [LAST_BYTES] },
  { block: blockList(['2002::/16']), places: [[2, 3, 4, 5]] },
] as const

/** An IP address; one that is mapped into IPv6 (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2) as the IPv4 address that it is. */
interface Address {
  readonly text: string
  readonly version: IPVersion
  readonly bytes: readonly number[]
}

/** Compiles the rules; `allowAddresses` must have passed {@link isAddressOrBlock}. */
export function createAddressCheck({ network, allowAddresses }: AddressRules): AddressCheck {
  const exempt = blockList(allowAddresses)
  return (text) => {
    const address = parseAddress(text)
    if (contains(exempt, address)) return true
    if ([address, ...embeddedAddresses(address)].some((each) => contains(CLOUD_METADATA, each))) return false
    return network === 'any' || isPublic(address)
  }
}

function isPublic(address: Address): boolean {
  if (address.version === 'ipv4') return !contains(SPECIAL_IPV4, address)
  // Behind a DNS64 every IPv4 host has such an address (RFC 6052 §3.1).
  if (contains(NAT64, address)) return embeddedAddresses(address).every(isPublic)
  return contains(UNICAST_IPV6, address) && !contains(SPECIAL_IPV6, address)
}

/** The IPv4 addresses that a packet to this address may end up at, once gateways have had it. */
function embeddedAddresses({ version, text, bytes }: Address): readonly Address[] {
  if (version === 'ipv4') return []
  const places = EMBEDDED_IPV4.find(({ block }) => block.check(text, version))?.places ?? []
  return places.map((each) => ipv4(each.map((place) => bytes[place] ?? 0)))
}

function parseAddress(text: string): Address {
  const address = withoutZone(text)
  if (isIPv4(address)) return ipv4(address.split('.').map(Number))
  const bytes = ipv6Bytes(address)
  const isMapped = bytes.every((byte, place) => place > 11 || byte === (place < 10 ? 0 : 0xff))
  return isMapped ? ipv4(bytes.slice(12)) : { text: address, version: 'ipv6', bytes }
}

function ipv4(bytes: readonly number[]): Address {
  return { text: bytes.join('.'), version: 'ipv4', bytes }
}

/** The 16 bytes of an IPv6 address. Throws a `TypeError` for anything else. */
function ipv6Bytes(address: string): readonly number[] {
  // A URL writes all of its forms alike: groups of hexadecimal digits, at most one `::`, no dots (WHATWG URL, 3.5).
  const [head = [], tail = []] = new URL(`http://[${address}]`).hostname
    .slice(1, -1)
    .split('::')
    .map((groups) =>
      groups
        .split(':')
        .filter((group) => group !== '')
        .map((group) => Number.parseInt(group, 16)),
    )
  const zeros = Array<number>(8 - head.length - tail.length).fill(0)
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff])
}

function contains(list: BlockList, { text, version }: Address): boolean {
  return list.check(text, version)
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const [base = '', length] = entry.split('/')
    if (length === undefined) {
      const { text, version } = parseAddress(base)
      list.addAddress(text, version)
    } else {
      list.addSubnet(base, Number(length), isIPv4(base) ? 'ipv4' : 'ipv6')
    }
  }
  return list
}

/** True for an IP address, or a CIDR block (RFC 4632 §3.1, RFC 4291 §2.3). */
export function isAddressOrBlock(text: string): boolean {
  const [address = '', length, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128))
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}

/** Resolves a name to all of its addresses, as `lookup` of `node:dns` does. */
export type ResolveName = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Resolves names for connections. */
export interface NameResolver {
  /**
   * Resolves with all addresses of a name. Rejects with the error of the lookup, or with the reason of the signal as soon
   * as that aborts; the lookup itself cannot be cancelled.
   */
  resolve(hostname: string, signal: AbortSignal): Promise<readonly LookupAddress[]>
}

/** The result of the last lookup of a name; `'unknown'` before the first one has ended. */
type Standing = 'failed' | 'unknown' | 'good'

/**
 * Lookups that run at once. `getaddrinfo` occupies one of libuv's four threads for as long as it takes, many seconds for
 * a name whose servers do not respond, and signature checks need the same threads. So one thread is always left to them.
 */
const MAX_LOOKUPS = 3

/** Lookups of names that have not been resolved before. So a name that was resolved before always finds a free place. */
const MAX_UNPROVEN = 2

/** Lookups of names that failed before. So dead names delay no new name either. */
const MAX_FAILED = 1

/** Names whose last result is remembered. */
const MAX_NAMES = 10_000

interface Lookup {
  readonly hostname: string
  readonly result: Promise<readonly LookupAddress[]>
  readonly start: (standing: Standing) => void
  /** Connections that wait for the result. Without any, a lookup that has not started is dropped. */
  waiting: number
}

/** Creates a resolver in which equal lookups are shared while they run, and few run at once. Nothing is cached. */
export function createNameResolver(resolveName: ResolveName): NameResolver {
  const standings = new LRUCache<string, Standing>({ max: MAX_NAMES })
  const lookups = new Map<string, Lookup>()
  const queue = new Set<Lookup>()
  const running: Record<Standing, number> = { failed: 0, unknown: 0, good: 0 }

  function hasRoom(standing: Standing): boolean {
    const unproven = running.failed + running.unknown
    if (unproven + running.good >= MAX_LOOKUPS) return false
    if (standing !== 'good' && unproven >= MAX_UNPROVEN) return false
    return standing !== 'failed' || running.failed < MAX_FAILED
  }

  function startNext(): void {
    for (const lookup of queue) {
      const standing = standings.get(lookup.hostname) ?? 'unknown'
      if (lookup.waiting === 0) {
        queue.delete(lookup)
        lookups.delete(lookup.hostname)
      } else if (hasRoom(standing)) {
        queue.delete(lookup)
        lookup.start(standing)
      }
    }
  }

  function createLookup(hostname: string): Lookup {
    const { promise, resolve, reject } = deferred<readonly LookupAddress[]>()
    // It may fail after every connection that waited for it has given up.
    promise.catch(() => undefined)
    const start = (standing: Standing): void => {
      running[standing] += 1
      resolveName(hostname, { all: true }, (error, addresses) => {
        running[standing] -= 1
        lookups.delete(hostname)
        standings.set(hostname, error === null ? 'good' : 'failed')
        if (error === null) resolve(addresses)
        else reject(error)
        startNext()
      })
    }
    return { hostname, result: promise, start, waiting: 0 }
  }

  function lookupFor(hostname: string): Lookup {
    const known = lookups.get(hostname)
    if (known !== undefined) return known
    const lookup = createLookup(hostname)
    lookups.set(hostname, lookup)
    queue.add(lookup)
    return lookup
  }

  return {
    async resolve(hostname, signal) {
      signal.throwIfAborted()
      const lookup = lookupFor(hostname)
      lookup.waiting += 1
      startNext()
      try {
        return await orAborted(lookup.result, signal)
      } finally {
        lookup.waiting -= 1
      }
    },
  }
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => undefined
  let reject: (reason: unknown) => void = () => undefined
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
