import type { ErrorCode } from '../base/errors/jwks-auth-error.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const UNITS: readonly (readonly [milliseconds: number, name: string])[] = [
  [DAY, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'min'],
  [SECOND, 's'],
]

/** A duration in its two largest units, such as `2 h 5 min`. Seconds are left out beyond ten minutes. */
export function durationText(milliseconds: number): string {
  const rounded = milliseconds < 10 * MINUTE ? milliseconds : Math.floor(milliseconds / MINUTE) * MINUTE
  let rest = Math.max(0, Math.round(rounded / SECOND) * SECOND)
  const parts: string[] = []
  for (const [unit, name] of UNITS) {
    const count = Math.floor(rest / unit)
    rest -= count * unit
    // After the first unit that counts comes one more, even if that is zero and so left out.
    if (parts.length > 0) return count === 0 ? (parts[0] ?? '') : `${parts[0]} ${count} ${name}`
    if (count > 0) parts.push(`${count} ${name}`)
  }
  return parts[0] ?? '0 s'
}

/** Where a moment is from now: `2 min ago`, `in 43 min`, `now`. */
export function distanceText(time: number, now: number): string {
  const distance = Math.round((time - now) / SECOND) * SECOND
  if (distance === 0) return 'now'
  return distance < 0 ? `${durationText(-distance)} ago` : `in ${durationText(distance)}`
}

