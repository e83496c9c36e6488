import { type CryptoKey, importJWK } from 'jose'
import { canonicalAlgorithm } from './algorithms.ts'
import type { VerificationKey } from './verification-key.ts'

/** Imports keys on first use, once for each key and algorithm, for as long as the key is held. */
export interface KeyImporter {
  /** The imported key, at once when it was imported before. Rejects when Web Crypto refuses the key. */
  importKey(key: VerificationKey, alg: string): CryptoKey | Promise<CryptoKey>
}

/** One importer serves a registry: what it keeps hangs on the key objects and goes with them. */
export function createKeyImporter(): KeyImporter {
  const imported = new WeakMap<VerificationKey, Map<string, CryptoKey | Promise<CryptoKey>>>()
  return {
    importKey(key, alg) {
      const name = canonicalAlgorithm(alg)
      const byAlgorithm = imported.get(key) ?? new Map<string, CryptoKey | Promise<CryptoKey>>()
      imported.set(key, byAlgorithm)
      const known = byAlgorithm.get(name)
      if (known !== undefined) return known
      const promise = importPublicKey(key, name)
      byAlgorithm.set(name, promise)
      promise.then(
        (cryptoKey) => byAlgorithm.set(name, cryptoKey),
        () => undefined, // The rejected promise stays: a key that cannot be imported now never can.
      )
      return promise
    },
  }
}

async function importPublicKey({ jwk }: VerificationKey, alg: string): Promise<CryptoKey> {
  // Only what makes up the public key: `use`, `key_ops` and `ext` were judged when the set was read.
  const { kty, crv, x, y, n, e } = jwk
  const members = { kty, crv, x, y, n, e }
  const present = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
  return (await importJWK({ ...present, kty: jwk.kty as string }, alg)) as CryptoKey
}
