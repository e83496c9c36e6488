import { parseUrl, wellKnownUrls } from '@jwks-auth/core/diagnostics'
import { UsageError } from '../terminal/exit-codes.ts'
import type { Progress } from '../terminal/terminal.ts'
import { checkCaching, checkValidators, forgedValidators, lifetimesOfResponse } from './check-caching.ts'
import { checkKeySet, type KeyReport } from './check-keys.ts'
import { checkAlgorithms, checkIssuer, checkMetadata, type MetadataReading } from './check-metadata.ts'
import { checkResponse, isSlow } from './check-response.ts'
import {
  createDocumentFetcher,
  type DocumentFetcher,
  type DocumentOutcome,
  type DocumentResponse,
  type FetchOptions,
} from './fetch-document.ts'
import { type Finding, finding, type Subject } from './findings.ts'

/** Whether a target is an issuer or the URL of a key set. */
export type TargetKind = 'issuer' | 'jwks'

/** One document that was fetched. */
export interface DocumentReport {
  readonly subject: Subject
  readonly url: string
  readonly outcome: DocumentOutcome
}

/** What the doctor found out about a provider. */
export interface Diagnosis {
  readonly target: string
  readonly kind: TargetKind
  readonly documents: readonly DocumentReport[]
  readonly keys: readonly KeyReport[]
  /** In milliseconds, with the defaults of jwksAuth; absent where there is no key set. */
  readonly lifetimes:
    | { readonly refreshAfter: number; readonly freshFor: number; readonly staleFor: number }
    | undefined
  readonly findings: readonly Finding[]
}

const KEY_SET_PATH = /(?:jwks[\w.-]*|keys|certs|\.json)\/?$/i
const METADATA_PATH = /\/\.well-known\/(?:openid-configuration|oauth-authorization-server)/
const KEY_SET_TYPES = 'application/jwk-set+json, application/json'

/** An issuer or the URL of a key set, by its path where `as` does not say. */
function readTarget(target: string, as: TargetKind | undefined): { url: URL; issuer: string; kind: TargetKind } {
  const url = parseUrl(target)
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('The target must be an absolute https: URL: an issuer or the URL of a key set')
  }
  if (url.username !== '' || url.password !== '') throw new UsageError('The target must not contain credentials')
  if (METADATA_PATH.test(url.pathname)) return { url, issuer: target.replace(METADATA_PATH, ''), kind: 'issuer' }
  return { url, issuer: target, kind: as ?? (KEY_SET_PATH.test(url.pathname) ? 'jwks' : 'issuer') }
}

/**
 * Checks a provider: its metadata, its key set, the keys, and what follows for a rotation. About five requests.
 *
 * @throws UsageError for a target that is no URL
 */
export async function diagnose(
  target: string,
  options: FetchOptions & { readonly as: TargetKind | undefined },
  progress: Progress,
): Promise<Diagnosis> {
  const { url, issuer, kind } = readTarget(target, options.as)
  const fetcher = createDocumentFetcher(url, options)
  try {
    if (kind === 'jwks') {
      const http = url.protocol === 'http:' && !options.allowHttp
      const early = http ? [finding('http', 'key set', 'The key set has an http: URL')] : []
      const keySet = await diagnoseKeySet(url, undefined, fetcher, progress)
      return { target, kind, ...keySet, findings: [...early, ...keySet.findings] }
    }
    return { target, kind, ...(await diagnoseIssuer(issuer, options, fetcher, progress)) }
  } finally {
    progress.end()
    await fetcher.close()
  }
}

type PartialDiagnosis = Omit<Diagnosis, 'target' | 'kind'>

async function diagnoseIssuer(
  issuer: string,
  { allowHttp }: FetchOptions,
  fetcher: DocumentFetcher,
  progress: Progress,
): Promise<PartialDiagnosis> {
  const early = checkIssuer(new URL(issuer), allowHttp)
  const locations = await fetchMetadata(issuer, allowHttp, fetcher, progress)
  const found = bestOf(locations)
  const findings = [...early, ...found.findings]
  if (found !== locations[0]) {
    findings.push(finding('second-location', 'metadata', 'The metadata is at the second well-known location only'))
  }
  const documents = [{ subject: 'metadata' as const, url: found.url, outcome: found.outcome }]
  const { jwksUri, algorithms = [] } = found.metadata ?? {}
  if (jwksUri === undefined) return { documents, keys: [], lifetimes: undefined, findings }
  const response = found.outcome.kind === 'response' ? found.outcome : undefined
  const keySet = await diagnoseKeySet(jwksUri, { response, algorithms }, fetcher, progress)
  return { ...keySet, documents: [...documents, ...keySet.documents], findings: [...findings, ...keySet.findings] }
}

