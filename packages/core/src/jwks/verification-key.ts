import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  type SigningOptions,
  type VerifyKeyObjectInput,
} from 'node:crypto'
import type { JWK } from 'jose'
import { isObject } from '../base/options.ts'
import { type Curve, curveOf, isOnCurve } from './curve.ts'

/** The signature algorithms that a token may have: the asymmetric ones of RFC 7518 §3.1, RFC 8037 and RFC 9864. */
export type SignatureAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'

/** What a key must be for an algorithm, and how a signature is checked with it. */
export interface AlgorithmDefinition {
  /** The key type (RFC 7517 §4.1). */
  readonly kty: 'RSA' | 'EC' | 'OKP'
  /** The curve, where the key type has curves. */
  readonly crv: string | undefined
  /** The hash by its name in `crypto.verify`; `null` for Ed25519, which includes one. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
  /** The options of `crypto.verify` besides the key. */
  readonly signing: Readonly<SigningOptions>
}

const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = constants

function pkcs1(hash: AlgorithmDefinition['hash']): AlgorithmDefinition {
  return { kty: 'RSA', crv: undefined, hash, signing: { padding: RSA_PKCS1_PADDING } }
}

/** RFC 7518 §3.5: the salt is as long as the hash. */
function pss(hash: AlgorithmDefinition['hash'], saltLength: number): AlgorithmDefinition {
  return { kty: 'RSA', crv: undefined, hash, signing: { padding: RSA_PKCS1_PSS_PADDING, saltLength } }
}

/** RFC 7518 §3.4: each curve has its hash, and the signature is R followed by S. */
function ecdsa(crv: string, hash: AlgorithmDefinition['hash']): AlgorithmDefinition {
  return { kty: 'EC', crv, hash, signing: { dsaEncoding: 'ieee-p1363' } }
}

const ed25519: AlgorithmDefinition = { kty: 'OKP', crv: 'Ed25519', hash: null, signing: {} }

const definitions: ReadonlyMap<string, AlgorithmDefinition> = new Map<SignatureAlgorithm, AlgorithmDefinition>([
  ['RS256', pkcs1('sha256')],
  ['RS384', pkcs1('sha384')],
  ['RS512', pkcs1('sha512')],
  ['PS256', pss('sha256', 32)],
  ['PS384', pss('sha384', 48)],
  ['PS512', pss('sha512', 64)],
  ['ES256', ecdsa('P-256', 'sha256')],
  ['ES384', ecdsa('P-384', 'sha384')],
  ['ES512', ecdsa('P-521', 'sha512')],
  ['EdDSA', ed25519],
  ['Ed25519', ed25519],
])

/** Every supported algorithm, which is also the default of the option `algorithms`. */
export const signatureAlgorithms: readonly SignatureAlgorithm[] = Object.freeze([
  ...(definitions.keys() as MapIterator<SignatureAlgorithm>),
])

/** The definition of an algorithm by its exact name; `undefined` for every other name. */
export function algorithmDefinition(alg: string): AlgorithmDefinition | undefined {
  return definitions.get(alg)
}

/** Returns one name for `EdDSA` and `Ed25519`, which are the same algorithm with an Ed25519 key (RFC 9864 §2.2). */
function canonicalAlgorithm(alg: string): string {
  return alg === 'EdDSA' ? 'Ed25519' : alg
}

/**
 * A public key that may verify signatures. The object stays the same as long as the key is published
 * unchanged, so whatever is kept per key (its import, tokens it verified) lives as long as the key.
 */
