import { createHash, X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { TrustAnchors } from './trust-anchors.ts'

/** Servers present two to five certificates; each more costs signature checks, so that there must be an end to it. */
const MAX_PRESENTED = 16

/** True for a pin as RFC 7469 §2.4 writes it: the base64 of a SHA-256 hash, padding included. */
export function isSpkiHash(text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === text
}

/**
 * True where the connection's certificate was verified, in this very handshake, by way of a pinned key.
 *
 * Node tells which certificates were presented, and links them by name, but not which path OpenSSL has verified. So
 * this looks for a way round the pins instead: see {@link isEveryPathPinned}.
 */
export function hasPinnedKey(socket: TLSSocket, pins: ReadonlySet<string>, trustAnchors: TrustAnchors): boolean {
  // In a resumed session no certificate is sent, and Node does not compare the host's name.
  if (!socket.authorized || socket.isSessionReused()) return false
  // In this order: getPeerX509Certificate takes what was presented out of the connection, once and for all.
  const linked = linkedByName(socket)
  const leaf = socket.getPeerX509Certificate()
  const presented = presentedAfter(leaf)
  if (leaf === undefined || presented.length > MAX_PRESENTED) return false
  return isEveryPathPinned(leaf, pins, () => [...presented, ...linked, ...trustAnchors()])
}

/**
 * True where no path from the leaf, each link's signature checked, reaches its end without a pinned key. The path that
 * was verified is one of them, so it has a pinned key, too; what is merely presented is on none (CVE-2016-2402). It
 * does not matter here whether a link would pass for other reasons, such as its validity or its constraints.
 *
 * @param issuers what may have issued the leaf, or another of them
 */
export function isEveryPathPinned(
  leaf: X509Certificate,
  pins: ReadonlySet<string>,
  issuers: () => readonly X509Certificate[],
): boolean {
  if (isPinned(leaf, pins)) return true
  const known = issuers()
  const reached = new Map([[leaf.fingerprint256, leaf]])
  let pinned = false
  // A map's iteration comes by what is added meanwhile, and each certificate is in it once: circles end.
  for (const certificate of reached.values()) {
    if (isPinned(certificate, pins)) {
      pinned = true
      continue
    }
    const above = hasIssued(certificate, certificate) ? [] : known.filter((issuer) => hasIssued(issuer, certificate))
    if (above.length === 0) return false
    for (const issuer of above) reached.set(issuer.fingerprint256, issuer)
  }
  return pinned
}

/** All that the server sent after its own certificate, as it came: related or not, unchecked. */
function presentedAfter(leaf: X509Certificate | undefined): readonly X509Certificate[] {
  const presented: X509Certificate[] = []
  let next = leaf?.issuerCertificate
  while (next !== undefined && presented.length <= MAX_PRESENTED) {
    presented.push(next)
    next = next.issuerCertificate
  }
  return presented
}

/** Node's own chain, linked by name only; past what was presented it has the authorities that the connection trusts. */
function linkedByName(socket: TLSSocket): readonly X509Certificate[] {
  const chain = new Map<string, X509Certificate>()
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next?.raw !== undefined && !chain.has(next.fingerprint256)) {
    chain.set(next.fingerprint256, new X509Certificate(next.raw))
    next = next.issuerCertificate
  }
  return [...chain.values()]
}

function isPinned(certificate: X509Certificate, pins: ReadonlySet<string>): boolean {
  try {
    const key = certificate.publicKey.export({ type: 'spki', format: 'der' })
    return pins.has(createHash('sha256').update(key).digest('base64'))
  } catch {
    // A key of a kind that this OpenSSL does not know; it cannot have signed anything here either.
    return false
  }
}

/** By names, key identifiers and key usage (RFC 5280 §6.1), and by signature. */
function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}
