import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign,
} from 'node:crypto'
import { promisify } from 'node:util'
import { isObject, type OptionTable, objectOption, optional } from '@jwks-auth/core/adapter'
import type { CryptoKey, JWK } from 'jose'
import type { TestKey } from './keys.ts'
import { anyText, checkOptions, valid } from './option-checks.ts'

/** Claims of a token, of any type. One that is `undefined` is left out, a default one too. */
export type TokenClaims = Readonly<Record<string, unknown>>

/** In what a token departs from an ordinary one. */
export interface SignOverrides {
  /** Signs as another key: a published one by its `kid`, or any TestKey. Default: the signing key. */
  readonly key?: string | TestKey
  /** The header's `kid`; `undefined` leaves it out. Default: that of the key. */
  readonly kid?: string | undefined
  /**
   * The header's `alg`; `undefined` leaves it out. Default: that of the key. The signature is made
   * by it where the key can, else by SHA-256 and the key's own type. `none` leaves the
   * signature empty; `HS256` and its like take the public key's PEM for the secret, the
   * confusion of RFC 8725 §2.1.
   */
  readonly alg?: string | undefined
  /** The header's `typ`; `undefined` leaves it out. Default: `JWT`. */
  readonly typ?: string | undefined
  /** Further members of the protected header, such as `crit`, `b64`, `jwk` or `jku`; they win over the others. */
  readonly header?: Readonly<Record<string, unknown>>
  /**
   * Forges: the header stays as it would be, the signature is this key's. A CryptoKey
   * signs by its own algorithm; a private or secret JWK as `alg` says.
   */
  readonly signWith?: CryptoKey | Readonly<JWK>
  /** The payload to the letter, instead of claims: for duplicate members or what is no JSON. */
  readonly payloadText?: string
  /** The protected header to the letter, instead of all of the above. */
  readonly headerText?: string
}

/** What goes into a token. */
export interface TokenParts {
  /** All claims, defaults included. */
  readonly claims: TokenClaims
  /** The key that the header names. */
  readonly key: TestKey
  /** In what it departs from an ordinary token. */
  readonly overrides: SignOverrides
}

const signAsync = promisify(
  (
    hash: string | null,
    data: Uint8Array,
    key: Parameters<typeof sign>[2],
    done: (e: Error | null, s: Buffer) => void,
  ) => sign(hash, data, key, done),
)

const table = {
  key: optional(valid((value) => typeof value === 'string' || isTestKey(value), 'a kid or a TestKey')),
  kid: optional(anyText),
  alg: optional(anyText),
  typ: optional(anyText),
  header: optional(objectOption),
  signWith: optional(valid((value) => isCryptoKey(value) || isObject(value), 'a CryptoKey or a private JWK')),
  payloadText: optional(anyText),
  headerText: optional(anyText),
} satisfies OptionTable<SignOverrides>

function isTestKey(value: unknown): boolean {
  return isObject(value) && isObject(value['privateJwk'])
}

/** Refuses claims and overrides that make no sense. */
export function checkSign(claims: unknown, overrides: unknown): void {
  objectOption('sign: claims', claims)
  checkOptions('sign', overrides, table)
}

/**
 * Makes a JWS in compact form (RFC 7515 §7.1) by hand: libraries rightly refuse to make many of
 * the tokens that a verifier has to refuse. With `b64: false` the payload is the very text
 * between the dots (RFC 7797 §5.2), which comes to the same signing input.
 */
export async function signToken({ claims, key, overrides }: TokenParts): Promise<string> {
  const header = {
    alg: Object.hasOwn(overrides, 'alg') ? overrides.alg : key.alg,
    kid: Object.hasOwn(overrides, 'kid') ? overrides.kid : key.kid,
    typ: Object.hasOwn(overrides, 'typ') ? overrides.typ : 'JWT',
    ...overrides.header,
  }
  const headerText = overrides.headerText ?? JSON.stringify(header)
  const payloadText = overrides.payloadText ?? JSON.stringify(claims)
  const signingInput = `${base64url(headerText)}.${base64url(payloadText)}`
  const alg = typeof header.alg === 'string' ? header.alg : key.alg
  const signature = await makeSignature(alg, overrides.signWith ?? key.privateJwk, Buffer.from(signingInput))
  return `${signingInput}.${base64url(signature)}`
}

async function makeSignature(alg: string, key: CryptoKey | Readonly<JWK>, data: Buffer): Promise<Uint8Array> {
  if (alg.toLowerCase() === 'none') return Buffer.alloc(0)
  if (isCryptoKey(key)) return new Uint8Array(await crypto.subtle.sign(webCryptoParameters(key), key, data))
  const hash = /^(?:RS|PS|ES|HS)(256|384|512)$/.exec(alg)?.[1] ?? '256'
  if (key.kty === 'oct') return hmac(hash, createSecretKey(Buffer.from(key.k ?? '', 'base64url')), data)

  const privateKey = createPrivateKey({ key: { ...key }, format: 'jwk' })
  if (alg.startsWith('HS')) return hmac(hash, createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }), data)
  const type = privateKey.asymmetricKeyType
  if (type === 'ec') return signAsync(`sha${hash}`, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  if (type !== 'rsa') return signAsync(null, data, privateKey)
  return signAsync(`sha${hash}`, data, { key: privateKey, ...(alg.startsWith('PS') ? pssPadding : {}) })
}

/** RFC 7518 §3.5: the salt is as long as the hash. */
const pssPadding = Object.freeze({
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
})

function hmac(hash: string, secret: KeyObject | string | Buffer, data: Buffer): Buffer {
  return createHmac(`sha${hash}`, secret).update(data).digest()
}

/** A CryptoKey is bound to one algorithm, so that only what is left open has to be said. */
function webCryptoParameters(key: CryptoKey): { name: string; hash?: string; saltLength?: number } {
  const { name } = key.algorithm
  if (name === 'ECDSA') {
    const curve = 'namedCurve' in key.algorithm ? key.algorithm.namedCurve : undefined
    return { name, hash: curve === 'P-521' ? 'SHA-512' : curve === 'P-384' ? 'SHA-384' : 'SHA-256' }
  }
  if (name !== 'RSA-PSS') return { name }
  const hash = 'hash' in key.algorithm && isObject(key.algorithm.hash) ? String(key.algorithm.hash.name) : 'SHA-256'
  return { name, saltLength: Number(hash.slice('SHA-'.length)) / 8 }
}

function isCryptoKey(value: unknown): value is CryptoKey {
  return Object.prototype.toString.call(value) === '[object CryptoKey]'
}

function base64url(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