/** The time of day in UTC, with the day where it is another one than today. */
export function clockText(time: number, now: number): string {
  const iso = new Date(time).toISOString()
  const isToday = iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
  return isToday ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 16)}`
}

/** Refused requests with the same code. */
export interface RefusalCount {
  readonly code: string
  /** The status of the responses. */
  readonly status: number
  readonly count: number
  /** When the last one was refused, in epoch milliseconds. */
  readonly last: number
}

/** Who has to act: `'either'` where a failure can have its cause on both sides. */
export type Fault = 'us' | 'provider' | 'either' | 'token'

/** A code in plain words. */
export interface PlainWords {
  readonly fault: Fault
  /** Continues a sentence: of a provider, "acme/auth0 …"; of a refused request, "because …". */
  readonly words: string
  /** What to do. */
  readonly advice: string
}

type Row = readonly [fault: Fault, words: string, advice: string]

const CONFIGURATION = 'Compare the registration of this provider with what the provider publishes.'
const PROVIDER = 'Read the provider’s status page, or tell its operator.'
const REACHABILITY =
  'Request its key set from another machine. If that works, the cause is the network, DNS or proxy of this one.'

const upstreamRows: Readonly<Partial<Record<ErrorCode, Row>>> = {
  ERR_UPSTREAM_UNREACHABLE: ['either', 'cannot be reached', REACHABILITY],
  ERR_UPSTREAM_TIMED_OUT: ['either', 'does not respond in time', REACHABILITY],
  ERR_UPSTREAM_STATUS: ['provider', 'responds with an error', PROVIDER],
  ERR_UPSTREAM_REQUEST_FAILED: ['us', 'could not be sent a request', CONFIGURATION],
  ERR_UPSTREAM_URL_NOT_ALLOWED: [
    'us',
    'has a URL that our configuration forbids',
    'Check allowedDomains and requireHttps.',
  ],
  ERR_UPSTREAM_ADDRESS_NOT_ALLOWED: [
    'us',
    'has an address that our configuration forbids',
    'Check network and allowAddresses, and what the name resolves to.',
  ],
  ERR_KEY_PIN_MISMATCH: [
    'either',
    'presents a certificate without a pinned key',
    'Find out whether the provider has changed its key. If it has not, treat this as an attack on the connection.',
  ],
  ERR_RESPONSE_TOO_LARGE: ['either', 'sends a response longer than we accept', 'Check maxResponseBytes.'],
  ERR_CONTENT_CODING_NOT_SUPPORTED: ['provider', 'sends an encoding that is not supported', PROVIDER],
  ERR_KEY_SET_MALFORMED: ['provider', 'publishes a key set that cannot be used', PROVIDER],
  ERR_METADATA_MALFORMED: ['provider', 'publishes metadata that cannot be used', PROVIDER],
  ERR_METADATA_ISSUER_MISMATCH: [
    'us',
    'names another issuer in its metadata than we are configured with',
    CONFIGURATION,
  ],
  ERR_FLEET_FETCH_FAILED: [
    'either',
    'could not be fetched by another process of ours',
    'Read the status of that process.',
  ],
}

const CLOCKS = 'Compare the clocks of this machine and of the issuer.'
const CLIENT = 'Find the client that sends these tokens: its request must change.'
const TENANT = 'Find the client, and compare its tenant and issuer with the configured ones.'

const refusalRows: Readonly<Partial<Record<ErrorCode, Row>>> = {
  ERR_TOKEN_MISSING: ['token', 'they carry no token', CLIENT],
  ERR_AUTHORIZATION_MALFORMED: ['token', 'their Authorization header is malformed', CLIENT],
  ERR_CROSS_SITE_REQUEST: ['token', 'their cookie came from another site', CLIENT],
  ERR_TOKEN_TOO_LONG: ['token', 'the token is too long', CLIENT],
  ERR_TOKEN_MALFORMED: ['token', 'the token is no well-formed JWT', CLIENT],
  ERR_TOKEN_TYPE_NOT_ALLOWED: ['token', 'the token has another type', CLIENT],
  ERR_ALGORITHM_NOT_ALLOWED: [
    'token',
    'the token’s algorithm is not allowed',
    'Compare algorithms with what the issuer signs with.',
  ],
  ERR_TENANT_NOT_DETERMINED: ['token', 'they name no tenant', TENANT],
  ERR_TENANT_UNKNOWN: ['token', 'their tenant is not known', TENANT],
  ERR_ISSUER_NOT_ALLOWED: ['token', 'the token is from another issuer', TENANT],
  ERR_TOKEN_EXPIRED: [
    'token',
    'the token has expired',
    'Clients must renew their tokens. If all are refused, compare the clocks.',
  ],
  ERR_TOKEN_NOT_YET_VALID: ['token', 'the token is not valid yet', CLOCKS],
  ERR_TOKEN_ISSUED_IN_FUTURE: ['token', 'the token was issued in the future', CLOCKS],
  ERR_TOKEN_TOO_OLD: ['token', 'the token is too old', 'Clients must renew their tokens; maxTokenAge is the limit.'],
  ERR_AUDIENCE_NOT_ALLOWED: [
    'token',
    'the token is for another audience',
    'Clients must request a token for this API.',
  ],
  ERR_CLIENT_NOT_ALLOWED: [
    'token',
    'the token’s client is not allowed',
    'Compare clientIds with the client of the token.',
  ],
  ERR_CLAIM_MISSING: ['token', 'a claim is missing', 'Compare requiredClaims with what the issuer puts into tokens.'],
  ERR_CLAIMS_REJECTED: [
    'token',
    'the schema refuses the claims',
    'Compare the schema with what the issuer puts into tokens.',
  ],
  ERR_TOKEN_REVOKED: ['token', 'the token was revoked', 'Nothing, if that is intended.'],
  ERR_KEY_REVOKED: ['token', 'the token’s key was revoked', 'Nothing, if that is intended; otherwise unrevokeKey.'],
  ERR_KEY_NOT_FOUND: [
    'token',
    'the token names a key that the provider does not publish',
    'Compare the kid of a refused token with the keys below. After a rotation, refresh the provider.',
  ],
  ERR_SIGNATURE_INVALID: ['token', 'the signature does not verify', 'Treat these tokens as forged or damaged.'],
  ERR_SCOPE_MISSING: ['token', 'the token lacks a scope', 'Clients must request the scope.'],
  ERR_KEYS_UNAVAILABLE: ['provider', 'the keys could not be fetched', 'Read the providers below.'],
  ERR_AUTHENTICATOR_NOT_RUN: [
    'us',
    'a guard ran before jwksAuth',
    'Mount jwksAuth ahead of the routes that it protects.',
  ],
  ERR_REGISTRY_CLOSED: ['us', 'the application was shutting down', 'Nothing, if that is intended.'],
}

/** Why a provider's keys could not be fetched. */
export function upstreamWords(code: string): PlainWords {
  return plainWords(upstreamRows, code, ['either', 'cannot be used', 'Read the last error below.'])
}

/** Why requests were refused. */
export function refusalWords(code: string): PlainWords {
  const [, name = code] = /^ERR_(.+)$/.exec(code) ?? []
  const words = `of ${name.toLowerCase().replaceAll('_', ' ')}`
  return plainWords(refusalRows, code, ['token', words, 'Read about the code in the documentation of errors.'])
}

function plainWords(rows: Readonly<Partial<Record<string, Row>>>, code: string, otherwise: Row): PlainWords {
  const [fault, words, advice] = (Object.hasOwn(rows, code) ? rows[code] : undefined) ?? otherwise
  return { fault, words, advice }
}
