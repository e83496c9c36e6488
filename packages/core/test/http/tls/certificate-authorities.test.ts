import { setImmediate } from 'node:timers/promises'
import { startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import type { CertificateAuthorities, ProviderRegistration } from '../../../src/index.ts'
import { certify, createHierarchy, pinOf } from './certificates.ts'
import { startTlsServer } from './tls-scene.ts'

const { root, intermediate, leaf } = createHierarchy()
const chain = [leaf, intermediate] as const
const other = certify({ subject: 'other root' })
const keySet = '{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'

async function startProvider() {
  return await startTlsServer({ chain, answer: (_, response) => response.end(keySet) })
}

/** Resolves at the server with these authorities: the `kid`s, or the error's cause. */
async function resolveWith(url: string, options: Partial<ProviderRegistration>): Promise<unknown> {
  const registry = startRegistry()
  const retryPolicy = { maxRetries: 0 }
  await registry.register({ tenant: 'acme', provider: 'main', jwksUri: url, network: 'any', retryPolicy, ...options })
  return await registry.resolve('acme', 'main').then(
    ({ keys }) => keys.map(({ kid }) => kid),
    (error: unknown) => (error as Error).cause,
  )
}

describe('ca', () => {
  it.each<[string, CertificateAuthorities]>([
    ['PEM text', root.certificate],
    ['a bundle', `# comment\n${other.certificate}\n${root.certificate}`],
    ['a list', [other.certificate, root.certificate]],
    ['a function', () => root.certificate],
    ['an async function', async () => [other.certificate, root.certificate]],
  ])("replaces Node's authorities: %s", async (_, ca) => {
    const server = await startProvider()
    expect(await resolveWith(server.url, { ca })).toEqual(['k'])
  })

  it.each<[string, CertificateAuthorities | undefined]>([
    ['without it', undefined],
    ['with another authority', other.certificate],
    ['with a function that returns another authority', () => other.certificate],
  ])('is needed for a certificate of a private authority: %s', async (_, ca) => {
    const server = await startProvider()
    expect(await resolveWith(server.url, { ca })).toMatchObject({
      code: 'ERR_UPSTREAM_UNREACHABLE',
      step: 'TLS handshake',
    })
    expect(server.requests).toEqual([])
  })

  it.each([
    ['the authority', [pinOf(root)], ['k']],
    ['another key', [pinOf(other)], expect.objectContaining({ code: 'ERR_KEY_PIN_MISMATCH' })],
  ])('goes together with a pin of %s', async (_, pinnedSpki, outcome) => {
    const server = await startProvider()
    expect(await resolveWith(server.url, { ca: root.certificate, pinnedSpki })).toEqual(outcome)
    expect(await resolveWith(server.url, { ca: () => root.certificate, pinnedSpki })).toEqual(outcome)
  })

  it('of a function is read for each new connection', async () => {
    const server = await startTlsServer({
      chain,
      answer: (_, response) => {
        response.shouldKeepAlive = false
        response.end(keySet)
      },
    })
    const authorities = [root, other, root]
    const registry = startRegistry()
    const ca = () => authorities.shift()?.certificate ?? ''
    const retryPolicy = { maxRetries: 0 }
    await registry.register({ tenant: 'acme', provider: 'main', jwksUri: server.url, network: 'any', retryPolicy, ca })
    const outcomes: boolean[] = []
    for (const _ of [1, 2, 3]) outcomes.push((await registry.refresh('acme', 'main')).ok)
    expect(outcomes).toEqual([true, false, true])
  })

  it('keeps connections apart: those of one authority do not serve a provider with another', async () => {
    const server = await startProvider()
    const registry = startRegistry()
    const options = { jwksUri: server.url, network: 'any', retryPolicy: { maxRetries: 0 } } as const
    const [one, two] = [() => root.certificate, () => other.certificate]
    for (const [provider, ca] of [
      ['one', one],
      ['two', two],
      ['three', root.certificate],
      ['four', other.certificate],
    ] as const) {
      await registry.register({ tenant: 'acme', provider, ...options, ca })
    }
    const outcomes: boolean[] = []
    for (const provider of ['one', 'two', 'three', 'four', 'one']) {
      outcomes.push((await registry.refresh('acme', provider)).ok)
      await setImmediate()
    }
    expect(outcomes).toEqual([true, false, true, false, true])
  })

  it.each<[string, () => never, string]>([
    [
      'throws',
      () => {
        throw new Error('ENOENT')
      },
      'the function ca failed',
    ],
    ['rejects', () => Promise.reject(new Error('ENOENT')) as never, 'the function ca failed'],
    ['returns nothing', () => undefined as never, 'the function ca returned something other than certificates'],
    ['returns an empty list', () => [] as never, 'the function ca returned something other than certificates'],
    ['returns something else', () => 'not PEM' as never, 'the function ca returned something other than certificates'],
  ])('of a function that %s is a failure that names it', async (_, ca, reason) => {
    const server = await startProvider()
    expect(await resolveWith(server.url, { ca })).toMatchObject({
      code: 'ERR_UPSTREAM_REQUEST_FAILED',
      message: expect.stringContaining(reason),
    })
  })

  it.each([
    ['text', 'not PEM'],
    ['an empty list', []],
    ['a number', 7],
    ['a bad certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    ['one bad of two', [root.certificate, 'x']],
  ])('is a TypeError with %s', async (_, ca) => {
    const registration = { tenant: 'acme', provider: 'main', jwksUri: 'https://issuer.example/jwks', ca: ca as string }
    const registered = startRegistry().register(registration)
    await expect(registered).rejects.toThrow(TypeError)
    await expect(registered).rejects.toThrow(/^ca /)
  })
})