export interface VerificationKey {
  /**
   * The key in canonical form: only the members that are used, base64url without padding (RFC 7515 §2), integers
   * without leading zero octets (RFC 7518 §6.3.1), coordinates of full length (RFC 7518 §6.2.1.2). Frozen.
   */
  readonly jwk: Readonly<JWK> & {
    /** Entra's extension: whose tokens the key may verify. */
    readonly issuer?: string
  }
  /** The key's id (RFC 7517 §4.5), where it has one. */
  readonly kid: string | undefined
  /** The canonical public key as text: the JSON object that RFC 7638 §3 hashes. */
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
  | 'rsa-exponent' // not odd, or not from 3 to 2^32 - 1
  | 'forgeable' // anyone can make signatures that it verifies
  | 'too-many'
  | 'import-failed'
  | 'immutable' // other material under a `kid` whose key is immutable

/** The outcome of reading one member of `keys`. */
export type KeyReading =
  | { readonly kind: 'key'; readonly key: VerificationKey }
  | { readonly kind: 'not-for-signatures' }
  | {
      readonly kind: 'refused'
      readonly reason: KeyRefusal
      readonly kid: string | undefined
      /** The public key of one with reason `private`, where it can be read: it must not be used under any `kid`. */
      readonly material?: string | undefined
    }

/** The members of a public key, canonical and in the order of RFC 7638 §3.2. */
type PublicMembers =
  | { readonly e: string; readonly kty: 'RSA'; readonly n: string }
  | { readonly crv: string; readonly kty: 'EC'; readonly x: string; readonly y: string }
  | { readonly crv: 'Ed25519'; readonly kty: 'OKP'; readonly x: string }

/** A public key that can be read, with the reason not to use it where there is one. */
interface PublicKey {
  readonly members: PublicMembers
  readonly weakness?: KeyRefusal | undefined
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const PUBLIC_MEMBERS = ['kty', 'kid', 'use', 'alg', 'key_ops', 'issuer', 'crv', 'e', 'n', 'x', 'y']

/** The members of a key set and of its keys that are read; what else is published is ignored (RFC 7517 §4 and §5). */
export const KEY_SET_MEMBERS: readonly string[] = ['keys', ...PUBLIC_MEMBERS, ...PRIVATE_MEMBERS]

const ED25519_OCTETS = 32
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
const MAX_EXPONENT_OCTETS = 4
const SIGN_BIT = 0x80

/** Values of `use` (RFC 7517 §4.2) for signatures; `jwt-svid` is that of SPIFFE's JWT-SVID §6.2. */
const SIGNATURE_USES: ReadonlySet<unknown> = new Set([undefined, 'sig', 'jwt-svid'])

/**
 * The points of Ed25519 whose order divides 8, in hex as RFC 8032 §5.1.2 encodes them, without the sign bit: 0, 1, the
 * two of order 8, -1, and 0 and 1 once more with the prime added. Under such a key anyone can make signatures that
 * OpenSSL verifies (Chalkias, Garillot, Nikolaenko: Taming the Many EdDSAs, 2020).
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

/**
 * Reads one member of a set's `keys` (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2): leniently, as jose and `node:crypto` do,
 * into a canonical key. Never throws for a JSON value.
 */
export function readKey(jwk: unknown): KeyReading {
  if (!isObject(jwk)) return refused('malformed', undefined)
  const kid = jwk['kid'] ?? undefined
  if (kid !== undefined && typeof kid !== 'string') return refused('malformed', undefined)
  const { kty } = jwk
  if (typeof kty !== 'string') return refused('malformed', kid)
  if (kty === 'oct') return refused('symmetric', kid)
  const publicKey = readPublicKey(kty, jwk)
  if (PRIVATE_MEMBERS.some((name) => presentMember(jwk, name) !== undefined)) {
    const material = publicKey && JSON.stringify(publicKey.members)
    return { kind: 'refused', reason: 'private', kid, material }
  }
  if (!isForSignatures(jwk)) return { kind: 'not-for-signatures' }
  if (publicKey === undefined) return isForeign(kty, jwk) ? { kind: 'not-for-signatures' } : refused('malformed', kid)
  if (publicKey.weakness !== undefined) return refused(publicKey.weakness, kid)
  return { kind: 'key', key: verificationKey(publicKey.members, kid, jwk) }
}

/** True when the key may check a signature of this algorithm (RFC 7517 §4.4, RFC 8725 §3.1). */
export function fitsAlgorithm(key: VerificationKey, alg: string): boolean {
  const definition = algorithmDefinition(alg)
  if (definition === undefined || key.jwk.kty !== definition.kty) return false
  if (definition.crv !== undefined && key.jwk.crv !== definition.crv) return false
  return key.jwk.alg === undefined || canonicalAlgorithm(key.jwk.alg) === canonicalAlgorithm(alg)
}

/** The key's RFC 7638 thumbprint by SHA-256, in base64url. Every encoding of a key has the same one. */
export function thumbprintOf({ material }: Pick<VerificationKey, 'material'>): string {
  return createHash('sha256').update(material).digest('base64url')
}

function refused(reason: KeyRefusal, kid: string | undefined): KeyReading {
  return { kind: 'refused', reason, kid }
}

/** A member's value; `undefined` for the values by which serialisers write that there is none. */
function presentMember(jwk: Readonly<Record<string, unknown>>, name: string): unknown {
  const value = jwk[name]
  return value === null || value === '' || (Array.isArray(value) && value.length === 0) ? undefined : value
}

/** `use` and `key_ops` (RFC 7517 §4.2 and §4.3), and an `alg` that is a signature algorithm. */
function isForSignatures(jwk: Readonly<Record<string, unknown>>): boolean {
  const operations = presentMember(jwk, 'key_ops')
  const alg = presentMember(jwk, 'alg')
  if (!SIGNATURE_USES.has(presentMember(jwk, 'use'))) return false
  if (operations !== undefined && !(isStringList(operations) && operations.includes('verify'))) return false
  return alg === undefined || (typeof alg === 'string' && algorithmDefinition(alg) !== undefined)
}

/** True for key types and curves that no supported algorithm has (AKP, secp256k1, X25519): valid, but not usable here. */
function isForeign(kty: string, { crv }: Readonly<Record<string, unknown>>): boolean {
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return true
  return kty !== 'RSA' && typeof crv === 'string' && crv !== '' && crv !== 'Ed25519' && curveOf(crv) === undefined
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** The public key in canonical form; `undefined` where it cannot be read. */
function readPublicKey(kty: string, jwk: Readonly<Record<string, unknown>>): PublicKey | undefined {
  const { crv } = jwk
  const [e, n, x, y] = [octetsOf(jwk['e']), octetsOf(jwk['n']), octetsOf(jwk['x']), octetsOf(jwk['y'])]
  if (kty === 'RSA') {
    if (e === undefined || n === undefined) return undefined
    const [exponent, modulus] = [withoutLeadingZeros(e), withoutLeadingZeros(n)]
    const members = { e: exponent.toString('base64url'), kty, n: modulus.toString('base64url') } as const
    return { members, weakness: rsaWeakness(exponent, modulus) }
  }
  if (kty === 'EC') {
    const curve = curveOf(crv)
    if (typeof crv !== 'string' || curve === undefined) return undefined
    const [px, py] = [coordinateOf(x, curve), coordinateOf(y, curve)]
    if (px === undefined || py === undefined || !isOnCurve(curve, px, py)) return undefined
    return { members: { crv, kty, x: px.toString('base64url'), y: py.toString('base64url') } }
  }
  if (kty !== 'OKP' || crv !== 'Ed25519' || x?.length !== ED25519_OCTETS) return undefined
  return { members: { crv, kty, x: x.toString('base64url') }, weakness: hasSmallOrder(x) ? 'forgeable' : undefined }
}

/** Decodes as `createPublicKey` does: either alphabet, with or without padding, line breaks ignored. */
function octetsOf(value: unknown): Buffer | undefined {
  const octets = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined
  return octets === undefined || octets.length === 0 ? undefined : octets
}

function withoutLeadingZeros(octets: Buffer): Buffer {
  let first = 0
  while (octets[first] === 0) first += 1
  return octets.subarray(first)
}

/** A coordinate in the full length of its curve (RFC 7518 §6.2.1.2); `undefined` for a number that is longer. */
function coordinateOf(octets: Buffer | undefined, curve: Curve): Buffer | undefined {
  const significant = octets && withoutLeadingZeros(octets)
  if (significant === undefined || significant.length > curve.octets) return undefined
  return Buffer.concat([Buffer.alloc(curve.octets - significant.length), significant])
}

/**
 * Keys under 2048 bits are too weak (RFC 7518 §3.3); above 8192 bits, or with a long exponent, one verification costs
 * too much. With the exponent 1, which RFC 8017 §3.1 rules out, the padded message is its own signature.
 */
function rsaWeakness(exponent: Buffer, modulus: Buffer): KeyRefusal | undefined {
  const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24)
  if (modulus.length === 0 || bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return 'rsa-size'
  if (exponent.length === 0 || exponent.length > MAX_EXPONENT_OCTETS) return 'rsa-exponent'
  const value = exponent.readUIntBE(0, exponent.length)
  if (value === 1) return 'forgeable'
  return value % 2 === 0 ? 'rsa-exponent' : undefined
}

function hasSmallOrder(x: Buffer): boolean {
  const point = Buffer.from(x)
  point[ED25519_OCTETS - 1] = (point[ED25519_OCTETS - 1] ?? 0) & ~SIGN_BIT
  return SMALL_ORDER_POINTS.has(point.toString('hex'))
}

/** Keeps flat members only, so that a key can be serialised whatever else was published with it. */
function verificationKey(
  members: PublicMembers,
  kid: string | undefined,
  jwk: Readonly<Record<string, unknown>>,
): VerificationKey {
  const [alg, use, operations] = [presentMember(jwk, 'alg'), presentMember(jwk, 'use'), presentMember(jwk, 'key_ops')]
  // Entra's extension: whose tokens the key may verify. Of another type, it restricts nothing.
  const issuer = presentMember(jwk, 'issuer')
  const material = JSON.stringify(members)
  const kept: JWK & { issuer?: string } = { ...members }
  if (kid !== undefined) kept.kid = kid
  if (typeof alg === 'string') kept.alg = alg
  if (typeof use === 'string') kept.use = use
  if (isStringList(operations)) kept.key_ops = [...new Set(operations)]
  if (typeof issuer === 'string') kept.issuer = issuer
  const identity = material + JSON.stringify([kept.kid, kept.alg, kept.use, kept.key_ops, kept.issuer])
  return { jwk: Object.freeze(kept), kid, material, identity }
}

/** A public key for one algorithm. */
export interface ImportedKey {
  /** The key, as `jose.jwtVerify` takes it. */
  readonly keyObject: KeyObject
  /** The hash of its algorithm, for `crypto.verify`. */
  readonly hash: AlgorithmDefinition['hash']
  /** The key for `crypto.verify`, with padding or encoding of its algorithm. */
  readonly verifyInput: VerifyKeyObjectInput
}

/** Imports keys on first use, once for each key and algorithm, for as long as the key is cached. */
export interface KeyImporter {
  /**
   * Imports a key.
   *
   * @param alg an algorithm that the key fits
   * @returns `undefined` for an unsupported algorithm, and for a key that this build of OpenSSL refuses
   */
  importKey(key: VerificationKey, alg: string): ImportedKey | undefined
}

/** Creates the importer that a registry's providers share. It holds keys weakly: an import goes with its key. */
export function createKeyImporter(): KeyImporter {
  const importedKeys = new WeakMap<VerificationKey, Map<string, ImportedKey | undefined>>()
  return {
    importKey(key, alg) {
      const name = canonicalAlgorithm(alg)
      const byAlgorithm = importedKeys.get(key) ?? new Map<string, ImportedKey | undefined>()
      if (byAlgorithm.has(name)) return byAlgorithm.get(name)
      const imported = importPublicKey(key, name)
      importedKeys.set(key, byAlgorithm.set(name, imported))
      return imported
    },
  }
}

/** `createPublicKey` takes 10 µs for RSA and Ed25519, 80 µs for P-256 and 1 ms for P-521. */
function importPublicKey({ jwk }: VerificationKey, alg: string): ImportedKey | undefined {
  const definition = algorithmDefinition(alg)
  if (definition === undefined) return undefined
  try {
    const keyObject = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    return { keyObject, hash: definition.hash, verifyInput: { ...definition.signing, key: keyObject } }
  } catch {
    return undefined
  }
}
