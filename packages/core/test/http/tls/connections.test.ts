import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Transport, TransportPolicy } from '../../../src/http/transport.ts'
import { failure, loopbackPolicy } from '../transport-scene.ts'
import { certify, certifyServer, createHierarchy, pinOf } from './certificates.ts'
import { startTlsServer, startTransport } from './tls-scene.ts'

const { root, intermediate, leaf } = createHierarchy()
const chain = [leaf, intermediate] as const

async function fetchBy(transport: Transport, url: string, policy: Partial<TransportPolicy> = {}): Promise<string> {
  const request = {
    url,
    document: 'key set' as const,
    headers: {},
    signal: new AbortController().signal,
    timeout: 5_000,
  }
  return await failure(transport.get(request, { ...loopbackPolicy, ...policy }))
}

describe('a TLS session', () => {
  const closing = (_: unknown, response: { end(body: string): void; shouldKeepAlive: boolean }): void => {
    response.shouldKeepAlive = false
    response.end('{}')
  }

  it.each<[string, Partial<TransportPolicy>]>([
    ['without pins', {}],
    ['with pins', { pinnedSpki: [pinOf(leaf)] }],
  ])('is never resumed, so that each handshake shows its certificates: %s', async (_, policy) => {
    const server = await startTlsServer({ chain, answer: closing })
    const transport = startTransport([root])
    expect(await fetchBy(transport, server.url, policy)).toBe('none')
    expect(await fetchBy(transport, server.url, policy)).toBe('none')
    expect(server.resumed).toEqual([false, false])
  })

  it('of a provider without pins is not resumed for one with pins', async () => {
    const server = await startTlsServer({ chain, answer: closing })
    const transport = startTransport([root])
    expect(await fetchBy(transport, server.url)).toBe('none')
    expect(await fetchBy(transport, server.url, { pinnedSpki: [pinOf(root)] })).toBe('none')
    expect(server.resumed).toEqual([false, false])
  })
})

describe('providers at one host', () => {
  it('share a connection if their policies are the same', async () => {
    const server = await startTlsServer({ chain })
    const transport = startTransport([root])
    for (const _ of [1, 2]) {
      await fetchBy(transport, server.url, { pinnedSpki: [pinOf(leaf)] })
      // The agent takes a connection back a turn after its answer was read.
      await setImmediate()
    }
    expect([server.requests.length, server.connections()]).toEqual([2, 1])
  })

  it.each<[string, Partial<TransportPolicy>]>([
    ['pins', { pinnedSpki: [pinOf(leaf)] }],
    ['networks', { network: 'public', allowAddresses: ['127.0.0.1'] }],
  ])('have connections of their own if their %s differ', async (_, policy) => {
    const server = await startTlsServer({ chain })
    const transport = startTransport([root])
    for (const each of [{}, policy, {}, policy]) expect(await fetchBy(transport, server.url, each)).toBe('none')
    expect([server.requests.length, server.connections()]).toEqual([4, 2])
  })

  it('are not served by a connection that another has without its pin', async () => {
    const server = await startTlsServer({ chain })
    const transport = startTransport([root])
    const other = certify({ subject: 'other' })
    expect(await fetchBy(transport, server.url)).toBe('none')
    expect(await fetchBy(transport, server.url, { pinnedSpki: [pinOf(leaf)] })).toBe('none')
    expect(await fetchBy(transport, server.url, { pinnedSpki: [pinOf(other)] })).toBe('KeyPinMismatchError')
    expect(server.requests.length).toBe(2)
  })

  it('of more policies than agents are kept for have their answers, even those that wait for one', async () => {
    let release = (): void => undefined
    const slow = await startTlsServer({
      chain,
      answer: (_, response) => {
        release = () => response.end('{}')
      },
    })
    const server = await startTlsServer({ chain })
    const transport = startTransport([root], { maxAgents: 2 })
    const waiting = fetchBy(transport, slow.url)
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.1']) {
      expect(await fetchBy(transport, server.url, { allowAddresses: [address] })).toBe('none')
    }
    expect(server.connections()).toBe(4)
    release()
    expect(await waiting).toBe('none')
  })
})

describe('a proxy', () => {
  it('that the environment names is not asked: it would connect instead of us', async () => {
    const server = await startTlsServer({ chain })
    const proxy = await startTlsServer({ chain })
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']) {
      vi.stubEnv(name, name === 'NODE_USE_ENV_PROXY' ? '1' : `https://localhost:${proxy.port}`)
    }
    onTestFinished(() => {
      vi.unstubAllEnvs()
    })
    expect(await fetchBy(startTransport([root]), server.url)).toBe('none')
    expect([server.connections(), proxy.connections()]).toEqual([1, 0])
  })
})

describe('a certificate', () => {
  async function causeFor(options: Parameters<typeof certifyServer>[1]): Promise<unknown> {
    const own = certifyServer(intermediate, options)
    const server = await startTlsServer({ chain: [own, intermediate] })
    const request = {
      url: server.url,
      document: 'key set' as const,
      headers: {},
      signal: new AbortController().signal,
      timeout: 5_000,
    }
    const error: unknown = await startTransport([root])
      .get(request, loopbackPolicy)
      .catch((reason: unknown) => reason)
    expect(server.requests).toEqual([])
    return error
  }

  it('that has expired is refused', async () => {
    expect(await causeFor({ notAfter: Date.now() - 60_000 })).toMatchObject({
      name: 'UpstreamUnreachableError',
      cause: { code: 'CERT_HAS_EXPIRED' },
    })
  })

  it('for another name is refused', async () => {
    expect(await causeFor({ names: ['localhost.example'] })).toMatchObject({
      name: 'UpstreamUnreachableError',
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    })
  })

  it('that signed itself is refused', async () => {
    const own = certify({ subject: 'localhost', isAuthority: false, names: ['localhost'] })
    const server = await startTlsServer({ chain: [own] })
    expect(await fetchBy(startTransport([root]), server.url, { pinnedSpki: [pinOf(own)] })).toBe(
      'UpstreamUnreachableError',
    )
    expect(await fetchBy(startTransport([root]), server.url)).toBe('UpstreamUnreachableError')
    expect(server.requests).toEqual([])
  })

  it('by an authority that is not trusted is refused', async () => {
    const server = await startTlsServer({ chain })
    expect(await fetchBy(startTransport([certify({ subject: 'root' })]), server.url)).toBe('UpstreamUnreachableError')
  })

  it('for a name is looked at without the dot at its end', async () => {
    const server = await startTlsServer({ chain })
    expect(await fetchBy(startTransport([root]), server.url.replace('localhost', 'localhost.'))).toBe('none')
  })
})
