import { KeyObject, verify, type webcrypto } from 'node:crypto'

/**
 * Has Ed25519 signatures verified in the caller's own turn, so that the same seed gives the same run: Web Crypto works on
 * threads, and which of two verifications ends first is anybody's guess.
 *
 * @returns a function that takes it back
 */
export function verifyInTurn(): () => void {
  const { subtle } = crypto
  const verifyNow = async (
    _parameters: unknown,
    key: webcrypto.CryptoKey,
    signature: Uint8Array,
    data: Uint8Array,
  ): Promise<boolean> => verify(null, data, KeyObject.from(key), signature)
  Object.assign(subtle, { verify: verifyNow })
  return () => {
    Reflect.deleteProperty(subtle, 'verify')
  }
}
