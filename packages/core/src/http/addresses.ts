import type { LookupAddress, LookupAllOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type ipaddr from 'ipaddr.js'
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
const CLOUD_METADATA = [
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
]

/**
 * Which bytes of an IPv6 address can hold the IPv4 address that it leads to: by the prefixes of NAT64 (RFC 6052 §2.2;
 * 96, 64, 56 and 48 bits long), of SIIT (RFC 6145), of 6to4 (RFC 3056), and as IPv4-compatible (RFC 4291 §2.5.5.1).
 */
const LAST_BYTES = [12, 13, 14, 15] as const
const NAT64_BYTES = [LAST_BYTES, [9, 10, 11, 12], [7, 9, 10, 11], [6, 7, 9, 10]] as const
const SIX_TO_FOUR_BYTES = [2, 3, 4, 5] as const

/**
 * Compiles the rules; `allowAddresses` must have passed {@link isAddressOrBlock}. ipaddr.js is loaded by the first call: it
 * is a third of what it takes to load this package, and a process that has its keys on disk may never need it.
 */
export async function createAddressCheck({ network, allowAddresses }: AddressRules): Promise<AddressCheck> {
  const { default: ipaddr } = await import('ipaddr.js')

  /** Unwraps ::ffff:a.b.c.d, so that a mapped address is judged as the IPv4 address that it is. */
  function parseAddress(text: string): Address {
    const [, groups, dotted] = /^(.*:)(\d+\.[\d.]+)$/.exec(withoutZone(text)) ?? []
    if (groups === undefined || dotted === undefined) return ipaddr.process(withoutZone(text))
    // ipaddr.js would take ::a.b.c.d for mapped, too, but not the same address in groups.
    const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(dotted).octets
    return ipaddr.process(`${groups}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`)
  }

  function blockList(entries: readonly string[]): BlockList {
    const list = new BlockList()
    for (const entry of entries) {
      if (entry.includes('/')) {
        const [base, bits] = ipaddr.parseCIDR(entry)
        list.addSubnet(base.toString(), bits, base.kind())
      } else {
        const address = parseAddress(entry)
        list.addAddress(address.toString(), address.kind())
      }
    }
    return list
  }

  /** The IPv4 addresses that a packet to this address may end up at, once gateways have had it. */
  function embeddedAddresses(address: Address): readonly ipaddr.IPv4[] {
    if (!isIPv6(address)) return []
    const bytes = address.toByteArray()
    return embeddingOf(address).map((places) => new ipaddr.IPv4(places.map((place) => bytes[place] ?? 0)))
  }

  /** By IANA's special-purpose registries; of IPv6 only 2000::/3 is assigned for global unicast (RFC 4291 §2.4). */
  function isPublic(address: Address): boolean {
    // NAT64's well-known prefix is globally reachable; behind a DNS64 every IPv4 host has such an address (RFC 6052 §3.1).
    if (isIPv6(address) && startsWith(address, [0x64, 0xff9b, 0, 0, 0, 0])) {
      return isPublic(new ipaddr.IPv4(address.toByteArray().slice(12)))
    }
    if (address.range() !== 'unicast') return false
    return !isIPv6(address) || ((address.parts[0] ?? 0) & 0xe000) === 0x2000
  }

  const exempt = blockList(allowAddresses)
  const metadata = blockList(CLOUD_METADATA)
  return (text) => {
    const address = parseAddress(text)
    const canonical = address.toString()
    if (exempt.check(canonical, address.kind())) return true
    if (metadata.check(canonical, address.kind())) return false
    if (embeddedAddresses(address).some((embedded) => metadata.check(embedded.toString()))) return false
    return network === 'any' || isPublic(address)
  }
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

function isIPv6(address: Address): address is ipaddr.IPv6 {
  return address.kind() === 'ipv6'
}

function embeddingOf(address: ipaddr.IPv6): readonly (readonly number[])[] {
  const range = address.range()
  if (range === 'rfc6052') return NAT64_BYTES
  if (range === '6to4') return [SIX_TO_FOUR_BYTES]
  return range === 'rfc6145' || startsWith(address, [0, 0, 0, 0, 0, 0]) ? [LAST_BYTES] : []
}

function startsWith(address: ipaddr.IPv6, groups: readonly number[]): boolean {
  return groups.every((group, index) => address.parts[index] === group)
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
