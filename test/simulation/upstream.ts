import { UpstreamUnreachableError } from '../../packages/core/src/base/errors/upstream-errors.ts'
import type { TransportResponse } from '../../packages/core/src/http/freshness.ts'
import type { Transport, TransportRequest } from '../../packages/core/src/http/transport.ts'
import type { Publication, PublishedKeys } from './published-keys.ts'
import type { Chance } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** How the provider behaves for a while. */
export type Mood =
  | 'well'
  | 'edge-cached'
  | 'refusing'
  | 'hanging'
  | 'overloaded'
  | 'throttling'
  | 'garbled'
  | 'empty'
  | 'forbidden'

/** What a successful exchange delivered, as the simulation knows it without reading a header. */
export interface Delivery {
  readonly publication: Publication
  readonly status: 200 | 304
  /** Milliseconds of freshness that the response gives; `undefined` without explicit freshness. */
  readonly lifetime: number | undefined
  /** Milliseconds of `stale-if-error`; `undefined` without it. */
  readonly staleIfError: number | undefined
}

/** How the last exchange ended. */
export type Exchange =
  | { readonly kind: 'delivered'; readonly delivery: Delivery }
  | { readonly kind: 'failed'; readonly isOutage: boolean; readonly retryAfter: number }

/** The simulated network with the provider at its end. */
export interface Upstream {
  readonly transport: Transport
  readonly mood: () => Mood
  setMood(mood: Mood): void
  /** True from when keys are delivered until {@link Upstream.processed}. */
  isProcessing(): boolean
  /** What was delivered has been applied or discarded. */
  processed(): void
  /** Exchanges in flight. */
  inFlight(): number
  /** How the last exchange ended. */
  last(): Exchange | undefined
}

interface Caching {
  readonly header: string | undefined
  readonly lifetime: number | undefined
  readonly staleIfError: number | undefined
}

const cachings: readonly Caching[] = [
  { header: 'max-age=600', lifetime: 600_000, staleIfError: undefined },
  { header: 'max-age=15, stale-while-revalidate=15, stale-if-error=86400', lifetime: 15_000, staleIfError: 86_400_000 },
  { header: 'Public, Max-Age=3600', lifetime: 3_600_000, staleIfError: undefined },
  { header: 'private, max-age=120, must-revalidate, stale-if-error=9999', lifetime: 120_000, staleIfError: undefined },
  { header: 'no-cache', lifetime: 0, staleIfError: undefined },
  { header: 's-maxage=5, immutable', lifetime: undefined, staleIfError: undefined },
]

/** Creates a provider that works at first. */
export function createUpstream(
  keys: PublishedKeys,
  { clock, trueNow }: Pick<VirtualTime, 'clock' | 'trueNow'>,
  chance: Chance,
): Upstream {
  let mood: Mood = 'well'
  let inFlight = 0
  let last: Exchange | undefined
  let isProcessing = false

  function failed(isOutage: boolean, retryAfter = 0): void {
    last = { kind: 'failed', isOutage, retryAfter }
  }

  function refusal(status: number, retryAfter?: number): TransportResponse {
    failed(status >= 500, (retryAfter ?? 0) * 1000)
    return { status, headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }, body: '' }
  }

  function document(body: string): TransportResponse {
    failed(false)
    return { status: 200, headers: { 'cache-control': 'max-age=600' }, body }
  }

  function deliver(request: TransportRequest): TransportResponse {
    const isOld = mood === 'edge-cached' && request.headers['cache-control'] !== 'no-cache'
    const publication = isOld ? keys.previous() : keys.current()
    const caching = chance.pick(cachings)
    const age = isOld && chance.happens(0.5) ? chance.integer(1, 30) : undefined
    const status = request.headers['if-none-match'] === publication.etag ? 304 : 200
    const lifetime = caching.lifetime === undefined ? undefined : caching.lifetime - (age ?? 0) * 1000
    isProcessing = true
    last = { kind: 'delivered', delivery: { publication, status, lifetime, staleIfError: caching.staleIfError } }
    return {
      status,
      headers: {
        etag: publication.etag,
        'cache-control': caching.header,
        // A cached response was made before the keys changed (RFC 9111 §4.2.3).
        date: new Date(isOld ? keys.current().since - 1_000 : trueNow()).toUTCString(),
        age: age === undefined ? undefined : String(age),
      },
      body: status === 304 ? '' : JSON.stringify({ keys: publication.keys.map(({ jwk }) => jwk) }),
    }
  }

  function answer(request: TransportRequest): TransportResponse {
    switch (mood) {
      case 'well':
      case 'edge-cached':
      case 'hanging':
        return deliver(request)
      case 'refusing':
        failed(true)
        throw new UpstreamUnreachableError()
      case 'overloaded':
        return refusal(chance.pick([500, 502, 503]), chance.happens(0.3) ? chance.integer(1, 90) : undefined)
      case 'throttling':
        return refusal(429, chance.integer(1, 900))
      case 'forbidden':
        return refusal(403)
      case 'garbled':
        return document(chance.pick(['<html>', '[]', '{"keys":7}', 'null', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}']))
      case 'empty':
        return document('{"keys":[]}')
    }
  }

  const get = (request: TransportRequest): Promise<TransportResponse> =>
    new Promise((resolve, reject) => {
      inFlight += 1
      isProcessing = false
      const timer = mood === 'hanging' ? undefined : clock.setTimeout(arrive, chance.integer(5, 400))
      function end(): void {
        inFlight -= 1
        request.signal.removeEventListener('abort', onAbort)
      }
      function arrive(): void {
        end()
        try {
          resolve(answer(request))
        } catch (error) {
          reject(error)
        }
      }
      function onAbort(): void {
        end()
        if (timer !== undefined) clock.clearTimeout?.(timer)
        failed(true)
        reject(request.signal.reason)
      }
      request.signal.addEventListener('abort', onAbort, { once: true })
    })

  return {
    transport: { get, close: async () => undefined },
    mood: () => mood,
    setMood(next) {
      mood = next
    },
    isProcessing: () => isProcessing,
    processed() {
      isProcessing = false
    },
    inFlight: () => inFlight,
    last: () => last,
  }
}
