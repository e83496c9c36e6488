import { isObject, parseUrl } from '@jwks-auth/core/diagnostics'
import { hasKeyFor, isSupported } from './check-keys.ts'
import { type Finding, finding } from './findings.ts'

/** What metadata says about the key set. */
export interface MetadataReading {
  readonly findings: readonly Finding[]
  readonly jwksUri: URL | undefined
  readonly algorithms: readonly string[]
}

/** Checks the issuer itself (RFC 8414 §2). */
export function checkIssuer(issuer: URL, allowHttp: boolean): readonly Finding[] {
  const findings: Finding[] = []
  if (issuer.search !== '' || issuer.hash !== '') {
    findings.push(finding('issuer-malformed', 'issuer', 'The issuer has a query or a fragment'))
  }
  if (issuer.protocol === 'http:' && !allowHttp) {
    findings.push(finding('http', 'issuer', 'The issuer is an http: URL'))
  }
  return findings
}

/** Checks metadata (OpenID Connect Discovery 1.0 §3 and §4.3, RFC 8414 §2 and §3.3). */
export function checkMetadata(document: unknown, issuer: string, allowHttp: boolean): MetadataReading {
  if (!isObject(document)) {
    const findings = [finding('metadata-not-an-object', 'metadata', 'The metadata is not a JSON object')]
    return { findings, jwksUri: undefined, algorithms: [] }
  }
  const findings: Finding[] = []
  if (document['issuer'] !== issuer) findings.push(mismatch(document['issuer'], issuer))
  const jwksUri = readJwksUri(document['jwks_uri'], findings)
  if (jwksUri?.protocol === 'http:' && !allowHttp) {
    findings.push(finding('jwks-uri-http', 'metadata', 'jwks_uri is an http: URL'))
  } else if (jwksUri !== undefined && jwksUri.origin !== parseUrl(issuer)?.origin) {
    findings.push(finding('jwks-uri-other-origin', 'metadata', `jwks_uri is at another origin, ${jwksUri.origin}`))
  }
  const listed = document['id_token_signing_alg_values_supported']
  const algorithms = Array.isArray(listed) ? listed.filter((alg) => typeof alg === 'string') : []
  return { findings, jwksUri, algorithms }
}

function mismatch(named: unknown, issuer: string): Finding {
  const isSlash = typeof named === 'string' && named.replace(/\/$/, '') === issuer.replace(/\/$/, '')
  const shown = typeof named === 'string' ? `names the issuer ${named}` : 'names no issuer'
  const hint = isSlash ? ': they differ in the slash at the end' : ''
  return finding('issuer-mismatch', 'metadata', `The metadata of ${issuer} ${shown}${hint}`)
}

function readJwksUri(value: unknown, findings: Finding[]): URL | undefined {
  if (typeof value !== 'string' || value === '') {
    findings.push(finding('jwks-uri-missing', 'metadata', 'The metadata has no jwks_uri'))
    return undefined
  }
  const url = parseUrl(value)
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url
  findings.push(finding('jwks-uri-malformed', 'metadata', 'jwks_uri is not an absolute https: URL'))
  return undefined
}

/** Checks that the keys can sign as the metadata says. */
export function checkAlgorithms(algorithms: readonly string[], keySet: unknown): readonly Finding[] {
  const supported = algorithms.filter(isSupported)
  if (supported.length === 0 || hasKeyFor(keySet, supported)) return []
  const message = `The metadata lists ${supported.join(', ')}, and no published key fits`
  return [finding('algorithms-without-key', 'metadata', message)]
}
