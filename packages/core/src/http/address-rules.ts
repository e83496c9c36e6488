import { BlockList, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

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
 * Where clouds answer with their machines' credentials: AWS, Azure, GCP and most others; ECS tasks; Alibaba;
 * Azure's wire server; Oracle; and AWS's and GCP's over IPv6.
 */
const CLOUD_METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
]

/** Compiles the rules; `allowAddresses` must have passed {@link isAddressOrBlock}. */
export function createAddressCheck({ network, allowAddresses }: AddressRules): AddressCheck {
  const exempt = blockList(allowAddresses)
  const metadata = blockList(CLOUD_METADATA)
  return (text) => {
    // process() unwraps ::ffff:a.b.c.d, so that a mapped address is judged as the IPv4 address that it is.
    const address = ipaddr.process(withoutZone(text))
    const canonical = address.toString()
    if (exempt.check(canonical, address.kind())) return true
    if (metadata.check(canonical, address.kind()) || metadata.check(translatedAddress(address))) return false
    return network === 'any' || isPublic(address)
  }
}

/** The IPv4 address that a NAT64 makes of this one, in its last 32 bits (RFC 6052 §2.2); otherwise the unspecified one. */
function translatedAddress(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (address instanceof ipaddr.IPv4 || address.range() !== 'rfc6052') return '0.0.0.0'
  return ipaddr.fromByteArray(address.toByteArray().slice(12)).toString()
}

/** True for an IP address or a CIDR block. */
export function isAddressOrBlock(text: string): boolean {
  return isIP(text) !== 0 || (text.includes('/') && isIP(text.split('/')[0] ?? '') !== 0 && ipaddr.isValidCIDR(text))
}

/** By IANA's special-purpose registries; of IPv6 only 2000::/3 is assigned for global unicast (RFC 4291 §2.4). */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4 || ((address.parts[0] ?? 0) & 0xe000) === 0x2000
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    if (entry.includes('/')) {
      const [base, bits] = ipaddr.parseCIDR(entry)
      list.addSubnet(base.toString(), bits, base.kind())
    } else {
      const address = ipaddr.process(entry)
      list.addAddress(address.toString(), address.kind())
    }
  }
  return list
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}
