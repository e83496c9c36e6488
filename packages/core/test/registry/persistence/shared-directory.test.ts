import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audience, startAuthenticator, startIssuer, startRegistry, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'jwks-auth-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

describe('register and createAuthenticator with one directory', () => {
  const provider = { keyLifetime: 'immutable', allowAddresses: ['127.0.0.1'] } as const

  it('share keys: what register has learned, an authenticator need not fetch', async () => {
    const [issuer, publicKeyPath] = [await startIssuer(), await temporaryDirectory()]
    const refused: unknown[] = []
    const registry = startRegistry({ publicKeyPath, integrityKey: false })
    await registry.register({ tenant: 'default', provider: 'default', issuer: issuer.issuer, ...provider })
    await registry.resolve('default', 'default', 'key-1')
    await registry.close()
    issuer.clearRequests()

    const authenticator = startAuthenticator({
      issuer: issuer.issuer,
      audience,
      publicKeyPath,
      integrityKey: false,
      ...provider,
    })
    authenticator.registry.on('snapshot-refused', (event) => refused.push(event))
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    expect(refused).toEqual([])
    expect(issuer.requestCount()).toBe(0)
  })

  it('share keys in the other direction, under the names of tenants', async () => {
    const [issuer, publicKeyPath] = [await startIssuer(), await temporaryDirectory()]
    const tenants = { acme: { providers: { licences: { issuer: issuer.issuer } } } }
    const authenticator = startAuthenticator({ tenants, audience, publicKeyPath, integrityKey: false, ...provider })
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    await authenticator.close()
    issuer.clearRequests()

    const registry = startRegistry({ publicKeyPath, integrityKey: false })
    await registry.register({ tenant: 'acme', provider: 'licences', issuer: issuer.issuer, ...provider })
    expect(await registry.resolve('acme', 'licences', 'key-1')).toEqual(issuer.jwks)
    expect(issuer.requestCount()).toBe(0)
  })

  it('share keys where register is given the network that createAuthenticator has by default', async () => {
    const [issuer, publicKeyPath] = [await startIssuer(), await temporaryDirectory()]
    const registry = startRegistry({ publicKeyPath })
    const registered = { issuer: issuer.issuer, keyLifetime: 'immutable', network: 'any' } as const
    await registry.register({ tenant: 'default', provider: 'default', ...registered })
    await registry.resolve('default', 'default', 'key-1')
    await registry.close()
    await issuer.stop()

    const short = { issuer: issuer.issuer, audience, publicKeyPath, keyLifetime: 'immutable' } as const
    expect(await verdict(startAuthenticator(short), await issuer.sign())).toBe('accepted')
  })

  it('do so at the same time', async () => {
    const [issuer, publicKeyPath] = [await startIssuer(), await temporaryDirectory()]
    const registry = startRegistry({ publicKeyPath, integrityKey: false })
    await registry.register({ tenant: 'default', provider: 'default', issuer: issuer.issuer, ...provider })
    const authenticator = startAuthenticator({
      issuer: issuer.issuer,
      audience,
      publicKeyPath,
      integrityKey: false,
      ...provider,
    })
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    // Saving does not keep the request waiting.
    await authenticator.registry.persistAll()
    issuer.clearRequests()
    expect(await registry.resolve('default', 'default', 'key-1')).toEqual(issuer.jwks)
    expect(issuer.requestCount('jwks')).toBe(0)
  })
})
