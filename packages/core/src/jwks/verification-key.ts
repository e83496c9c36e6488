import type { JWK } from 'jose'
import { algorithmDefinition, canonicalAlgorithm } from './algorithms.ts'

/**
 * A public key that may verify signatures. The object stays the same as long as the key is published
 * unchanged, so whatever is kept per key (its import, tokens it verified) lives and dies with it.
 */
export interface VerificationKey {
  /** The key as it was published. */
  readonly jwk: Readonly<JWK>
  /** The key's id (RFC 7517 §4.5), where it has one. */
  readonly kid: string | undefined
  /** The public key itself, as text: the required members of RFC 7638 §3.2. */
  readonly material: string
  /** Material and everything that restricts its use: two keys with the same identity are one key. */
  readonly identity: string
}

/** Why a published key is not used. */
export type KeyRefusal =
  | 'malformed'
  | 'private' // published with its private half (RFC 7517 §9.2): the key is compromised
  | 'symmetric'
  | 'rsa-size'
  | 'forgeable' // anybody can make signatures that it verifies
  | 'too-many'
  | 'import-failed'
  | 'immutable' // other material under a `kid` that is held for good

/** The outcome of looking at one member of `keys`. */
export type KeyReading =
  | { readonly kind: 'key'; readonly key: VerificationKey }
  | { readonly kind: 'not-for-signatures' }
  | {
      readonly kind: 'refused'
      readonly reason: KeyRefusal
      readonly kid: string | undefined
      /** The public part, where it could be read: a copy of it that is held must go, too. */
      readonly material?: string | undefined
    }

const BASE64URL = /^[A-Za-z0-9_-]+$/
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const COORDINATE_BYTES: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
const SIGN_BIT = 0x80

/**
 * The points of Ed25519 whose order divides 8, in hex as RFC 8032 §5.1.2 encodes them, without the sign bit: 0, 1, the
 * two of order 8, -1, and 0 and 1 once more with the prime added. Under such a key anybody can make signatures that
 * OpenSSL verifies, and Web Crypto with it on Node 20, not on Node 26 (Chalkias, Garillot, Nikolaenko: Taming the Many
 * EdDSAs, 2020).
 */
const SMALL_ORDER_POINTS: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** Reads one member of a set's `keys` (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). */
export function readKey(member: unknown): KeyReading {
  if (typeof member !== 'object' || member === null || Array.isArray(member)) return refused('malformed', undefined)
  const jwk = member as Record<string, unknown>
  const kid = typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined
  if (jwk['kid'] !== undefined && kid === undefined) return refused('malformed', undefined)
  const { kty } = jwk
  if (typeof kty !== 'string') return refused('malformed', kid)
  if (kty === 'oct') return refused('symmetric', kid)
  const material = publicMaterial(kty, jwk)
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) return { kind: 'refused', reason: 'private', kid, material }
  if (!isForSignatures(jwk)) return { kind: 'not-for-signatures' }
  if (material === undefined) {
    return kty === 'RSA' || kty === 'EC' || kty === 'OKP' ? unusable(jwk, kid) : { kind: 'not-for-signatures' }
  }
  if (kty === 'RSA' && !hasAllowedModulus(jwk['n'] as string)) return refused('rsa-size', kid)
  if (kty === 'RSA' && hasExponentOne(jwk['e'] as string)) return refused('forgeable', kid)
  if (kty === 'OKP' && hasSmallOrder(jwk['x'] as string)) return refused('forgeable', kid)
  return { kind: 'key', key: verificationKey(jwk, kid, material) }
}

/** True when the key may check a signature of this algorithm (RFC 7517 §4.4, RFC 8725 §3.1). */
export function fitsAlgorithm(key: VerificationKey, alg: string): boolean {
  const definition = algorithmDefinition(alg)
  if (definition === undefined || key.jwk.kty !== definition.kty) return false
  if (definition.crv !== undefined && key.jwk.crv !== definition.crv) return false
  return key.jwk.alg === undefined || canonicalAlgorithm(key.jwk.alg) === canonicalAlgorithm(alg)
}

function refused(reason: KeyRefusal, kid: string | undefined): KeyReading {
  return { kind: 'refused', reason, kid }
}

/** Curves that no signature algorithm here has (secp256k1, X25519, Ed448) are other people's keys, not broken ones. */
function unusable(jwk: Readonly<Record<string, unknown>>, kid: string | undefined): KeyReading {
  const { crv } = jwk
  const foreignCurve = typeof crv === 'string' && crv !== 'Ed25519' && COORDINATE_BYTES[crv] === undefined
  return foreignCurve ? { kind: 'not-for-signatures' } : refused('malformed', kid)
}

/** `use` and `key_ops` (RFC 7517 §4.2 and §4.3), and an `alg` that is for signatures at all. */
function isForSignatures(jwk: Readonly<Record<string, unknown>>): boolean {
  const { use, key_ops: operations, alg } = jwk
  if (use !== undefined && use !== 'sig') return false
  if (operations !== undefined && !(isStringList(operations) && operations.includes('verify'))) return false
  return alg === undefined || (typeof alg === 'string' && algorithmDefinition(alg) !== undefined)
}

/** The members that make up the public key, in the order of RFC 7638 §3.2; `undefined` where one is not in form. */
function publicMaterial(kty: string, jwk: Readonly<Record<string, unknown>>): string | undefined {
  const { crv, e, n, x, y } = jwk
  if (kty === 'RSA') return isBase64url(e) && isBase64url(n) ? JSON.stringify({ e, kty, n }) : undefined
  if (kty === 'EC') {
    const size = typeof crv === 'string' ? COORDINATE_BYTES[crv] : undefined
    if (size === undefined || !hasBytes(x, size) || !hasBytes(y, size)) return undefined
    return JSON.stringify({ crv, kty, x, y })
  }
  if (kty === 'OKP' && crv === 'Ed25519' && hasBytes(x, 32)) return JSON.stringify({ crv, kty, x })
  return undefined
}

/** What else it may be, `identity` could not be made of it if it nested deeply enough. */
function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isBase64url(value: unknown): value is string {
  return typeof value === 'string' && BASE64URL.test(value)
}

function hasBytes(value: unknown, bytes: number): boolean {
  return isBase64url(value) && Buffer.from(value, 'base64url').length === bytes
}

/** Keys under 2048 bits are too weak (RFC 7518 §3.3); past 8192 bits one verification costs too much. */
function hasAllowedModulus(n: string): boolean {
  const bytes = Buffer.from(n, 'base64url')
  const first = bytes.findIndex((byte) => byte !== 0)
  if (first < 0) return false
  const bits = (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24)
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
}

/** With the exponent 1, which RFC 8017 §3.1 rules out, the padded message is its own signature. */
function hasExponentOne(e: string): boolean {
  return BigInt(`0x0${Buffer.from(e, 'base64url').toString('hex')}`) === 1n
}

function hasSmallOrder(x: string): boolean {
  const bytes = Buffer.from(x, 'base64url')
  bytes[31] = (bytes[31] ?? 0) & ~SIGN_BIT
  return SMALL_ORDER_POINTS.has(bytes.toString('hex'))
}

function verificationKey(jwk: JWK, kid: string | undefined, material: string): VerificationKey {
  // Not part of RFC 7517, but of whose tokens the key may verify. Of another type, it restricts nothing.
  const issuer: unknown = 'issuer' in jwk && typeof jwk.issuer === 'string' ? jwk.issuer : undefined
  const identity = JSON.stringify([material, kid, jwk.alg, jwk.use, jwk.key_ops, issuer])
  return { jwk: Object.freeze({ ...jwk }), kid, material, identity }
}
