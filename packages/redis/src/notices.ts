import type { FleetNotice } from '@jwks-auth/core'
import { isRecordName } from './keys.ts'
import { recordIn } from './replies.ts'

/** A notice that is sent from one process to another. */
type SentNotice = Extract<FleetNotice, { readonly kind: 'snapshot' | 'revocations' }>

/** Encodes a notice as a message: what changed, and nothing that a receiver would have to trust. */
export function encodeNotice(notice: SentNotice): string {
  if (notice.kind === 'revocations') return JSON.stringify({ kind: notice.kind })
  const { tenant, provider } = notice.key
  return JSON.stringify({ kind: notice.kind, tenant, provider })
}

/** Decodes a message; `undefined` for anything else that was sent to the channel. */
export function decodeNotice(message: unknown): SentNotice | undefined {
  const notice = recordIn(message)
  if (typeof notice !== 'object' || notice === null || !('kind' in notice)) return undefined
  if (notice.kind === 'revocations') return { kind: 'revocations' }
  if (notice.kind !== 'snapshot' || !('tenant' in notice) || !('provider' in notice)) return undefined
  const { tenant, provider } = notice
  return isRecordName(tenant) && isRecordName(provider) ? { kind: 'snapshot', key: { tenant, provider } } : undefined
}
