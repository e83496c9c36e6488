import { X509Certificate } from 'node:crypto'
import type { KeyRefusal } from '@jwks-auth/core'
import {
  algorithmDefinition,
  createKeyImporter,
  fitsAlgorithm,
  isObject,
  providerDefaults,
  readKey,
  thumbprintOf,
  type Unchecked,
  type VerificationKey,
} from '@jwks-auth/core/diagnostics'
import { type Finding, type FindingCode, finding } from './findings.ts'

/** One published key. Members are as they were published, so they must be made printable. */
export interface KeyReport {
  readonly kid: string | undefined
  readonly kty: string | undefined
  readonly alg: string | undefined
  readonly use: string | undefined
  /** `2048 bits` or the curve. */
  readonly size: string | undefined
  /** By RFC 7638 with SHA-256; absent for keys that are not used. */
  readonly thumbprint: string | undefined
  /** True where jwksAuth verifies signatures with it. */
  readonly isUsed: boolean
}

/** The keys of a set, and what is wrong with them. */
export interface KeySetReport {
  readonly keys: readonly KeyReport[]
  readonly findings: readonly Finding[]
}

const MAX_KID_BYTES = 256
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'Ed25519']

const REFUSALS: Readonly<Record<KeyRefusal, readonly [FindingCode, string]>> = {
  malformed: ['key-malformed', 'A member is missing, malformed or no point of the curve'],
  private: ['key-private', 'It is published with its private half'],
  symmetric: ['key-symmetric', 'It is a symmetric key'],
  'rsa-size': ['key-too-short', 'The RSA key is too short'],
  'rsa-exponent': ['key-exponent', 'The RSA exponent is even or longer than 32 bits'],
  forgeable: ['key-forgeable', 'Its signatures can be forged'],
  'too-many': ['too-many-keys', 'There are too many keys'],
  'import-failed': ['key-not-importable', 'This build of OpenSSL cannot import it'],
  immutable: ['key-malformed', 'It has changed'],
}

/** Checks a key set. */
export function checkKeySet(document: unknown): KeySetReport {
  const members = isObject(document) ? document['keys'] : undefined
  if (!Array.isArray(members)) {
    return { keys: [], findings: [finding('not-a-key-set', 'key set', 'There is no list called keys')] }
  }
  const published: readonly unknown[] = members
  if (published.length === 0) return { keys: [], findings: [finding('no-keys', 'key set', 'The set has no keys')] }
  const findings: Finding[] = []
  if (published.length > providerDefaults.maxKeys) {
    findings.push(finding('too-many-keys', 'key set', `The set has ${published.length} keys`))
  }
  const checked = published.slice(0, providerDefaults.maxKeys).map(checkKey)
  findings.push(...checked.flatMap((key) => key.findings), ...duplicates(checked))
  if (!checked.some(({ report }) => report.isUsed)) {
    findings.push(finding('no-usable-key', 'key set', 'None of the keys can verify a signature'))
  }
  return { keys: checked.map(({ report }) => report), findings }
}

/** True where one of the keys verifies signatures of one of these algorithms. */
export function hasKeyFor(document: unknown, algorithms: readonly string[]): boolean {
  const members = isObject(document) && Array.isArray(document['keys']) ? document['keys'] : []
  return members.some((member) => {
    const reading = readKey(member)
    return reading.kind === 'key' && algorithms.some((alg) => fitsAlgorithm(reading.key, alg))
  })
}

interface CheckedKey {
  readonly index: number
  readonly report: KeyReport
  readonly findings: readonly Finding[]
  readonly material: string | undefined
}

function checkKey(member: unknown, index: number): CheckedKey {
  const jwk = isObject(member) ? member : {}
  const reading = readKey(member)
  const found: [FindingCode, string][] = []
  let material: string | undefined
  if (reading.kind === 'refused') {
    found.push(refusalOf(reading.reason, jwk))
  } else if (reading.kind === 'not-for-signatures') {
    found.push(purposeOf(jwk))
  } else {
    material = reading.key.material
    found.push(...usableKeyFindings(reading.key))
  }
  found.push(...memberFindings(jwk, reading.kind === 'not-for-signatures'))
  const isUsed =
    reading.kind === 'key' && !found.some(([code]) => code === 'alg-mismatch' || code === 'key-not-importable')
  const report: KeyReport = {
    kid: textOf(jwk['kid']),
    kty: textOf(jwk['kty']),
    alg: textOf(jwk['alg']),
    use: textOf(jwk['use']),
    size: sizeOf(jwk),
    thumbprint: reading.kind === 'key' ? thumbprintOf(reading.key) : undefined,
    isUsed,
  }
  return { index, report, material, findings: found.map(([code, text]) => finding(code, 'key set', text, index)) }
}

