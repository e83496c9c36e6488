import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { hasPinnedKey, isEveryPathPinned, isSpkiHash } from '../../../src/http/connection.ts'
import { failure, get, loopbackPolicy } from '../transport-scene.ts'
import { type Certified, certify, certifyServer, createHierarchy, createKeys, parsed, pinOf } from './certificates.ts'
import { startTlsServer, startTransport, type TlsServer } from './tls-scene.ts'

const hierarchy = createHierarchy()
const { root, intermediate, leaf } = hierarchy
const stranger = certify({ subject: 'stranger' })

/** How a request to a server that presents these certificates ends, and what the server saw of it. */
async function outcomeOf(
  chain: readonly [Certified, ...Certified[]],
  pinned: readonly Certified[],
  trusted: readonly Certified[] = [root],
): Promise<readonly [outcome: string, requests: number]> {
  const server = await startTlsServer({ chain })
  const request = {
    url: server.url,
    document: 'key set' as const,
    headers: {},
    signal: new AbortController().signal,
    timeout: 5_000,
  }
  const policy = { ...loopbackPolicy, pinnedSpki: pinned.map(pinOf) }
  const outcome = await failure(startTransport(trusted).get(request, policy))
  return [outcome, server.requests.length]
}

/** A connection that any client would make. */
async function connectTo({ port }: TlsServer, trusted: Certified, session?: Buffer): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    servername: 'localhost',
    port,
    ca: trusted.certificate,
    ...(session === undefined ? {} : { session }),
  })
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'secureConnect')
  return socket
}

describe('a pin', () => {
  it.each(['leaf', 'intermediate', 'root'] as const)("on the %s's key lets a request pass", async (name) => {
    expect(await outcomeOf([leaf, intermediate], [hierarchy[name]])).toEqual(['none', 1])
  })

  it('on the root holds where the root is presented, too', async () => {
    expect(await outcomeOf([leaf, intermediate, root], [root])).toEqual(['none', 1])
  })

  it('on another key refuses, before anything is sent', async () => {
    expect(await outcomeOf([leaf, intermediate], [stranger])).toEqual(['KeyPinMismatchError', 0])
  })

  it('may be one of several', async () => {
    expect(await outcomeOf([leaf, intermediate], [stranger, intermediate])).toEqual(['none', 1])
  })

  it('on a key that is kept in a renewed certificate holds on', async () => {
    const renewed = certifyServer(intermediate, { keys: leaf.keys })
    expect(await outcomeOf([renewed, intermediate], [leaf])).toEqual(['none', 1])
  })

  it('does not replace the verification of the certificate', async () => {
    expect(await outcomeOf([leaf, intermediate], [leaf], [stranger])).toEqual(['UpstreamUnreachableError', 0])
  })

  it('has the certificate verified where NODE_TLS_REJECT_UNAUTHORIZED would not', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    onTestFinished(() => {
      vi.unstubAllEnvs()
      vi.restoreAllMocks()
    })
    expect(await outcomeOf([leaf, intermediate], [], [stranger])).toEqual(['none', 1])
    expect(await outcomeOf([leaf, intermediate], [leaf], [stranger])).toEqual(['UpstreamUnreachableError', 0])
  })

  it('refuses a connection without TLS, before anything is sent', async () => {
    const issuer = await startIssuer()
    expect(await failure(get(issuer.jwksUri, { pinnedSpki: [pinOf(leaf)] }))).toBe('KeyPinMismatchError')
    expect(issuer.requestCount()).toBe(0)
  })
})

describe('a certificate with a pinned key that is merely presented', () => {
  it('does not count at the end of the chain', async () => {
    expect(await outcomeOf([leaf, intermediate, stranger], [stranger])).toEqual(['KeyPinMismatchError', 0])
  })

  it('does not count between others', async () => {
    expect(await outcomeOf([leaf, stranger, intermediate], [stranger])).toEqual(['KeyPinMismatchError', 0])
  })

  it.each(['root', 'intermediate'])("does not count under the %s's name", async (subject) => {
    const { keys } = stranger
    // Who has only the public key cannot sign with it; OpenSSL does not look at what it did not need.
    const forger = { subject: 'root', keys: createKeys() }
    const forged = certify({ subject, keys, issuer: forger })
    expect(pinOf(forged)).toBe(pinOf(stranger))
    expect(await outcomeOf([leaf, intermediate, forged], [stranger])).toEqual(['KeyPinMismatchError', 0])
  })

  it('is in the chain that Node reports, which therefore is not asked alone', async () => {
    const forger = { subject: 'root', keys: createKeys() }
    const forged = certify({ subject: 'root', keys: stranger.keys, issuer: forger })
    const server = await startTlsServer({ chain: [leaf, intermediate, forged] })
    const socket = await connectTo(server, root)
    const { issuerCertificate } = socket.getPeerCertificate(true).issuerCertificate
    expect([socket.authorized, issuerCertificate.fingerprint256]).toEqual([true, parsed(forged).fingerprint256])
  })

  it('does not let sixteen more pass unread', async () => {
    const many = Array.from({ length: 16 }, () => stranger)
    expect(await outcomeOf([leaf, intermediate, ...many], [leaf])).toEqual(['KeyPinMismatchError', 0])
    expect(await outcomeOf([leaf, intermediate, ...many.slice(1)], [root])).toEqual(['none', 1])
  })
})

