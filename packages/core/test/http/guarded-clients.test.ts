import { startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { failure, get, loopbackPolicy } from './transport-scene.ts'

/** Loopback in other words. URLs make an IPv4 address of most of them; undici asks no lookup for any. */
const literals = ['127.0.0.1', '0x7f.1', '2130706433', '0177.0.0.1', '127.1', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]']

describe("network 'public'", () => {
  it.each([...literals, 'localhost', 'LOCALHOST'])('does not let a request go to %s', async (host) => {
    const issuer = await startIssuer()
    const { port } = new URL(issuer.jwksUri)
    const outcome = await failure(get(`http://${host}:${port}/jwks`, { network: 'public' }))
    expect([outcome, issuer.requestCount()]).toEqual(['UpstreamAddressNotAllowedError', 0])
  })

  it.each(['127.0.0.1', 'localhost'])('lets one go to %s where allowAddresses exempts it', async (host) => {
    const issuer = await startIssuer()
    const { port } = new URL(issuer.jwksUri)
    const policy = { network: 'public', allowAddresses: ['127.0.0.1'] } as const
    expect(await failure(get(`http://${host}:${port}/jwks`, policy))).toBe('none')
  })
})

describe("network 'any'", () => {
  it.each(['127.0.0.1', 'localhost', '0x7f.1'])('lets a request go to %s', async (host) => {
    const issuer = await startIssuer()
    const { port } = new URL(issuer.jwksUri)
    expect(await failure(get(`http://${host}:${port}/jwks`))).toBe('none')
  })

  it.each([
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[fd00:ec2::254]',
  ])("does not let one go to %s, the clouds' metadata", async (host) => {
    expect(await failure(get(`http://${host}/latest/meta-data/`))).toBe('UpstreamAddressNotAllowedError')
  })
})

describe('sockets', () => {
  it('of one policy do not serve requests of another', async () => {
    const issuer = await startIssuer()
    const transport = createTransport()
    const { signal } = new AbortController()
    const request = { url: issuer.jwksUri, document: 'key set' as const, headers: {}, signal, timeout: 5_000 }
    expect((await transport.get(request, loopbackPolicy)).status).toBe(200)
    const outcome = await failure(transport.get(request, { ...loopbackPolicy, network: 'public' }))
    await transport.close()
    expect(outcome).toBe('UpstreamAddressNotAllowedError')
  })
})

describe('an exchange', () => {
  it('ends with the reason of the signal', async () => {
    const issuer = await startIssuer()
    issuer.answerAlways('jwks', { kind: 'hang-after-headers' })
    const controller = new AbortController()
    const fetched = get(issuer.jwksUri, {}, controller.signal)
    await issuer.waitForRequests(1)
    controller.abort(new Error('reason'))
    await expect(fetched).rejects.toThrow('reason')
  })

  it('keeps what broke it as the cause', async () => {
    const issuer = await startIssuer()
    await issuer.stop()
    await expect(get(issuer.jwksUri)).rejects.toMatchObject({
      name: 'UpstreamUnreachableError',
      cause: { code: 'ECONNREFUSED' },
    })
  })
})
