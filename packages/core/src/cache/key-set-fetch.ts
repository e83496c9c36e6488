import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeySetMalformedError, UpstreamStatusError } from '../base/errors/upstream-errors.ts'
import { isOlder, revalidatedPolicy, type StoredPolicy, storedPolicy, validatorsOf } from '../http/freshness.ts'
import { readRetryAfter } from '../http/retry-after.ts'
import { type KeySet, NO_REFUSED_KEYS, type RefusedKeys, readKeySet } from '../jwks/key-set.ts'
import type { JwksAnswer } from './jwks-source.ts'

/** A key set that is held, with what HTTP said of it. */
export interface HeldKeySet {
  readonly keySet: KeySet
  readonly policy: StoredPolicy
}

/** A checked answer. */
export interface FetchedKeySet extends HeldKeySet {
  /** False when the answer was a 304. */
  readonly modified: boolean
  /** Published keys that are not used. */
  readonly refused: RefusedKeys
  /** Material that was published with a private half. */
  readonly compromised: ReadonlySet<string>
}

const NOTHING_REFUSED: Pick<FetchedKeySet, 'refused' | 'compromised'> = {
  refused: NO_REFUSED_KEYS,
  compromised: new Set(),
}

/**
 * Headers for a request that may be answered with a 304 (RFC 9110 §13.1); `noCache` has caches on the way ask the
 * origin (RFC 9111 §5.2.1.4). Validators go only where they came from.
 */
export function requestHeaders(
  url: string,
  held: HeldKeySet | undefined,
  options: { readonly noCache: boolean },
): Record<string, string> {
  const headers: Record<string, string> = {}
  if (options.noCache) headers['cache-control'] = 'no-cache'
  if (held === undefined || held.policy.u !== url) return headers
  const { etag, lastModified } = validatorsOf(held.policy)
  if (etag !== undefined) headers['if-none-match'] = etag
  if (lastModified !== undefined) headers['if-modified-since'] = lastModified
  return headers
}

/** True for a set that was made before the one that is held. */
export function isOutdated(answer: JwksAnswer, held: HeldKeySet | undefined): boolean {
  return answer.status === 200 && held !== undefined && isOlder(answer.headers, held.policy)
}

/** Thrown where an answer cannot replace the cached keys; those that are `compromised` must be dropped all the same. */
export class UnusableKeySet extends Error {
  readonly refused: RefusedKeys
  readonly compromised: ReadonlySet<string>
  override readonly cause: JwksAuthError
  constructor(cause: JwksAuthError, { refused, compromised }: Pick<FetchedKeySet, 'refused' | 'compromised'>) {
    super(cause.message)
    this.cause = cause
    this.refused = refused
    this.compromised = compromised
  }
}

/**
 * Checks an answer before it replaces anything.
 *
 * @param held what the request's validators came from
 * @throws UpstreamStatusError for a status that is neither 200 nor the 304 to our validators
 * @throws UnusableKeySet for a body that is no key set or has no usable key
 */
export function readAnswer(
  answer: JwksAnswer,
  held: HeldKeySet | undefined,
  now: number,
  maxKeys: number,
): FetchedKeySet {
  if (answer.status === 304 && held !== undefined && held.policy.u === answer.url) {
    const policy = revalidatedPolicy(held.policy, answer.headers, now)
    if (policy !== undefined) return { keySet: held.keySet, policy, modified: false, ...NOTHING_REFUSED }
  }
  if (answer.status !== 200) {
    throw new UpstreamStatusError(answer.status, { retryAfter: readRetryAfter(answer.headers['retry-after'], now) })
  }
  const reading = readKeySet(parseJson(answer.body), maxKeys, held?.keySet)
  if (reading === undefined) throw malformed('it is not a JSON Web Key Set')
  if (reading.keySet.keys.length === 0) throw malformed('none of its keys can be used', reading)
  return { ...reading, policy: storedPolicy(answer.url, answer.headers, now), modified: true }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text, so it is not kept as the cause.
    throw malformed('it is not JSON')
  }
}

function malformed(
  reason: string,
  reading: Pick<FetchedKeySet, 'refused' | 'compromised'> = NOTHING_REFUSED,
): UnusableKeySet {
  return new UnusableKeySet(new KeySetMalformedError(reason), reading)
}
