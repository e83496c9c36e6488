import { type KeyObject, verify } from 'node:crypto'
import type { ImportedKey } from '../jwks/import-key.ts'
import type { ParsedToken } from './parse-token.ts'

/**
 * How many signatures are checked on the spot in one turn of the event loop. Four keep the delay of a turn below 0.4 ms;
 * docs/decisions/003-signature-check.md has the figures.
 */
const CHECKS_PER_TURN = 4

/** The largest RSA key that is checked on the spot, in bits. A check takes about 90 µs. */
const MAX_CHEAP_RSA_BITS = 4096

/** Checks a token's signature (RFC 7515 §5.2, step 8); a promise only where the check runs on the thread pool. */
export type SignatureCheck = (
  key: ImportedKey,
  token: Pick<ParsedToken, 'signingInput' | 'signature'>,
) => boolean | Promise<boolean>

/**
 * Creates a signature check that runs on the event loop while it is quiet and the key is cheap, and on Node's thread pool
 * otherwise, so that a flood of tokens uses all cores and cannot starve cached tokens.
 */
export function createSignatureCheck(): SignatureCheck {
  let checksThisTurn = 0
  const endTurn = (): void => {
    checksThisTurn = 0
  }
  return (key, token) => {
    if (checksThisTurn >= CHECKS_PER_TURN || !isCheap(key.keyObject)) return verifySignature(key, token)
    if (checksThisTurn === 0) setImmediate(endTurn)
    checksThisTurn += 1
    return verify(key.hash, Buffer.from(token.signingInput, 'latin1'), key.verifyInput, token.signature)
  }
}

/** Checks a token's signature on the thread pool. */
export function verifySignature(
  { hash, verifyInput }: ImportedKey,
  { signingInput, signature }: Pick<ParsedToken, 'signingInput' | 'signature'>,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(hash, Buffer.from(signingInput, 'latin1'), verifyInput, signature, (error, isSigned) => {
      if (error === null) resolve(isSigned)
      else reject(error)
    })
  })
}

/** RSA up to 4096 bits, P-256 and Ed25519 take 22 to 90 µs; P-384, P-521 and larger RSA keys 0.3 to 1.5 ms. */
function isCheap({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? Infinity) <= MAX_CHEAP_RSA_BITS
  return asymmetricKeyType === 'ed25519' || asymmetricKeyDetails?.namedCurve === 'prime256v1'
}
