import type { Network } from '../http/address-rules.ts'
import type { CertificateAuthorities } from '../http/connection.ts'
import type { RequestHeaders } from '../http/request-headers.ts'
import type { SignatureAlgorithm } from '../jwks/algorithms.ts'
import type { CacheOptions, RetryPolicy } from '../jwks-cache/cache-options.ts'

/** What can be set for one provider, or for all in `defaults`. Durations are milliseconds, whole numbers. */
export interface ProviderOptions {
  /**
   * Lead before expiry for the refresh ahead of it; 0 for none. Lead and jitter together never reach past half of
   * the time to live. Default 30 000.
   */
  readonly refreshEarly?: number | undefined
  /** Random offset on that schedule, earlier only, so that a fleet does not fetch all at once; 0 for none. Default 5 000. */
  readonly prefetchJitter?: number | undefined
  /**
   * `'active'` refreshes ahead of expiry only if the keys were used since the last fetch, `'always'` does so
   * always and fetches at registration, `'never'` waits for expiry. Default `'active'`.
   */
  readonly prefetch?: 'active' | 'always' | 'never' | undefined
  /**
   * How long past expiry keys serve while refreshes fail; 0 for not at all. A response's own `stale-if-error`
   * (RFC 5861 §4) can lengthen it up to `maxStale`, for 5xx and network failures only, unless it is 0.
   * Default 3 600 000 (an hour).
   */
  readonly staleWhileError?: number | undefined
  /** Upper bound on stale use, whatever else allows it. Default 86 400 000 (a day). */
  readonly maxStale?: number | undefined
  /** Lower bound on a response's freshness lifetime; at least 1 000. Default 30 000. */
  readonly minTtl?: number | undefined
  /** Upper bound on a response's freshness lifetime; at least `minTtl`. Default 86 400 000 (a day). */
  readonly maxTtl?: number | undefined
  /** Time to live where a response gives no explicit freshness (RFC 9111 §4.2.1). Default 600 000 (ten minutes). */
  readonly defaultTtl?: number | undefined
  /**
   * After a failed first fetch, requests fail immediately for this long instead of fetching again; doubles to 10 s while
   * failures last; 0 fetches each time. Default 1 000.
   */
  readonly negativeCacheTtl?: number | undefined
  /** At most one refetch per this long because of unknown `kid`s; at least 1. Default 10 000. */
  readonly unknownKidCooldown?: number | undefined
  /** Bytes of a decoded response body, enforced while it streams; at least 1. Default 1 048 576. */
  readonly maxResponseBytes?: number | undefined
  /** Entries of a set; those beyond it are not read. At least 1. Default 1 000; 100 where keys are immutable. */
  readonly maxKeys?: number | undefined
  /** Redirects followed, 0 to 10; each target is checked like the first URL. Default 3. */
  readonly maxRedirects?: number | undefined
  /** Retries within one refresh; what is not given keeps its default. */
  readonly retryPolicy?: { readonly [Name in keyof RetryPolicy]?: RetryPolicy[Name] | undefined } | undefined
  /** Only `https:` URLs. Default: the registry's; a provider may be stricter, never laxer. */
  readonly requireHttps?: boolean | undefined
  /**
   * Hosts to which requests may go, each with everything below it; empty for any. Default: the registry's; a provider's
   * list narrows that further, never widens it.
   */
  readonly allowedDomains?: readonly string[] | undefined
  /**
   * `'public'` connects only to globally reachable unicast addresses, checked after name resolution; `'any'` to all
   * but the clouds' metadata services. Default: `'public'` for `registry.register` and for redirects and discovered
   * URIs at another origin, `'any'` for what an authenticator's options name.
   */
  readonly network?: Network | undefined
  /** IP addresses and CIDR blocks that are exempt from the address rules. Default none. */
  readonly allowAddresses?: readonly string[] | undefined
  /**
   * Base64 of the SHA-256 of a public key's SubjectPublicKeyInfo (RFC 7469 §2.4), 44 characters; several so that there
   * is a backup. One of these keys has to be on the path by which the server's certificate was verified, from its own
   * key to the authority's, for the metadata, the key set and every redirect, and there is no `http:` then, whatever
   * `requireHttps` says. Where a certificate is cross-signed, so that there are several paths, each has to have one.
   * Not beside `dispatcher`. Default none.
   *
   * ```sh
   * openssl x509 -in certificate.pem -pubkey -noout | openssl pkey -pubin -outform der |
   *   openssl dgst -sha256 -binary | openssl base64
   * ```
   */
  readonly pinnedSpki?: readonly string[] | undefined
  /**
   * `'http'` caches keys as HTTP caching allows. `'immutable'` is for endpoints whose keys never change and whose calls
   * cost something: keys are added by `kid` and written to the store at once, they neither expire nor change, and the
   * endpoint is called only for a `kid` that is missing. Keys without a `kid` are not kept. Beside it, options about
   * expiry are a `TypeError`; `prefetch: 'always'` fetches at registration where nothing is stored. Default `'http'`.
   */
  readonly keyLifetime?: 'http' | 'immutable' | undefined
  /**
   * Request headers for the key set and the metadata: a record, or a function that is called for each fetch and may be
   * async. Sent to the configured origin only (that of `jwksUri`, `metadataUri` or `issuer`), not to the target of a
   * redirect or to a discovered `jwks_uri` at another origin. Headers of the connection and of the message framing, such
   * as `Host` and `Content-Length`, are a `TypeError`. Values appear in no event, status, error or snapshot. Default none.
   */
  readonly headers?: RequestHeaders | undefined
  /**
   * The certificate authorities for this provider instead of Node's: PEM text, a list of such, or a function that is
   * called for each new connection and may be async. Not beside `dispatcher`. Default: Node's authorities.
   */
  readonly ca?: CertificateAuthorities | undefined
  /** Signature algorithms that tokens may have. Default: all of {@link SignatureAlgorithm}. */
  readonly algorithms?: readonly SignatureAlgorithm[] | undefined
}

/** The names of {@link ProviderOptions}. */
export const providerOptionNames: readonly (keyof ProviderOptions)[] = Object.freeze([
  'refreshEarly',
  'prefetchJitter',
  'prefetch',
  'staleWhileError',
  'maxStale',
  'minTtl',
  'maxTtl',
  'defaultTtl',
  'negativeCacheTtl',
  'unknownKidCooldown',
  'maxResponseBytes',
  'maxKeys',
  'maxRedirects',
  'retryPolicy',
  'requireHttps',
  'allowedDomains',
  'network',
  'allowAddresses',
  'pinnedSpki',
  'headers',
  'ca',
  'keyLifetime',
  'algorithms',
])

/** The defaults that do not depend on anything else. */
export const providerDefaults: Readonly<CacheOptions> & {
  readonly maxResponseBytes: number
  readonly maxRedirects: number
} = Object.freeze({
  refreshEarly: 30_000,
  prefetchJitter: 5_000,
  prefetch: 'active',
  keyLifetime: 'http',
  staleWhileError: 3_600_000,
  maxStale: 86_400_000,
  minTtl: 30_000,
  maxTtl: 86_400_000,
  defaultTtl: 600_000,
  negativeCacheTtl: 1_000,
  unknownKidCooldown: 10_000,
  maxResponseBytes: 1_048_576,
  maxKeys: 1_000,
  maxRedirects: 3,
  retryPolicy: Object.freeze({
    maxRetries: 2,
    attemptTimeout: 3_000,
    initialBackoff: 250,
    maxBackoff: 2_000,
    deadline: 8_000,
    jitter: 'full',
  }),
})
