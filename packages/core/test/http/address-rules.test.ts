import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { createAddressCheck, isAddressOrBlock } from '../../src/http/addresses.ts'

const isPublic = createAddressCheck({ network: 'public', allowAddresses: [] })
const isAny = createAddressCheck({ network: 'any', allowAddresses: [] })

const reachable = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.0',
  '172.32.0.1',
  '192.0.1.1',
  '2606:4700::1111',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
  '64:ff9b::808:808',
]

const special = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.1.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:10.0.0.1',
  '::127.0.0.1',
  '::8.8.8.8',
  '::808:808',
  '::ffff:0:8.8.8.8',
  '64:ff9b::127.0.0.1',
  '64:ff9b::a00:1',
  '64:ff9b:0:0:1::808:808',
  '64:ff9b:1::8.8.8.8',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:808:808::1',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
]

const metadata = [
  '169.254.169.254',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '64:ff9b::169.254.169.254',
  '64:ff9b:1::a9fe:a9fe',
  '64:ff9b:1:a9fe:a9:fe00::',
  '64:ff9b:1:a9:fe:a9fe::',
  '64:ff9b:1:0:a9:fea9:fe00::',
  '::169.254.169.254',
  '::a9fe:a9fe',
  '::ffff:0:a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  'fe80::a9fe:a9fe%eth0',
  '169.254.0.23',
  '169.254.42.42',
  'fd00:42::42',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2:0:0::254',
  'fd00:ec2::23',
  'fd20:ce::254',
]

describe("network 'public'", () => {
  it.each(reachable)('allows %s', (address) => {
    expect(isPublic(address)).toBe(true)
  })

  it.each([...special, ...metadata])('refuses %s', (address) => {
    expect(isPublic(address)).toBe(false)
  })
})

describe("network 'any'", () => {
  it.each([...reachable, ...special])('allows %s', (address) => {
    expect(isAny(address)).toBe(true)
  })

  it.each(metadata)("refuses %s, a cloud's metadata service", (address) => {
    expect(isAny(address)).toBe(false)
  })
})

/** The same rules by the tables of ipaddr.js: whether an address is public. */
function isPublicByIpaddr(text: string): boolean {
  const address = ipaddr.process(text)
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast'
  if (address.match(ipaddr.IPv6.parse('64:ff9b::'), 96)) {
    return new ipaddr.IPv4(address.toByteArray().slice(12)).range() === 'unicast'
  }
  return address.range() === 'unicast' && address.match(ipaddr.IPv6.parse('2000::'), 3)
}

type Block = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** The first and last address of every block that ipaddr.js knows, and their neighbours, as bytes. */
const edges = [ipaddr.IPv4, ipaddr.IPv6].flatMap(({ prototype }) => {
  // Its types leave them out.
  const ranges = (prototype as unknown as { SpecialRanges: Record<string, Block | readonly Block[]> }).SpecialRanges
  return Object.values(ranges)
    .flatMap((range) => (isBlock(range) ? [range] : range))
    .flatMap(([base, length]) => {
      const bytes = base.toByteArray()
      const first = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
      const end = 1n << BigInt(bytes.length * 8)
      const size = end >> BigInt(length)
      return [first - 1n, first, first + size - 1n, first + size]
        .filter((value) => value >= 0n && value < end)
        .map((value) => [...Buffer.from(value.toString(16).padStart(bytes.length * 2, '0'), 'hex')])
    })
})

function isBlock(range: Block | readonly Block[]): range is Block {
  return typeof range[1] === 'number'
}

describe('the blocks that are not public', () => {
  const bytes = (length: number) => fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length })
  const ipv4 = bytes(4)
  const ipv6 = fc.oneof(
    bytes(16),
    // Most of what is random is reserved.
    bytes(15).map((rest) => [0x20, ...rest]),
    bytes(14).map((rest) => [0x20, 0x01, ...rest]),
    ipv4.map((last) => [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, ...last]),
    ipv4.map((last) => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...last]),
  )
  const check = (each: number[]) => {
    const address = ipaddr.fromByteArray(each)
    for (const text of [address.toString(), address.toNormalizedString()]) {
      expect(isPublic(text), text).toBe(isPublicByIpaddr(text) && isAny(text))
    }
  }

  it('begin and end where those of ipaddr.js do', () => {
    expect(edges.length).toBeGreaterThan(100)
    for (const each of edges) check(each)
  })

  it('are those of ipaddr.js', () => {
    fc.assert(fc.property(fc.oneof(ipv4, ipv6), check), { numRuns: 5_000 })
  })
})

describe('allowAddresses', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.0.0/16', '10.1.255.255', true],
    ['10.1.0.0/16', '10.2.0.0', false],
    ['10.1.0.0/16', '::ffff:10.1.2.3', true],
    ['::ffff:10.1.2.3', '10.1.2.3', true],
    ['fd00:1::/32', 'fd00:1:ffff::1', true],
    ['fd00:1::/32', 'fd00:2::1', false],
    ['FE80::1', 'fe80::1', true],
    ['169.254.169.254', '169.254.169.254', true],
    ['0.0.0.0/0', '127.0.0.1', true],
    ['0.0.0.0/0', '::1', false],
  ])('with %s says of %s: %s', (entry, address, allowed) => {
    const isAllowed = createAddressCheck({ network: 'public', allowAddresses: [entry] })
    expect(isAllowed(address)).toBe(allowed)
  })
})

describe('an entry of allowAddresses', () => {
  it.each(['127.0.0.1', '10.0.0.0/8', '10.0.0.0/32', '::1', 'fd00::/8', 'fd00::/128', '0.0.0.0/0'])(
    'may be %s',
    (text) => {
      expect(isAddressOrBlock(text)).toBe(true)
      // What may be an entry can be compiled.
      expect(createAddressCheck({ network: 'public', allowAddresses: [text] })).toBeTypeOf('function')
    },
  )

  it.each([
    'localhost',
    '127.1',
    '0x7f.0.0.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '/8',
    'fd00::/129',
    '*',
    '1',
  ])('may not be %s', (text) => {
    expect(isAddressOrBlock(text)).toBe(false)
  })
})
