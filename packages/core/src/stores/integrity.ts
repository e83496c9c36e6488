import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { isObject } from '../base/options.ts'
import type { Snapshot } from './snapshot-store.ts'

/** Why something that a store handed out is not believed. */
export type SnapshotRefusal =
  /** No snapshot at all: something else, or cut off. */
  | 'malformed'
  /** Of a version that this one does not read. */
  | 'version'
  /** Its proof is wrong or missing: it was changed, or written with another `integrityKey`. */
  | 'integrity'
  /** Made for another tenant, provider, issuer, URI, transport policy or key lifetime. */
  | 'binding'
  /** Made later than now. */
  | 'future'
  /** None of its keys can be used. */
  | 'no-usable-keys'

/** What was sealed, or why it is refused. */
export type Opened =
  | {
      readonly ok: true
      readonly payload: unknown
      /** False where another key signed it than the one that signs now: it is worth sealing anew. */
      readonly isCurrent: boolean
    }
  | { readonly ok: false; readonly reason: SnapshotRefusal }

/** Puts payloads into snapshots and takes them out again. */
export interface Seal {
  /** Seals a JSON value. */
  seal(payload: unknown, keepUntil: string | null): Snapshot
  /** Opens what a store handed out, whatever that is. */
  open(value: unknown): Opened
}

/**
 * Seals with HMAC-SHA256 (RFC 2104). Without keys, only accidents are found out, by a plain hash.
 *
 * @param keys the first one signs, all of them verify; empty for none
 */
export function createSeal(keys: readonly string[]): Seal {
  const [signingKey] = keys
  return {
    seal(payload, keepUntil) {
      const text = JSON.stringify(payload)
      return { version: 1, payload: text, keepUntil, integrity: proof(text, keepUntil, signingKey) }
    },
    open(value) {
      if (!isObject(value)) return { ok: false, reason: 'malformed' }
      const { version, payload, keepUntil, integrity } = value
      if (version !== 1) return { ok: false, reason: typeof version === 'number' ? 'version' : 'malformed' }
      const isWhole = typeof payload === 'string' && typeof integrity === 'string' && isText(keepUntil)
      if (!isWhole) return { ok: false, reason: 'malformed' }
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

function isText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

function parse(payload: string, isCurrent: boolean): Opened {
  try {
    return { ok: true, payload: JSON.parse(payload), isCurrent }
  } catch {
    return { ok: false, reason: 'malformed' }
  }
}
