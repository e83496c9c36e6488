import {
  isObject,
  type Lifetimes,
  lifetimesOf,
  parseHttpDate,
  providerDefaults,
  storedPolicy,
  validatorsOf,
} from '@jwks-auth/core/diagnostics'
import type { DocumentOutcome, DocumentResponse } from './fetch-document.ts'
import { type Finding, finding } from './findings.ts'

/** Milliseconds by which the clocks may differ. */
const MAX_SKEW = 30_000
const EARLIEST_MODIFICATION = Date.UTC(2005, 0)

/** How long jwksAuth uses the keys of a response, with its defaults. */
export function lifetimesOfResponse({ url, headers, receivedAt }: DocumentResponse): Lifetimes {
  return lifetimesOf(storedPolicy(url, headers, receivedAt), providerDefaults, 0)
}

/** Checks the headers that the lifetime of a key set depends on. */
export function checkCaching({ headers, receivedAt }: DocumentResponse): readonly Finding[] {
  const { 'cache-control': cacheControl, expires, date } = headers
  const directives = (cacheControl ?? '')
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim())
  const maxAges = directives.flatMap((directive) => /^max-age="?(\d+)"?$/.exec(directive)?.[1] ?? [])
  const findings: Finding[] = []
  const add = (...args: [code: Parameters<typeof finding>[0], message: string]): void => {
    findings.push(finding(args[0], 'key set', args[1]))
  }
  if (new Set(maxAges).size > 1)
    add('cache-control-contradictory', `There is more than one max-age: ${maxAges.join(', ')}`)
  const skew = date === undefined ? 0 : (parseHttpDate(date, receivedAt) ?? receivedAt) - receivedAt
  if (Math.abs(skew) > MAX_SKEW) {
    add('clock-skew', `The provider's clock is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'ahead' : 'behind'}`)
  }
  const lifetime = lifetimeFinding({ directives, maxAges: maxAges.map(Number), expires, headers, receivedAt })
  return lifetime === undefined ? findings : [...findings, lifetime]
}

interface CachingFacts {
  readonly directives: readonly string[]
  readonly maxAges: readonly number[]
  readonly expires: string | undefined
  readonly headers: DocumentResponse['headers']
  readonly receivedAt: number
}

function lifetimeFinding({ directives, maxAges, expires, headers, receivedAt }: CachingFacts): Finding | undefined {
  const forbidden = directives.find((each) => ['no-store', 'no-cache'].includes(each.split('=')[0] ?? ''))
  if (forbidden !== undefined) return finding('not-cacheable', 'key set', `Cache-Control has ${forbidden}`)
  const maxAge = maxAges.length === 0 ? undefined : Math.min(...maxAges)
  if (maxAge === 0) return finding('not-cacheable', 'key set', 'Cache-Control has max-age=0')
  if (maxAge === undefined && expires === undefined) {
    return finding('no-lifetime', 'key set', 'There is neither Cache-Control: max-age nor Expires')
  }
  const expiry = expires === undefined ? undefined : parseHttpDate(expires, receivedAt)
  const age = Number(headers['age'] ?? 0) || 0
  const lifetime = maxAge === undefined ? ((expiry ?? 0) - receivedAt) / 1000 : maxAge - age
  if (lifetime <= 0) return finding('expired-on-arrival', 'key set', 'The response has expired when it arrives')
  if (lifetime * 1000 < providerDefaults.minTtl) {
    return finding('lifetime-too-short', 'key set', `The response is fresh for ${Math.round(lifetime)} s`)
  }
  if (lifetime * 1000 <= providerDefaults.maxTtl) return undefined
  return finding('lifetime-too-long', 'key set', `The response is fresh for ${Math.round(lifetime / 3600)} h`)
}

/** The responses that validators are judged by. */
export interface ValidatorResponses {
  readonly first: DocumentResponse
  /** The same request once more. */
  readonly second: DocumentOutcome
  /** With a validator that the provider cannot know; absent where it sends none. */
  readonly forged: DocumentOutcome | undefined
  /** Of the metadata, from the same provider. */
  readonly metadata: DocumentResponse | undefined
}

/** The headers of a conditional request by a validator that no content has had. */
export function forgedValidators({ headers }: DocumentResponse): Record<string, string> | undefined {
  if (headers['etag'] !== undefined) return { 'if-none-match': '"jwks-auth-doctor-0000"' }
  if (headers['last-modified'] === undefined) return undefined
  return { 'if-modified-since': new Date(EARLIEST_MODIFICATION).toUTCString() }
}

/** Checks that validators change with the content, and that all responses have the same keys. */
export function checkValidators({ first, second, forged, metadata }: ValidatorResponses): readonly Finding[] {
  const findings: Finding[] = []
  const { etag } = first.headers
  const lastModified = first.headers['last-modified']
  const later = second.kind === 'response' && second.status === 200 ? second : undefined
  const isSame = later === undefined || keysOf(later) === keysOf(first)
  if (!isSame) findings.push(finding('key-sets-differ', 'key set', 'Two requests were answered with different keys'))
  const reason = constancyOf({ first, later, isSame, forged, metadata })
  if (reason !== undefined) findings.push(finding('constant-validators', 'key set', reason))
  if (etag !== undefined && validatorsOf(storedPolicy(first.url, first.headers, first.receivedAt)).etag === undefined) {
    findings.push(finding('validator-malformed', 'key set', `The ETag is ${etag}`))
  }
  if (
    later !== undefined &&
    etag !== undefined &&
    later.body.text === first.body.text &&
    later.headers['etag'] !== etag
  ) {
    findings.push(finding('validators-change', 'key set', 'Two equal responses have different ETags'))
  }
  if (etag === undefined && lastModified === undefined) {
    findings.push(finding('no-validators', 'key set', 'There is neither ETag nor Last-Modified'))
  }
  return findings
}

interface ConstancyFacts extends Omit<ValidatorResponses, 'second'> {
  readonly later: DocumentResponse | undefined
  readonly isSame: boolean
}

/** Why the validators cannot depend on the content; `undefined` where they may. */
function constancyOf({ first, later, isSame, forged, metadata }: ConstancyFacts): string | undefined {
  const { etag } = first.headers
  if (forged?.kind === 'response' && forged.status === 304)
    return 'A request with a made-up validator is answered with 304'
  if (!isSame && etag !== undefined && later?.headers['etag'] === etag) return 'Different keys have the same ETag'
  if (etag !== undefined && metadata?.headers['etag'] === etag && metadata.body.text !== first.body.text) {
    return 'The metadata and the key set have the same ETag'
  }
  const modified = parseHttpDate(first.headers['last-modified'] ?? '', first.receivedAt)
  if (etag === undefined && modified !== undefined && modified < EARLIEST_MODIFICATION) {
    return `Last-Modified is ${first.headers['last-modified']}, before the provider existed`
  }
  return undefined
}

/** The key set as text, whatever the order of its keys. */
function keysOf({ body }: DocumentResponse): string {
  try {
    const value: unknown = JSON.parse(body.text ?? '')
    const keys = isObject(value) ? value['keys'] : undefined
    if (Array.isArray(keys)) return JSON.stringify(keys.map((key) => JSON.stringify(key)).toSorted())
  } catch {
    // Compared as it is.
  }
  return body.text ?? ''
}
