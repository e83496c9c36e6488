import { KeyObject, type VerifyKeyObjectInput } from 'node:crypto'
import { type CryptoKey, importJWK } from 'jose'
import { type AlgorithmDefinition, algorithmDefinition, canonicalAlgorithm } from './algorithms.ts'
import type { VerificationKey } from './verification-key.ts'

/** A public key for one algorithm. */
export interface ImportedKey {
  /** As jose takes it. */
  readonly cryptoKey: CryptoKey
  /** The hash of its algorithm, for `crypto.verify`. */
  readonly hash: AlgorithmDefinition['hash']
  /** The key for `crypto.verify`, with padding or encoding of its algorithm. */
  readonly verifyInput: VerifyKeyObjectInput
}

/** Imports keys on first use, once for each key and algorithm, for as long as the key is held. */
export interface KeyImporter {
  /** The imported key, at once when it was imported before. Rejects when Web Crypto refuses the key. */
  importKey(key: VerificationKey, alg: string): ImportedKey | Promise<ImportedKey>
}

/** One importer serves a registry: what it keeps hangs on the key objects and goes with them. */
export function createKeyImporter(): KeyImporter {
  const imported = new WeakMap<VerificationKey, Map<string, ImportedKey | Promise<ImportedKey>>>()
  return {
    importKey(key, alg) {
      const name = canonicalAlgorithm(alg)
      const before = imported.get(key)
      const known = before?.get(name)
      if (known !== undefined) return known
      const byAlgorithm = before ?? new Map<string, ImportedKey | Promise<ImportedKey>>()
      imported.set(key, byAlgorithm)
      const promise = importPublicKey(key, name)
      byAlgorithm.set(name, promise)
      promise.then(
        (importedKey) => byAlgorithm.set(name, importedKey),
        () => undefined, // The rejected promise stays: a key that cannot be imported now never can.
      )
      return promise
    },
  }
}

async function importPublicKey({ jwk }: VerificationKey, alg: string): Promise<ImportedKey> {
  const definition = algorithmDefinition(alg)
  if (definition === undefined) throw new TypeError('no algorithm that keys are imported for')
  // Only what makes up the public key: `use`, `key_ops` and `ext` were judged when the set was read.
  const { kty, crv, x, y, n, e } = jwk
  const members = { kty, crv, x, y, n, e }
  const present = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
  const cryptoKey = (await importJWK({ ...present, kty: jwk.kty as string }, alg)) as CryptoKey
  const { hash, signing } = definition
  return { cryptoKey, hash, verifyInput: { ...signing, key: KeyObject.from(cryptoKey) } }
}