describe('a cross-signed authority', () => {
  it('does not vouch by a pinned key for what was verified without it', async () => {
    const [trusted, pinned] = [certify({ subject: 'trusted' }), certify({ subject: 'pinned' })]
    const authority = certify({ subject: 'authority', issuer: trusted })
    // A customer of the pinned authority has a certificate for the same key, for purposes of its own.
    const crossed = certify({ subject: 'authority', keys: authority.keys, issuer: pinned })
    const server = certifyServer(authority)
    const both = [trusted, pinned]
    expect(await outcomeOf([server, authority, crossed], [pinned], both)).toEqual(['KeyPinMismatchError', 0])
    expect(await outcomeOf([server, crossed, authority], [pinned], both)).toEqual(['KeyPinMismatchError', 0])
    expect(await outcomeOf([server, crossed], [pinned], both)).toEqual(['none', 1])
  })

  it('passes by its own key, and by those of all that signed it', async () => {
    const [one, other] = [certify({ subject: 'one' }), certify({ subject: 'other' })]
    const authority = certify({ subject: 'authority', issuer: one })
    const crossed = certify({ subject: 'authority', keys: authority.keys, issuer: other })
    const server = certifyServer(authority)
    expect(await outcomeOf([server, authority, crossed], [authority], [one, other])).toEqual(['none', 1])
    expect(await outcomeOf([server, authority, crossed], [one, other], [one, other])).toEqual(['none', 1])
  })

  it('that is trusted itself does not pass by who signed it', async () => {
    const older = certify({ subject: 'older' })
    const crossed = certify({ subject: 'root', keys: root.keys, issuer: older })
    const chain = [leaf, intermediate, crossed] as const
    expect(await outcomeOf(chain, [older], [root, older])).toEqual(['KeyPinMismatchError', 0])
    expect(await outcomeOf(chain, [root], [root, older])).toEqual(['none', 1])
  })

  it('that signed who signed it is no endless path', async () => {
    const [one, other] = [certify({ subject: 'one' }), certify({ subject: 'other' })]
    const oneByOther = certify({ subject: 'one', keys: one.keys, issuer: other })
    const otherByOne = certify({ subject: 'other', keys: other.keys, issuer: one })
    const server = certifyServer(one)
    const issuers = [oneByOther, otherByOne].map(parsed)
    expect(isEveryPathPinned(parsed(server), new Set([pinOf(stranger)]), () => issuers)).toBe(false)
    expect(isEveryPathPinned(parsed(server), new Set([pinOf(other)]), () => issuers)).toBe(true)
  })
})

describe('a connection', () => {
  it('has its root pinned where only the connection itself knows of it', async () => {
    const server = await startTlsServer({ chain: [leaf, intermediate] })
    const pinned = async (by: Certified): Promise<boolean> =>
      hasPinnedKey(await connectTo(server, root), new Set([pinOf(by)]), () => [])
    expect([await pinned(root), await pinned(stranger)]).toEqual([true, false])
  })

  it('does not take a forged root for the one that only it knows of', async () => {
    const forger = { subject: 'root', keys: createKeys() }
    const forged = certify({ subject: 'root', keys: stranger.keys, issuer: forger })
    const server = await startTlsServer({ chain: [leaf, intermediate, forged] })
    const socket = await connectTo(server, root)
    expect(hasPinnedKey(socket, new Set([pinOf(stranger)]), () => [])).toBe(false)
  })

  it.each([
    ['has resumed a session', { isSessionReused: () => true }],
    ['was not verified', { authorized: false }],
  ])('that %s does not pass, whatever it shows', async (_, said) => {
    const server = await startTlsServer({ chain: [leaf, intermediate] })
    const socket = Object.assign(await connectTo(server, root), said)
    expect(hasPinnedKey(socket, new Set([pinOf(leaf)]), () => [])).toBe(false)
  })

  it('does not pass with a resumed session', async () => {
    const server = await startTlsServer({ chain: [leaf, intermediate] })
    const first = await connectTo(server, root)
    const pins = new Set([pinOf(leaf)])
    expect(hasPinnedKey(first, pins, () => [])).toBe(true)
    const [session] = (await once(first, 'session')) as [Buffer]
    const second = await connectTo(server, root, session)
    expect([second.isSessionReused(), hasPinnedKey(second, pins, () => [])]).toEqual([true, false])
  })
})

describe('the hash of a key', () => {
  it('is 32 bytes in base64', () => {
    expect(isSpkiHash(pinOf(leaf))).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['without padding', 'A'.repeat(43)],
    ['with a prefix', `sha256/${'A'.repeat(43)}=`],
    ['of another length', Buffer.alloc(31).toString('base64')],
    ['of SHA-512', Buffer.alloc(64).toString('base64')],
    ['in base64url', Buffer.alloc(32, 0xff).toString('base64url')],
    ['in hexadecimal', Buffer.alloc(32).toString('hex')],
    ['with white space', `${'A'.repeat(43)}=\n`],
    ['with bits in the padding', `${'A'.repeat(42)}B=`],
  ])('is not %s', (_, text) => {
    expect(isSpkiHash(text)).toBe(false)
  })
})
