import crypto, { type VerifyKeyObjectInput } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

type Done = (error: Error | null, isSigned: boolean) => void

/**
 * Verifies signatures synchronously, so that the same seed gives the same run: on Node's threads, two verifications may
 * end in either order.
 *
 * @returns a function that restores `crypto.verify`
 */
export function verifyInTurn(): () => void {
  const { verify } = crypto
  const verifyNow = (
    hash: string | null,
    data: Uint8Array,
    key: VerifyKeyObjectInput,
    signature: Uint8Array,
    done: Done,
  ): void => done(null, verify(hash, data, key, signature))
  Object.assign(crypto, { verify: verifyNow })
  syncBuiltinESMExports()
  return () => {
    Object.assign(crypto, { verify })
    syncBuiltinESMExports()
  }
}
