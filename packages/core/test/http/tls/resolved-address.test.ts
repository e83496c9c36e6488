import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { ResolveName } from '../../../src/http/addresses.ts'
import type { TransportPolicy } from '../../../src/http/transport.ts'
import { failure, loopbackPolicy } from '../transport-scene.ts'
import { certifyServer, createHierarchy, pinOf } from './certificates.ts'
import { resolvesTo, startTlsServer, startTransport } from './tls-scene.ts'

const { root, intermediate } = createHierarchy()
const leaf = certifyServer(intermediate, { addresses: ['127.0.0.1', '127.0.0.2'] })
const chain = [leaf, intermediate] as const

/** What loopback has to offer as an address of the public network: one that is exempt from the rules. */
const publicAddress = '127.0.0.2'
const policy: TransportPolicy = { ...loopbackPolicy, network: 'public', allowAddresses: [publicAddress] }

/** Two servers at one port, of which only one has an address that is allowed. */
async function startPair() {
  const port = await portFreeOnBoth()
  const reachable = await startTlsServer({ chain, host: publicAddress, port })
  const secret = await startTlsServer({ chain, host: '127.0.0.1', port })
  return { reachable, secret, url: `https://issuer.example:${port}/jwks` }
}

/** A port that nothing uses on any address: one that is free on one of them may be taken on another. */
async function portFreeOnBoth(): Promise<number> {
  const server = createServer().listen(0, '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function requestFor(url: string) {
  return { url, document: 'key set' as const, headers: {}, signal: new AbortController().signal, timeout: 5_000 }
}

describe('a name', () => {
  it('that is public at first and 127.0.0.1 at the next connection leads there no more', async () => {
    const { reachable, secret, url } = await startPair()
    const answers = [publicAddress, '127.0.0.1']
    const resolveName: ResolveName = (hostname, options, callback) =>
      resolvesTo(answers.shift() ?? '127.0.0.1')(hostname, options, callback)
    const fetchAnew = async (): Promise<string> =>
      await failure(startTransport([root], { resolveName }).get(requestFor(url), policy))
    expect(await fetchAnew()).toBe('none')
    expect(await fetchAnew()).toBe('UpstreamAddressNotAllowedError')
    expect([reachable.connections(), secret.connections()]).toEqual([1, 0])
  })

  it('is resolved once for a connection, so that what was checked is what is connected to', async () => {
    const { reachable, secret, url } = await startPair()
    let asked = 0
    const resolveName: ResolveName = (hostname, options, callback) => {
      asked += 1
      resolvesTo(asked === 1 ? publicAddress : '127.0.0.1')(hostname, options, callback)
    }
    expect(await failure(startTransport([root], { resolveName }).get(requestFor(url), policy))).toBe('none')
    expect([asked, reachable.connections(), secret.connections()]).toEqual([1, 1, 0])
  })

  it.each([
    ['after', [publicAddress, '127.0.0.1']],
    ['before', ['127.0.0.1', publicAddress]],
  ])('with 127.0.0.1 %s a public address leads to that only', async (_, addresses) => {
    const { reachable, secret, url } = await startPair()
    const transport = startTransport([root], { resolveName: resolvesTo(...addresses) })
    expect(await failure(transport.get(requestFor(url), policy))).toBe('none')
    expect([reachable.connections(), secret.connections()]).toEqual([1, 0])
  })

  it('does not fall back on 127.0.0.1 where the public address does not answer', async () => {
    const secret = await startTlsServer({ chain, host: '127.0.0.1' })
    const transport = startTransport([root], { resolveName: resolvesTo(publicAddress, '127.0.0.1') })
    const url = `https://issuer.example:${secret.port}/jwks`
    expect(await failure(transport.get(requestFor(url), policy))).toBe('UpstreamUnreachableError')
    expect(secret.connections()).toBe(0)
  })

  it.each(['169.254.169.254', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', 'fd00:ec2::254'])(
    "of %s leads nowhere, be the network 'any'",
    async (address) => {
      const transport = startTransport([root], { resolveName: resolvesTo(address) })
      const fetched = transport.get(requestFor('https://issuer.example/jwks'), loopbackPolicy)
      expect(await failure(fetched)).toBe('UpstreamAddressNotAllowedError')
    },
  )
})

describe('a redirect over TLS', () => {
  /** Fetches from the configured origin, which alone may be on loopback, and is sent elsewhere. */
  async function redirected(location: (port: number) => string, ofProvider: Partial<TransportPolicy> = {}) {
    let target = ''
    const server = await startTlsServer({
      chain,
      answer: ({ url }, response) => {
        if (url === '/jwks') response.writeHead(302, { location: target })
        response.end('{}')
      },
    })
    target = location(server.port)
    const configuredOrigin = `https://localhost:${server.port}`
    const fetched = startTransport([root]).get(requestFor(server.url), {
      ...loopbackPolicy,
      requireHttps: true,
      networkIsExplicit: false,
      configuredOrigin,
      ...ofProvider,
    })
    return { outcome: await failure(fetched), requests: server.requests }
  }

  it.each([
    ['169.254.169.254', 'UpstreamAddressNotAllowedError'],
    ['[::ffff:169.254.169.254]', 'UpstreamAddressNotAllowedError'],
    ['127.0.0.1', 'UpstreamAddressNotAllowedError'],
    ['[::ffff:127.0.0.1]', 'UpstreamAddressNotAllowedError'],
    ['0x7f.1', 'UpstreamAddressNotAllowedError'],
    ['0177.0.0.1', 'UpstreamAddressNotAllowedError'],
    ['2130706433', 'UpstreamAddressNotAllowedError'],
    ['127.0.0.1.', 'UpstreamAddressNotAllowedError'],
    ['[::1]', 'UpstreamAddressNotAllowedError'],
    ['other.example', 'UpstreamAddressNotAllowedError'],
  ])('to %s ends with %s', async (host, expected) => {
    const { outcome, requests } = await redirected((port) => `https://${host}:${port}/moved`)
    expect([outcome, requests]).toEqual([expected, ['/jwks']])
  })

  it.each([
    ['http:', (port: number) => `http://localhost:${port}/moved`],
    ['credentials', (port: number) => `https://user@localhost:${port}/moved`],
    ['a script', () => 'javascript:alert(1)'],
    ['data', () => 'data:application/json,{"keys":[]}'],
    ['a blob', (port: number) => `blob:https://localhost:${port}/moved`],
    ['a WebSocket', (port: number) => `wss://localhost:${port}/moved`],
  ])('to %s is refused', async (_, location) => {
    const { outcome, requests } = await redirected(location, { networkIsExplicit: true })
    expect([outcome, requests]).toEqual(['UpstreamUrlNotAllowedError', ['/jwks']])
  })

  it.each([
    ['localhost.', 'none'],
    ['LOCALHOST', 'none'],
    ['other.example', 'UpstreamUrlNotAllowedError'],
    ['localhost.other.example', 'UpstreamUrlNotAllowedError'],
    ['notlocalhost', 'UpstreamUrlNotAllowedError'],
  ])('within allowedDomains to %s ends with %s', async (host, expected) => {
    const policyOfProvider = { networkIsExplicit: true, allowedDomains: ['localhost'] }
    const { outcome } = await redirected((port) => `https://${host}:${port}/moved`, policyOfProvider)
    expect(outcome).toBe(expected)
  })

  it('is followed ten times at most, so that eleven and a circle end', async () => {
    for (const [times, expected] of [
      [10, 'none'],
      [11, 'UpstreamUrlNotAllowedError'],
      [Number.POSITIVE_INFINITY, 'UpstreamUrlNotAllowedError'],
    ] as const) {
      let sent = 0
      const server = await startTlsServer({
        chain,
        answer: (_, response) => {
          sent += 1
          if (sent <= times) response.writeHead(307, { location: sent % 2 === 0 ? '/jwks' : '/back' })
          response.end('{}')
        },
      })
      const fetched = startTransport([root]).get(requestFor(server.url), { ...loopbackPolicy, maxRedirects: 10 })
      expect([await failure(fetched), sent]).toEqual([expected, 11])
    }
  })

  it.each([
    ['where the operator said network', { networkIsExplicit: true }],
    ['without an explicit network', { networkIsExplicit: false, allowAddresses: ['127.0.0.1'] }],
  ])('has its target show a pinned key, too, %s', async (_, said) => {
    const other = createHierarchy('-other')
    const elsewhere = await startTlsServer({ chain: [other.leaf, other.intermediate] })
    const fetchWith = async (...pinnedSpki: readonly string[]) => {
      const server = await startTlsServer({
        chain,
        answer: (__, response) => response.writeHead(302, { location: elsewhere.url }).end(),
      })
      const transport = startTransport([root, other.root])
      return await failure(transport.get(requestFor(server.url), { ...loopbackPolicy, ...said, pinnedSpki }))
    }
    expect(await fetchWith(pinOf(leaf))).toBe('KeyPinMismatchError')
    expect(elsewhere.requests).toEqual([])
    expect(await fetchWith(pinOf(leaf), pinOf(other.root))).toBe('none')
  })
})
