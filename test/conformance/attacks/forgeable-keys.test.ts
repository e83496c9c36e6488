import { createHash, type JsonWebKey } from 'node:crypto'
import { startAuthenticatorFor, startIssuer, startRegistryWith, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { readKey } from '../../../packages/core/src/jwks/verification-key.ts'
import { collectRefusals } from '../refused-keys.ts'

/** The prime of edwards25519, and a y of the points of order 8; the other one is the prime less this. */
const prime = (1n << 255n) - 19n
const order8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n

/** Every encoding of a point whose order divides 8: sixteen less the ones that do not fit. */
const smallOrderPoints: readonly Buffer[] = [0n, 1n, order8, prime - order8, prime - 1n, prime, prime + 1n].flatMap(
  (y) => [0, 0x80].map((sign) => encodePoint(y, sign)),
)

/** The points of small order themselves, one encoding of each. */
const torsion: readonly Buffer[] = [
  encodePoint(1n, 0),
  encodePoint(prime - 1n, 0),
  ...[0n, order8, prime - order8].flatMap((y) => [0, 0x80].map((sign) => encodePoint(y, sign))),
]

/** RFC 8032 §5.1.2. */
function encodePoint(y: bigint, sign: number): Buffer {
  const bytes = Buffer.from(Buffer.from(y.toString(16).padStart(64, '0'), 'hex').toReversed())
  bytes[31] = (bytes[31] ?? 0) | sign
  return bytes
}

function ed25519Key(point: Buffer): JsonWebKey {
  return { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') }
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Signs without a private key: S = 0, and for one message in eight at most, R is the point that makes it right. */
async function forgeEdDsa(jwk: JsonWebKey, claims: object): Promise<string | undefined> {
  const key = await crypto.subtle.importKey('jwk', jwk, 'Ed25519', false, ['verify'])
  for (let jti = 0; jti < 64; jti += 1) {
    const input = `${segment({ alg: 'EdDSA', kid: 'forgeable' })}.${segment({ ...claims, jti: String(jti) })}`
    for (const r of torsion) {
      const signature = Buffer.concat([r, Buffer.alloc(32)])
      if (await crypto.subtle.verify('Ed25519', key, signature, Buffer.from(input)).catch(() => false)) {
        return `${input}.${signature.toString('base64url')}`
      }
    }
  }
  return undefined
}

/** Signs without a private key where e = 1: the signature is the padded hash (RFC 8017 §9.2). */
function forgeRsa(claims: object): string {
  const input = `${segment({ alg: 'RS256', kid: 'forgeable' })}.${segment(claims)}`
  const digest = Buffer.concat([
    Buffer.from('3031300d060960864801650304020105000420', 'hex'),
    createHash('sha256').update(input).digest(),
  ])
  const padding = Buffer.alloc(256 - 3 - digest.length, 0xff)
  const signature = Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), digest])
  return `${input}.${signature.toString('base64url')}`
}

/** Starts an issuer that publishes a key beside a good one. */
async function publish(key: JsonWebKey) {
  const issuer = await startIssuer()
  issuer.setJwks({ keys: [{ ...key, kid: 'forgeable' }, issuer.signingKey.publicJwk] })
  return { issuer, claims: { iss: issuer.issuer, aud: 'https://api.example', exp: 9_999_999_999 } }
}

describe.each(smallOrderPoints.map((point) => [point.toString('hex'), ed25519Key(point)] as const))(
  'the Ed25519 key %s, of small order',
  (_, key) => {
    it('is refused', () => {
      expect(readKey(key)).toMatchObject({ kind: 'refused', reason: 'forgeable' })
    })

    it('verifies no token', async () => {
      const { issuer, claims } = await publish(key)
      const authenticator = startAuthenticatorFor(issuer)
      // Where Web Crypto refuses such a key by itself, there is nothing to forge.
      const forged = (await forgeEdDsa(key, claims).catch(() => undefined)) ?? 'e30.e30.AA'
      expect(await verdict(authenticator, forged)).toMatch(/^ERR_(KEY_NOT_FOUND|TOKEN_MALFORMED)$/)
      expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    })
  },
)

describe('an RSA key with the exponent 1', () => {
  const n = Buffer.alloc(256, 0xff).toString('base64url')

  it.each(['AQ', 'AAE', 'AAAAAQ', 'AR', 'AQ==', 'AA AB'])('verifies no token where it is written as %j', async (e) => {
    const { issuer, claims } = await publish({ kty: 'RSA', n, e })
    const authenticator = startAuthenticatorFor(issuer)
    expect(await verdict(authenticator, forgeRsa(claims))).toBe('ERR_KEY_NOT_FOUND')
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
  })

  it('is reported in an event', async () => {
    const { issuer } = await publish({ kty: 'RSA', n, e: 'AQ' })
    const registry = await startRegistryWith(issuer)
    const refusals = collectRefusals(registry)
    await registry.resolve('acme', 'auth0')
    expect(refusals).toEqual([{ kid: 'forgeable', reason: 'forgeable' }])
  })

  it.each(['Aw', 'AQAB', 'AQE'])('is not one with the exponent %s', (e) => {
    expect(readKey({ kty: 'RSA', n, e }).kind).toBe('key')
  })
})

describe('an RSA key that makes verification expensive', () => {
  const n = Buffer.alloc(1_024, 0xff).toString('base64url')

  it.each([
    ['an exponent of 8 191 bits', Buffer.alloc(1_023, 0xff).toString('base64url')],
    ['an exponent of 33 bits', 'AQAAAAE'],
    ['an even exponent', 'AQAA'],
    ['the exponent 0', 'AAAA'],
  ])('is refused with an event, and its neighbour verifies: %s', async (_, e) => {
    const { issuer } = await publish({ kty: 'RSA', n, e })
    const registry = await startRegistryWith(issuer)
    const refusals = collectRefusals(registry)
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual([issuer.signingKey.kid])
    expect(refusals).toEqual([{ kid: 'forgeable', reason: 'rsa-exponent' }])
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign())).toBe('accepted')
  })
})
