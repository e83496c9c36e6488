import {
  ContentCodingNotSupportedError,
  ResponseTooLargeError,
  UpstreamAddressNotAllowedError,
  UpstreamUrlNotAllowedError,
} from '@jwks-auth/core'
import { providerDefaults } from '@jwks-auth/core/diagnostics'
import {
  type DocumentFailure,
  type DocumentOutcome,
  type DocumentResponse,
  RedirectNotFollowed,
  type TlsFacts,
} from './fetch-document.ts'
import { type Finding, type FindingCode, finding, type Subject } from './findings.ts'

/** Milliseconds. */
const SLOW = 1_000
/** Bytes: what a hundred RSA keys with certificates take. */
const LARGE = 262_144
/** Renewal is due when a third is left (Let's Encrypt's advice); a tenth is late. */
const LATE = 0.1

const JSON_TYPES = /^application\/(?:json|jwk-set\+json|[\w.+-]+\+json)$/

/** A JSON document, where the outcome has one. */
export interface DocumentReading {
  readonly findings: readonly Finding[]
  /** `undefined` where there is no JSON. */
  readonly json: { readonly value: unknown } | undefined
}

/** Checks connection, redirects, status, headers and body of a document. */
export function checkResponse(subject: Subject, outcome: DocumentOutcome): DocumentReading {
  if (outcome.kind === 'failure') return { findings: [failureFinding(subject, outcome)], json: undefined }
  const findings = [...connectionFindings(subject, outcome), ...redirectFindings(subject, outcome)]
  if (outcome.status !== 200) {
    return { findings: [...findings, finding('status', subject, statusMessage(outcome))], json: undefined }
  }
  const { text } = outcome.body
  const unreadable = text === undefined ? codingFailure(outcome) : unreadableBody(outcome, text)
  if (unreadable !== undefined || text === undefined) {
    const [code, message] = unreadable ?? ['not-json', 'The body cannot be read']
    return { findings: [...findings, finding(code, subject, message)], json: undefined }
  }
  return {
    findings: [...findings, ...bodyFindings(subject, outcome, text)],
    json: { value: JSON.parse(text) as unknown },
  }
}

/** Every error code of an error and its causes, the outermost first. */
function codesOf(error: unknown): readonly string[] {
  const codes: string[] = []
  let current = error
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if ('code' in current && typeof current.code === 'string') codes.push(current.code)
    current = current.cause
  }
  return codes
}

const BY_ERROR_CODE: ReadonlyMap<string, readonly [FindingCode, string]> = new Map([
  ['ENOTFOUND', ['name-not-resolved', 'The host has no address']],
  ['EAI_AGAIN', ['name-not-resolved', 'The DNS server does not answer']],
  ['ECONNREFUSED', ['unreachable', 'The connection is refused']],
  ['CERT_HAS_EXPIRED', ['certificate-expired', 'The certificate has expired']],
  ['CERT_NOT_YET_VALID', ['certificate-not-yet-valid', 'The certificate is not valid yet']],
  ['ERR_TLS_CERT_ALTNAME_INVALID', ['certificate-wrong-host', 'The certificate is for another host']],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', ['certificate-not-trusted', 'The certificate is signed by itself']],
  ['SELF_SIGNED_CERT_IN_CHAIN', ['certificate-not-trusted', 'The authority of the certificate is not trusted']],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', ['certificate-not-trusted', 'An intermediate certificate is missing']],
  ['UNABLE_TO_GET_ISSUER_CERT', ['certificate-not-trusted', 'The authority of the certificate is not known']],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', ['certificate-not-trusted', 'The authority of the certificate is not known']],
  ['CERT_SIGNATURE_FAILURE', ['certificate-not-trusted', 'The signature of the certificate is wrong']],
])

const REDIRECT_FINDINGS = {
  http: ['redirect-to-http', 'It redirects to an http: URL'],
  'too-many': ['too-many-redirects', 'It redirects more than three times'],
  'no-location': ['redirect-without-location', 'It redirects without a Location that is a URL'],
} as const satisfies Record<RedirectNotFollowed['reason'], readonly [FindingCode, string]>

function failureFinding(subject: Subject, failure: DocumentFailure): Finding {
  const [code, message] = failureOf(failure)
  return finding(code, subject, message)
}