function refusalOf(reason: KeyRefusal, jwk: Unchecked): [FindingCode, string] {
  const [code, text] = REFUSALS[reason]
  const bits = rsaBits(jwk)
  if (reason === 'rsa-size' && bits !== undefined) {
    return bits > 2048 ? ['key-too-long', `The RSA key has ${bits} bits`] : [code, `The RSA key has ${bits} bits`]
  }
  return [code, text]
}

/** Why a valid key is not used for signatures: mostly on purpose. */
function purposeOf({ use, key_ops: operations, alg, kty, crv }: Unchecked): [FindingCode, string] {
  if (use === 'sig' && Array.isArray(operations) && !operations.includes('verify')) {
    return ['key-ops', 'use is sig, and key_ops does not have verify']
  }
  const reason =
    use === undefined || use === 'sig' ? `${textOf(alg) ?? textOf(crv) ?? textOf(kty)}` : `use ${textOf(use)}`
  return ['key-not-for-signatures', `It is not for signatures that jwksAuth supports (${reason})`]
}

function usableKeyFindings(key: VerificationKey): [FindingCode, string][] {
  const { alg, kty, crv } = key.jwk
  if (alg !== undefined && !fitsAlgorithm(key, alg)) {
    return [['alg-mismatch', `alg is ${alg}, and the key is ${crv ?? kty}`]]
  }
  const importable = alg ?? ALGORITHMS.find((each) => fitsAlgorithm(key, each))
  if (importable !== undefined && createKeyImporter().importKey(key, importable) === undefined) {
    return [['key-not-importable', 'This build of OpenSSL cannot import it']]
  }
  return alg === undefined ? [['key-without-alg', 'It has no alg']] : []
}

function memberFindings(jwk: Unchecked, isIgnored: boolean): [FindingCode, string][] {
  const found: [FindingCode, string][] = []
  const { kid } = jwk
  if (!isIgnored && (kid === undefined || kid === null)) found.push(['key-without-kid', 'It has no kid'])
  if (typeof kid === 'string' && Buffer.byteLength(kid) > MAX_KID_BYTES) {
    found.push(['kid-too-long', `Its kid has ${Buffer.byteLength(kid)} bytes`])
  }
  if (hasForeignCertificate(jwk))
    found.push(['certificate-of-other-key', 'The first certificate of x5c has another key'])
  return found
}

function duplicates(keys: readonly CheckedKey[]): readonly Finding[] {
  const findings: Finding[] = []
  const byKid = new Map<string, CheckedKey>()
  const byMaterial = new Map<string, CheckedKey>()
  for (const key of keys) {
    const { kid } = key.report
    const sameKid = kid === undefined || key.material === undefined ? undefined : byKid.get(kid)
    const sameMaterial = key.material === undefined ? undefined : byMaterial.get(key.material)
    if (sameKid !== undefined && sameKid.material !== key.material) {
      findings.push(finding('duplicate-kid', 'key set', `It has the kid of key ${sameKid.index + 1}`, key.index))
    } else if (sameMaterial !== undefined && !isForOtherAlgorithm(sameMaterial.report, key.report)) {
      findings.push(finding('duplicate-key', 'key set', `It is the same as key ${sameMaterial.index + 1}`, key.index))
    }
    if (key.material === undefined) continue
    if (kid !== undefined && sameKid === undefined) byKid.set(kid, key)
    if (sameMaterial === undefined) byMaterial.set(key.material, key)
  }
  return findings
}

/** One RSA key for RS256 and PS256 is published twice, with two algorithms: that is right. */
function isForOtherAlgorithm(one: KeyReport, other: KeyReport): boolean {
  return one.alg !== undefined && other.alg !== undefined && one.alg !== other.alg
}

/** RFC 7517 §4.7: the key of the first certificate must be that of the JWK. */
function hasForeignCertificate({ x5c, ...jwk }: Unchecked): boolean {
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (typeof first !== 'string') return false
  try {
    const certified = readKey(new X509Certificate(Buffer.from(first, 'base64')).publicKey.export({ format: 'jwk' }))
    const published = readKey({ ...jwk, alg: undefined, use: undefined, key_ops: undefined })
    return certified.kind === 'key' && published.kind === 'key' && certified.key.material !== published.key.material
  } catch {
    return true
  }
}

function sizeOf(jwk: Unchecked): string | undefined {
  const bits = rsaBits(jwk)
  return bits === undefined ? textOf(jwk['crv']) : `${bits} bits`
}

function rsaBits({ kty, n }: Unchecked): number | undefined {
  if (kty !== 'RSA' || typeof n !== 'string') return undefined
  const hex = Buffer.from(n, 'base64').toString('hex').replace(/^0+/, '')
  return hex === '' ? 0 : (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] ?? '0', 16)))
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** True for an algorithm that jwksAuth verifies. */
export function isSupported(alg: string): boolean {
  return algorithmDefinition(alg) !== undefined
}
