import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'

/** The authorities that connections trust, read when they are needed. */
export type TrustAnchors = () => readonly X509Certificate[]

/**
 * The authorities in `ca`, or Node's own. They are parsed on first use, and again if Node's list is replaced: some
 * 150 certificates, so share what this returns.
 */
export function createTrustAnchors(ca: readonly string[] | undefined): TrustAnchors {
  let source: readonly string[] | undefined
  let anchors: readonly X509Certificate[] = []
  return () => {
    const current = ca ?? defaultAuthorities()
    if (current !== source) {
      anchors = current.map((pem) => new X509Certificate(pem))
      source = current
    }
    return anchors
  }
}

/**
 * What Node trusts where no `ca` is given. Before Node 22.15 that cannot be asked for, and these are the bundled
 * authorities only; what NODE_EXTRA_CA_CERTS or OpenSSL's own store add is found by the connection that uses it.
 */
function defaultAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => readonly string[] }
  return getCACertificates?.('default') ?? tls.rootCertificates
}
