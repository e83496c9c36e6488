import { connect } from 'node:net'
import { startIssuer } from '@jwks-auth/test-support/start'
import type { TestIssuer } from '@jwks-auth/testing'
import { Agent } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { failure, get, loopbackPolicy } from './transport-scene.ts'

/** Sends whoever asks for the key set around in a circle that many times, then answers. */
function redirectTimes(issuer: TestIssuer, times: number): void {
  const redirect = { kind: 'redirect', location: '/jwks' } as const
  issuer.answerOnce('jwks', ...Array.from({ length: times }, () => redirect))
}

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('with status %i are followed', async (status) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'redirect', status, location: '/jwks?moved' })
    const { status: answered, body } = await get(issuer.jwksUri)
    expect(answered).toBe(200)
    expect(JSON.parse(body)).toEqual(issuer.jwks)
    expect(issuer.requests.map(({ url, method }) => `${method} ${url}`)).toEqual(['GET /jwks', 'GET /jwks?moved'])
  })

  it.each([
    [0, 0, 'none'],
    [0, 1, 'UpstreamUrlNotAllowedError'],
    [3, 3, 'none'],
    [3, 4, 'UpstreamUrlNotAllowedError'],
  ])('are followed %i times at most: %i end with %s', async (maxRedirects, times, outcome) => {
    const issuer = await startIssuer()
    redirectTimes(issuer, times)
    expect(await failure(get(issuer.jwksUri, { maxRedirects }))).toBe(outcome)
    expect(issuer.requestCount()).toBe(Math.min(times, maxRedirects) + 1)
  })

  it('without a target are no redirects', async () => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', status: 302 })
    expect(await get(issuer.jwksUri)).toMatchObject({ status: 302, body: '' })
  })

  it('with another status are not followed', async () => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', status: 300, headers: { location: '/jwks' } })
    expect((await get(issuer.jwksUri)).status).toBe(300)
  })

  it.each([
    ['out of the allowed domains', 'http://localhost:1/jwks', 'UpstreamUrlNotAllowedError'],
    ['to another scheme', 'file:///etc/passwd', 'UpstreamUrlNotAllowedError'],
    ['to credentials', 'http://user:secret@127.0.0.1:1/jwks', 'UpstreamUrlNotAllowedError'],
    ['to no URL', 'http://[', 'UpstreamUrlNotAllowedError'],
  ])('%s are refused', async (_, location, outcome) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'redirect', location })
    expect(await failure(get(issuer.jwksUri, { allowedDomains: ['127.0.0.1'] }))).toBe(outcome)
  })

  it('from https to http are refused', async () => {
    const issuer = await startIssuer()
    const { port } = new URL(issuer.jwksUri)
    // TLS in name only: what is asked for by https arrives at the issuer in the clear.
    const dispatcher = new Agent({
      connect: (_, callback) => {
        const socket = connect(Number(port), '127.0.0.1', () => callback(null, socket))
      },
    })
    const transport = createTransport(dispatcher)
    onTestFinished(() => transport.close())
    onTestFinished(() => dispatcher.destroy())
    const fetchIt = () => {
      const { signal } = new AbortController()
      const request = {
        url: 'https://issuer.example/jwks',
        document: 'key set' as const,
        headers: {},
        signal,
        timeout: 5_000,
      }
      return transport.get(request, { ...loopbackPolicy, requireHttps: true })
    }
    issuer.answerOnce('jwks', { kind: 'redirect', location: 'https://issuer.example/jwks' })
    expect((await fetchIt()).status).toBe(200)
    issuer.answerOnce('jwks', { kind: 'redirect', location: 'http://issuer.example/jwks' })
    expect(await failure(fetchIt())).toBe('UpstreamUrlNotAllowedError')
    expect(issuer.requestCount()).toBe(3)
  })
})

describe('a redirect to another origin in a private network', () => {
  async function redirected(policy: Parameters<typeof get>[1]): Promise<readonly [outcome: string, asked: number]> {
    const [issuer, other] = [await startIssuer(), await startIssuer()]
    issuer.answerAlways('jwks', { kind: 'redirect', location: other.jwksUri })
    const outcome = await failure(get(issuer.jwksUri, policy))
    return [outcome, other.requestCount()]
  }

  it('is refused without an explicit network', async () => {
    expect(await redirected({ networkIsExplicit: false })).toEqual(['UpstreamAddressNotAllowedError', 0])
  })

  it("is followed where the operator said network: 'any'", async () => {
    expect(await redirected({ networkIsExplicit: true })).toEqual(['none', 1])
  })

  it('is followed to an address of allowAddresses', async () => {
    expect(await redirected({ networkIsExplicit: false, allowAddresses: ['127.0.0.0/8'] })).toEqual(['none', 1])
  })

  it('back to the configured origin is followed', async () => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'redirect', location: `${issuer.issuer}/jwks` })
    expect(await failure(get(issuer.jwksUri, { networkIsExplicit: false }))).toBe('none')
  })
})
