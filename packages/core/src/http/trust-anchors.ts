import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'

/** The authorities that connections trust, read when they are needed. */
export type TrustAnchors = () => readonly X509Certificate[]

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Splits PEM text, perhaps a bundle, into certificates.
 *
 * @returns `undefined` where a text has no certificate, or one that cannot be read
 */
export function splitPem(texts: readonly string[]): readonly string[] | undefined {
  const certificates = texts.map((text) => text.match(PEM_CERTIFICATE) ?? [])
  const all = certificates.flat()
  return certificates.every((found) => found.length > 0) && all.every(isCertificate) ? all : undefined
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

/** The given authorities as certificates, parsed on first use. */
export function trustAnchorsOf(pems: readonly string[]): TrustAnchors {
  let anchors: readonly X509Certificate[] | undefined
  return () => {
    anchors ??= pems.map((pem) => new X509Certificate(pem))
    return anchors
  }
}

/**
 * Node's own authorities as certificates, parsed on first use, and again if Node's list is replaced: some 150
 * certificates, so share what this returns.
 */
export function createDefaultTrustAnchors(): TrustAnchors {
  let source: readonly string[] | undefined
  let anchors: TrustAnchors = () => []
  return () => {
    const current = defaultAuthorities()
    if (current !== source) {
      anchors = trustAnchorsOf(current)
      source = current
    }
    return anchors()
  }
}

/**
 * What Node trusts where no `ca` is given. Before Node 22.15 that cannot be read, and these are the bundled authorities
 * only; what NODE_EXTRA_CA_CERTS or OpenSSL's own store add is found by the connection that uses it.
 */
function defaultAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => readonly string[] }
  return getCACertificates?.('default') ?? tls.rootCertificates
}