/** One well-known location of an issuer's metadata. */
interface Location {
  readonly url: string
  readonly outcome: DocumentOutcome
  readonly metadata: MetadataReading | undefined
  readonly findings: readonly Finding[]
}

/** Tries the well-known locations until one has usable metadata, as discovery does. */
async function fetchMetadata(
  issuer: string,
  allowHttp: boolean,
  fetcher: DocumentFetcher,
  progress: Progress,
): Promise<readonly [Location, ...Location[]]> {
  const [first = '', ...others] = wellKnownUrls(issuer)
  const attempt = async (url: string): Promise<Location> => {
    progress.step(`Fetching ${url}`)
    const outcome = await fetchTimed(fetcher, new URL(url), 'application/json')
    const { json, findings } = checkResponse('metadata', outcome)
    if (json === undefined) return { url, outcome, metadata: undefined, findings }
    const metadata = checkMetadata(json.value, issuer, allowHttp)
    return { url, outcome, metadata, findings: [...findings, ...metadata.findings] }
  }
  const locations: [Location, ...Location[]] = [await attempt(first)]
  for (const url of others) {
    if (locations.some(isUsable)) break
    locations.push(await attempt(url))
  }
  return locations
}

function isUsable({ metadata, findings }: Location): boolean {
  return metadata?.jwksUri !== undefined && !findings.some(({ code }) => code === 'issuer-mismatch')
}

function bestOf(locations: readonly [Location, ...Location[]]): Location {
  return locations.find(isUsable) ?? locations.find(({ metadata }) => metadata !== undefined) ?? locations[0]
}

/** A slow response is fetched once more, and the shorter time counts: a busy machine must not look like a slow provider. */
async function fetchTimed(fetcher: DocumentFetcher, url: URL, accept: string): Promise<DocumentOutcome> {
  const outcome = await fetcher.get(url, accept)
  if (outcome.kind === 'failure' || !isSlow(outcome)) return outcome
  const again = await fetcher.get(url, accept)
  return { ...outcome, duration: Math.min(outcome.duration, again.duration) }
}

async function diagnoseKeySet(
  url: URL,
  metadata: { readonly response: DocumentResponse | undefined; readonly algorithms: readonly string[] } | undefined,
  fetcher: DocumentFetcher,
  progress: Progress,
): Promise<PartialDiagnosis> {
  progress.step(`Fetching ${url.href}`)
  const first = await fetchTimed(fetcher, url, KEY_SET_TYPES)
  const documents = [{ subject: 'key set' as const, url: url.href, outcome: first }]
  const { json, findings } = checkResponse('key set', first)
  if (first.kind === 'failure' || json === undefined) return { documents, keys: [], lifetimes: undefined, findings }
  const keySet = checkKeySet(json.value)
  const hasUsableKey = keySet.keys.some(({ isUsed }) => isUsed)
  const algorithms = hasUsableKey ? checkAlgorithms(metadata?.algorithms ?? [], json.value) : []
  const caching = checkCaching(first)
  progress.step('Fetching it again, to see whether its validators work')
  const again = { 'cache-control': 'no-cache' }
  const second = await fetcher.get(url, KEY_SET_TYPES, again)
  const validators = forgedValidators(first)
  const forged = validators && (await fetcher.get(url, KEY_SET_TYPES, { ...again, ...validators }))
  const { refreshAfter, freshFor, staleFor } = lifetimesOfResponse(first)
  return {
    documents,
    keys: keySet.keys,
    lifetimes: { refreshAfter, freshFor, staleFor },
    findings: [
      ...findings,
      ...keySet.findings,
      ...algorithms,
      ...caching,
      ...checkValidators({ first, second, forged, metadata: metadata?.response }),
    ],
  }
}
