import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { der, objectIdentifier, sequence, tags } from './der.ts'

const DAY = 86_400_000

export interface Keys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** A certificate with what signs for it. */
export interface Certified {
  readonly subject: string
  readonly keys: Keys
  /** As PEM. */
  readonly certificate: string
}

/** What a certificate is to say. */
export interface CertificateOptions {
  readonly subject: string
  /** Who signs; itself where there is none. */
  readonly issuer?: Pick<Certified, 'subject' | 'keys'>
  /** The public key in it; a new one where there is none. */
  readonly keys?: Keys
  readonly isAuthority?: boolean
  /** DNS names. */
  readonly names?: readonly string[]
  /** IPv4 addresses. */
  readonly addresses?: readonly string[]
  /** Epoch milliseconds. */
  readonly notAfter?: number
}

export function createKeys(): Keys {
  return generateKeys('ec', { namedCurve: 'P-256' })
}

const ecdsaWithSha256 = sequence(objectIdentifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))

/**
 * A certificate (RFC 5280 §4.1). Key identifiers are left out, so that names alone link it: the worst case for who
 * follows names.
 */
export function certify(options: CertificateOptions): Certified {
  const { subject, keys = createKeys(), notAfter = Date.now() + DAY } = options
  const issuer = options.issuer ?? { subject, keys }
  const toBeSigned = sequence(
    der(tags.constructed(0), der(tags.integer, Buffer.from([2]))),
    der(tags.integer, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    commonName(issuer.subject),
    sequence(time(notAfter - 2 * DAY), time(notAfter)),
    commonName(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    der(tags.constructed(3), extensions(options)),
  )
  const signature = sign('sha256', toBeSigned, issuer.keys.privateKey)
  const raw = sequence(toBeSigned, ecdsaWithSha256, der(tags.bitString, Buffer.from([0]), signature))
  return { subject, keys, certificate: new X509Certificate(raw).toString() }
}

/** A server's own certificate, for localhost and loopback where nothing else is said. */
export function certifyServer(issuer: Certified, options: Partial<CertificateOptions> = {}): Certified {
  return certify({
    subject: 'server',
    issuer,
    isAuthority: false,
    names: ['localhost', 'issuer.example', 'other.example'],
    addresses: ['127.0.0.1'],
    ...options,
  })
}

/** The private key as PEM. */
export function privateKeyOf({ keys }: Certified): string {
  return keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The pin of a certificate's key. */
export function pinOf({ keys }: Certified): string {
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}

/** As `node:crypto` has it. */
export function parsed({ certificate }: Certified): X509Certificate {
  return new X509Certificate(certificate)
}

/** An authority, one below it, and a server's certificate by that. */
export interface Hierarchy {
  readonly root: Certified
  readonly intermediate: Certified
  readonly leaf: Certified
}

export function createHierarchy(name = ''): Hierarchy {
  const root = certify({ subject: `root${name}` })
  const intermediate = certify({ subject: `intermediate${name}`, issuer: root })
  const leaf = certifyServer(intermediate)
  return { root, intermediate, leaf }
}

function commonName(name: string): Buffer {
  return sequence(der(tags.set, sequence(objectIdentifier(0x55, 0x04, 0x03), der(tags.utf8String, name))))
}

function time(at: number): Buffer {
  return der(tags.utcTime, `${new Date(at).toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')}Z`)
}

function extensions({ isAuthority = true, names = [], addresses = [] }: CertificateOptions): Buffer {
  const yes = der(tags.boolean, Buffer.from([0xff]))
  const basicConstraints = sequence(
    objectIdentifier(0x55, 0x1d, 0x13),
    yes,
    der(tags.octetString, sequence(...(isAuthority ? [yes] : []))),
  )
  const alternatives = [
    ...names.map((name) => der(tags.primitive(2), name)),
    ...addresses.map((address) => der(tags.primitive(7), Buffer.from(address.split('.').map(Number)))),
  ]
  if (alternatives.length === 0) return sequence(basicConstraints)
  const alternativeNames = sequence(
    objectIdentifier(0x55, 0x1d, 0x11),
    der(tags.octetString, sequence(...alternatives)),
  )
  return sequence(basicConstraints, alternativeNames)
}
