import type { IncomingMessage, ServerResponse } from 'node:http'
import { startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ProviderRegistration, Registry } from '../../../src/index.ts'
import { createRegistryFrom } from '../../../src/registry/create-registry.ts'
import { type Certified, certifyServer, createHierarchy, pinOf } from '../../http/tls/certificates.ts'
import { startTlsServer, startTransport, type TlsServer } from '../../http/tls/tls-scene.ts'
import { provider, rejectionOf, tenant } from '../scene.ts'

const { root, intermediate, leaf } = createHierarchy()
const otherLeaf = certifyServer(intermediate)
const mismatch = { cause: { code: 'ERR_KEY_PIN_MISMATCH' } }

/** An issuer whose metadata and whose key set come from servers with keys of their own. */
async function startProvider(): Promise<{ readonly metadata: TlsServer; readonly keys: TlsServer }> {
  const { jwks } = await startIssuer()
  const keys = await startTlsServer({
    chain: [otherLeaf, intermediate],
    answer: (_, response) => response.end(JSON.stringify(jwks)),
  })
  const answer = ({ headers }: IncomingMessage, response: ServerResponse): void => {
    response.end(JSON.stringify({ issuer: `https://${headers.host}`, jwks_uri: keys.url }))
  }
  return { metadata: await startTlsServer({ chain: [leaf, intermediate], answer }), keys }
}

async function register(of: Partial<ProviderRegistration>, pinned: readonly Certified[]): Promise<Registry> {
  const registry = createRegistryFrom({}, { random: Math.random, transport: () => startTransport([root]) })
  onTestFinished(() => registry.close())
  await registry.register({ tenant, provider, network: 'any', pinnedSpki: pinned.map(pinOf), ...of })
  return registry
}

async function resolve(registry: Registry): Promise<number> {
  return (await registry.resolve(tenant, provider)).keys.length
}

describe('pinnedSpki', () => {
  it('has keys fetched from a server that shows a pinned key', async () => {
    const { keys } = await startProvider()
    expect(await resolve(await register({ jwksUri: keys.url }, [otherLeaf]))).toBe(1)
    expect(await resolve(await register({ jwksUri: keys.url }, [root]))).toBe(1)
  })

  it('refuses others at the first attempt, and calls it what it is', async () => {
    const { keys } = await startProvider()
    const registry = await register({ jwksUri: keys.url }, [leaf])
    expect(await rejectionOf(resolve(registry))).toMatchObject(mismatch)
    expect([keys.connections(), keys.requests.length]).toEqual([1, 0])
    expect(registry.status(tenant, provider).lastError?.code).toBe('ERR_KEY_PIN_MISMATCH')
  })

  it('holds for the metadata and for the key set that it names', async () => {
    const { metadata, keys } = await startProvider()
    const issuer = `https://localhost:${metadata.port}`
    expect(await rejectionOf(resolve(await register({ issuer }, [otherLeaf])))).toMatchObject(mismatch)
    expect([metadata.requests.length, keys.requests.length]).toEqual([0, 0])
    expect(await rejectionOf(resolve(await register({ issuer }, [leaf])))).toMatchObject(mismatch)
    expect([metadata.requests.length, keys.requests.length]).toEqual([1, 0])
    expect(await resolve(await register({ issuer }, [leaf, otherLeaf]))).toBe(1)
  })

  it('refuses http:, at registration and where metadata leads there', async () => {
    const plain = await startIssuer()
    const registry = startRegistry({ requireHttps: false })
    const registration = { tenant, provider, jwksUri: plain.jwksUri, pinnedSpki: [pinOf(leaf)] }
    await expect(registry.register(registration)).rejects.toThrow(/^jwksUri is not allowed: .*pinnedSpki/)
    const redirecting = await startTlsServer({
      chain: [leaf, intermediate],
      answer: (_, response) => response.writeHead(302, { location: plain.jwksUri }).end(),
    })
    expect(await rejectionOf(resolve(await register({ jwksUri: redirecting.url }, [leaf])))).toMatchObject({
      cause: { code: 'ERR_UPSTREAM_URL_NOT_ALLOWED' },
    })
    expect(plain.requestCount()).toBe(0)
  })

  it('is the same in any order', async () => {
    const registry = await register({ jwksUri: 'https://issuer.example/jwks' }, [leaf, root, leaf])
    const again = { tenant, provider, network: 'any', jwksUri: 'https://issuer.example/jwks' } as const
    await registry.register({ ...again, pinnedSpki: [pinOf(root), pinOf(leaf)] })
    await expect(registry.register({ ...again, pinnedSpki: [pinOf(leaf)] })).rejects.toThrow('other options')
  })
})
