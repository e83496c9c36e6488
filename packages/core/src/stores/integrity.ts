import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { parseJson } from '../base/json.ts'
import { isObject } from '../base/options.ts'
import type { Snapshot } from './snapshot-store.ts'

/** The members of a signed envelope, which are all flat. */
const ENVELOPE = { members: ['version', 'payload', 'keepUntil', 'integrity'], maxEntries: 0 }

/**
 * Parses a text that should be a snapshot or a revocation, without stalling the event loop; `undefined` for what is not
 * JSON. Of a long text, other members than those of a `Snapshot` are dropped.
 */
export async function parseSnapshot(text: string): Promise<unknown> {
  return await parseJson(text, ENVELOPE)
}

/**
 * The value that a store returned, as plain JSON; `undefined` where there is none, `null` for what is not JSON. A store is
 * other people's code: it may return an object that contains itself, or one whose members throw when they are read.
 */
export function plainJson(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    // A snapshot is flat: its payload, which may be long, need not be written and parsed.
    return envelopeOf(value) ?? JSON.parse(JSON.stringify(value))
  } catch {
    return null
  }
}

/** Why something in a store is refused. */
export type SnapshotRefusal =
  /** Not a snapshot: something else, or truncated. */
  | 'malformed'
  /** Of a version that is not supported. */
  | 'version'
  /** Its proof is wrong or missing: it was changed, or written with another `integrityKey`. */
  | 'integrity'
  /** Made for another tenant, provider, issuer, URI, transport policy or key lifetime. */
  | 'binding'
  /** Made later than now. */
  | 'future'
  /** None of its keys can be used. */
  | 'no-usable-keys'

/** The payload of a signed envelope, or why it is refused. */
export type VerifiedPayload =
  | {
      readonly ok: true
      readonly payload: unknown
      /** False where another key signed it than the one that signs now: sign it again. */
      readonly isCurrent: boolean
    }
  | { readonly ok: false; readonly reason: SnapshotRefusal }

/** Signs payloads and verifies what a store returns: a snapshot is a signed envelope around JSON text. */
export interface SnapshotSigner {
  /** Signs a JSON value. */
  sign(payload: unknown, keepUntil: string | null): Snapshot
  /** Verifies any value that a store has returned. */
  verify(value: unknown): VerifiedPayload
}

/**
 * Signs with HMAC-SHA256 (RFC 2104). Without keys, a plain hash detects corruption only.
 *
 * @param keys the first one signs, all of them verify; empty for none
 */
export function createSnapshotSigner(keys: readonly string[]): SnapshotSigner {
  const [signingKey] = keys
  return {
    sign(payload, keepUntil) {
      const text = JSON.stringify(payload)
      return { version: 1, payload: text, keepUntil, integrity: proof(text, keepUntil, signingKey) }
    },
    verify(value) {
      const envelope = envelopeOf(value)
      if (envelope === undefined) return { ok: false, reason: hasOtherVersion(value) ? 'version' : 'malformed' }
      const { payload, keepUntil, integrity } = envelope
      const candidates = signingKey === undefined ? [undefined] : keys
      // Text is compared, not bytes: base64url has several spellings of the same bytes.
      const signedBy = candidates.findIndex((key) => isEqual(integrity, proof(payload, keepUntil, key)))
      return signedBy < 0 ? { ok: false, reason: 'integrity' } : parse(payload, signedBy === 0)
    },
  }
}

function proof(payload: string, keepUntil: string | null, key: string | undefined): string {
  const text = `1\n${keepUntil}\n${payload}`
  return key === undefined
    ? `sha256:${createHash('sha256').update(text).digest('base64url')}`
    : `hmac-sha256:${createHmac('sha256', key).update(text).digest('base64url')}`
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The members of a signed envelope; `undefined` for anything else. */
function envelopeOf(value: unknown): Snapshot | undefined {
  if (!isObject(value)) return undefined
  const { payload, keepUntil, integrity } = value
  if (typeof payload !== 'string' || typeof integrity !== 'string') return undefined
  if (keepUntil !== null && typeof keepUntil !== 'string') return undefined
  const { version } = value
  return version === 1 ? { version, payload, keepUntil, integrity } : undefined
}

function hasOtherVersion(value: unknown): boolean {
  return isObject(value) && typeof value['version'] === 'number' && value['version'] !== 1
}

function parse(payload: string, isCurrent: boolean): VerifiedPayload {
  try {
    return { ok: true, payload: JSON.parse(payload), isCurrent }
  } catch {
    return { ok: false, reason: 'malformed' }
  }
}
