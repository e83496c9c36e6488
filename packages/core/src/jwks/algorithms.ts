import { constants, type SigningOptions } from 'node:crypto'

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
export function canonicalAlgorithm(alg: string): string {
  return alg === 'EdDSA' ? 'Ed25519' : alg
}