function failureOf({ error, step, isTimeout, duration }: DocumentFailure): readonly [FindingCode, string] {
  if (isTimeout) return ['timed-out', `No complete response after ${Math.round(duration)} ms (${step})`]
  if (error instanceof RedirectNotFollowed) return REDIRECT_FINDINGS[error.reason]
  if (error instanceof UpstreamAddressNotAllowedError) {
    return ['address-not-allowed', 'The host has only addresses that are not allowed']
  }
  if (error instanceof UpstreamUrlNotAllowedError) return ['url-not-allowed', `The URL is not allowed: ${error.reason}`]
  const codes = codesOf(error)
  const known = codes.map((code) => BY_ERROR_CODE.get(code)).find((entry) => entry !== undefined)
  if (known !== undefined) return known
  const detail = codes[0] === undefined ? '' : `: ${codes[0]}`
  if (step === 'TLS handshake') return ['tls-failed', `The TLS handshake has failed${detail}`]
  if (step === 'reading the response') return ['cut-off', `The response was cut off${detail}`]
  return ['unreachable', `There is no response (${step}${detail})`]
}

function connectionFindings(subject: Subject, { duration, tls }: DocumentResponse): readonly Finding[] {
  const findings: Finding[] = []
  if (isSlow({ duration })) findings.push(finding('slow', subject, `The response took ${Math.round(duration)} ms`))
  if (tls !== undefined && isNearExpiry(tls, Date.now())) {
    const at = new Date(tls.validTo).toISOString()
    findings.push(finding('certificate-expires-soon', subject, `The certificate expires at ${at}`))
  }
  return findings
}

/** True for a response that took longer than a second. */
export function isSlow({ duration }: Pick<DocumentResponse, 'duration'>): boolean {
  return duration > SLOW
}

function isNearExpiry({ validFrom, validTo }: TlsFacts, now: number): boolean {
  return (validTo - now) / (validTo - validFrom) < LATE
}

function redirectFindings(subject: Subject, { hops, url }: DocumentResponse): readonly Finding[] {
  return hops.length > 1 ? [finding('redirected', subject, `It redirects to ${url}`)] : []
}

function statusMessage({ status }: DocumentResponse): string {
  const hints: Readonly<Record<number, string>> = {
    204: ', without a document',
    304: ' to a request without validators',
    401: ': it wants authentication; see the option headers',
    403: ': it is forbidden, perhaps by a firewall',
    404: ': there is no such document',
    406: ': it refuses application/jwk-set+json and application/json',
  }
  return `The status is ${status}${hints[status] ?? ''}`
}

/** Why a body has no text. */
function codingFailure({ body, size }: DocumentResponse): readonly [FindingCode, string] {
  if (body.error instanceof ContentCodingNotSupportedError) {
    return ['coding-not-supported', 'The body has a Content-Encoding that was not asked for']
  }
  if (size > providerDefaults.maxResponseBytes || body.error instanceof ResponseTooLargeError) {
    return ['too-large', `The body is longer than ${providerDefaults.maxResponseBytes} bytes`]
  }
  return ['coding-broken', 'The body is not what its Content-Encoding says']
}

/** Why a text is no JSON document. */
function unreadableBody({ body, status }: DocumentResponse, text: string): readonly [FindingCode, string] | undefined {
  if (body.isUnlabelledGzip) return ['coding-missing', 'The body is gzip, and there is no Content-Encoding']
  if (text.trim() === '') return ['empty', `The body is empty, with status ${status}`]
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return /^\s*</.test(text) ? ['html', 'The body is a web page'] : ['not-json', 'The body is not JSON']
  }
}

function bodyFindings(subject: Subject, { headers, body, size }: DocumentResponse, text: string): readonly Finding[] {
  const findings: Finding[] = []
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type === undefined || !JSON_TYPES.test(type)) {
    const shown = type === undefined ? 'There is no Content-Type' : `The Content-Type is ${type}`
    findings.push(finding('content-type', subject, shown))
  }
  if (body.isMislabelled) {
    const coding = headers['content-encoding'] ?? ''
    findings.push(finding('coding-mislabelled', subject, `Content-Encoding is ${coding}, and the body is not encoded`))
  }
  if (body.hasByteOrderMark)
    findings.push(finding('byte-order-mark', subject, 'The body begins with a byte order mark'))
  if (Math.max(size, text.length) > LARGE) findings.push(finding('large', subject, `The body has ${text.length} bytes`))
  return findings
}
