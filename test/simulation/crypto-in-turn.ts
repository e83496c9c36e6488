import crypto, { type VerifyKeyObjectInput } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

type Done = (error: Error | null, isSigned: boolean) => void

/**
 * Has signatures verified in the caller's own turn, so that the same seed gives the same run: Node works on threads, and
 * which of two verifications ends first is not determined.
 *
 * @returns a function that takes it back
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
