import crypto, { type VerifyKeyObjectInput } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

type Done = (error: Error | null, isSigned: boolean) => void

/** A replaced `crypto.verify`. */
export interface VerificationInTurn {
  /** How many signatures have been checked. */
  checks(): number
  /** Restores `crypto.verify`. */
  restore(): void
}

/**
 * Verifies signatures synchronously, so that the same seed gives the same run: on Node's threads, two verifications may
 * end in either order.
 */
export function verifyInTurn(): VerificationInTurn {
  let checks = 0
  const { verify } = crypto
  const verifyNow = (
    hash: string | null,
    data: Uint8Array,
    key: VerifyKeyObjectInput,
    signature: Uint8Array,
    done?: Done,
  ): boolean | undefined => {
    checks += 1
    const isSigned = verify(hash, data, key, signature)
    if (done === undefined) return isSigned
    done(null, isSigned)
    return undefined
  }
  Object.assign(crypto, { verify: verifyNow })
  syncBuiltinESMExports()
  return {
    checks: () => checks,
    restore() {
      Object.assign(crypto, { verify })
      syncBuiltinESMExports()
    },
  }
}
