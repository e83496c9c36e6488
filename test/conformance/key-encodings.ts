import fc from 'fast-check'

/** A JWK as it is published. */
export type PublishedKey = Readonly<Record<string, unknown>>

/** Members of which `null`, an empty string and an empty list mean that there is none. */
const optionalMembers = ['alg', 'use', 'key_ops', 'issuer', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Members that are read; every other one is ignored. */
const readMembers = new Set([...optionalMembers, 'kty', 'kid', 'crv', 'x', 'y', 'n', 'e'])

const extraMembers = fc.dictionary(
  fc.oneof(fc.constantFrom('x5c', 'x5t', 'x5u', 'nbf', '__proto__'), fc.string()),
  fc.jsonValue(),
  { maxKeys: 4 },
)

/** Other ways to write base64url text that `createPublicKey` reads as the same octets. */
function spellings(octets: Buffer): fc.Arbitrary<string> {
  const text = octets.toString('base64url')
  const padding = '='.repeat((4 - (text.length % 4)) % 4)
  return fc.constantFrom(text, `${text}${padding}`, octets.toString('base64'), text.replaceAll(/.{1,64}/g, '$&\r\n'))
}

/** Other ways to write an integer: with zero octets in front, or without those that it has. */
function integers(value: unknown): fc.Arbitrary<string> {
  const octets = Buffer.from(String(value), 'base64url')
  const significant = octets.subarray(octets.findIndex((octet) => octet !== 0))
  const shapes = [
    octets,
    significant,
    Buffer.concat([Buffer.alloc(1), octets]),
    Buffer.concat([Buffer.alloc(9), octets]),
  ]
  return fc.constantFrom(...shapes).chain(spellings)
}

/** Every other way to publish a key: the same octets, other text, other members that restrict nothing, in any order. */
export function reencodings(key: PublishedKey): fc.Arbitrary<PublishedKey> {
  const material = Object.entries(key)
    .filter(([name]) => ['x', 'y', 'n', 'e'].includes(name))
    .map(([name, value]) => {
      const octets = Buffer.from(String(value), 'base64url')
      return (key['kty'] === 'OKP' ? spellings(octets) : integers(value)).map((text) => [name, text] as const)
    })
  const absent = fc.dictionary(
    fc.constantFrom(...optionalMembers.filter((name) => !(name in key))),
    fc.constantFrom<unknown>(null, '', []),
  )
  return fc
    .tuple(fc.tuple(...material), absent, extraMembers, fc.infiniteStream(fc.nat()))
    .map(([encoded, none, extra, order]) => {
      const unread = Object.entries(extra).filter(([name]) => !readMembers.has(name))
      const members = new Map<string, unknown>([...unread, ...Object.entries(none), ...Object.entries(key), ...encoded])
      const shuffled = [...members]
        .map((member) => ({ member, at: order.next().value }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ member }) => member)
      return Object.fromEntries(shuffled)
    })
}
