/** The signature algorithms that a token may have: asymmetric ones of RFC 7518 §3.1, RFC 8037 and RFC 9864. */
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

/** What Web Crypto's `verify` takes beside the key. */
export type VerifyParameters =
  | { readonly name: 'RSASSA-PKCS1-v1_5' | 'Ed25519' }
  | { readonly name: 'RSA-PSS'; readonly saltLength: number }
  | { readonly name: 'ECDSA'; readonly hash: string }

/** What a key must be for an algorithm, and how a signature is checked with it. */
export interface AlgorithmDefinition {
  /** The key type (RFC 7517 §4.1). */
  readonly kty: 'RSA' | 'EC' | 'OKP'
  /** The curve, where the key type has curves. */
  readonly crv: string | undefined
  /** For `crypto.subtle.verify`. */
  readonly verifyParameters: VerifyParameters
}

const pkcs1: AlgorithmDefinition = { kty: 'RSA', crv: undefined, verifyParameters: { name: 'RSASSA-PKCS1-v1_5' } }
const ed25519: AlgorithmDefinition = { kty: 'OKP', crv: 'Ed25519', verifyParameters: { name: 'Ed25519' } }

/** RFC 7518 §3.5: the salt is as long as the hash. */
function pss(saltLength: number): AlgorithmDefinition {
  return { kty: 'RSA', crv: undefined, verifyParameters: { name: 'RSA-PSS', saltLength } }
}

/** RFC 7518 §3.4: each curve has its hash. */
function ecdsa(crv: string, hash: string): AlgorithmDefinition {
  return { kty: 'EC', crv, verifyParameters: { name: 'ECDSA', hash } }
}

const definitions: ReadonlyMap<string, AlgorithmDefinition> = new Map<SignatureAlgorithm, AlgorithmDefinition>([
  ['RS256', pkcs1],
  ['RS384', pkcs1],
  ['RS512', pkcs1],
  ['PS256', pss(32)],
  ['PS384', pss(48)],
  ['PS512', pss(64)],
  ['ES256', ecdsa('P-256', 'SHA-256')],
  ['ES384', ecdsa('P-384', 'SHA-384')],
  ['ES512', ecdsa('P-521', 'SHA-512')],
  ['EdDSA', ed25519],
  ['Ed25519', ed25519],
])

/** Every algorithm that may be allowed, which is also the default of the option `algorithms`. */
export const signatureAlgorithms: readonly SignatureAlgorithm[] = Object.freeze([
  ...(definitions.keys() as MapIterator<SignatureAlgorithm>),
])

/** The definition of an algorithm by its exact name; `undefined` for every other name. */
export function algorithmDefinition(alg: string): AlgorithmDefinition | undefined {
  return definitions.get(alg)
}

/** `EdDSA` and `Ed25519` say the same of an Ed25519 key (RFC 9864 §2.2); one name for both. */
export function canonicalAlgorithm(alg: string): string {
  return alg === 'EdDSA' ? 'Ed25519' : alg
}
