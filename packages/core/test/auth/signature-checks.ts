import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { vi } from 'vitest'

/** Counts the signatures that are checked in this process. */
export interface SignatureChecks {
  /** How many there were since the last call. */
  taken(): number
  /** Ends the counting. */
  stop(): void
}

/** Begins to count. */
export function countSignatureChecks(): SignatureChecks {
  const verify = vi.spyOn(crypto, 'verify')
  syncBuiltinESMExports()
  return {
    taken() {
      const { length } = verify.mock.calls
      verify.mockClear()
      return length
    },
    stop() {
      verify.mockRestore()
      syncBuiltinESMExports()
    },
  }
}
