import { createPublicKey, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto'
import { type AlgorithmDefinition, algorithmDefinition, canonicalAlgorithm } from './algorithms.ts'
import type { VerificationKey } from './verification-key.ts'

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
