import { audience, startAuthenticator, startIssuer, startRegistryWith, verdict } from '@jwks-auth/test-support/start'
import type { TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { Registry } from '../../src/index.ts'

async function kids(registry: Registry): Promise<readonly (string | undefined)[]> {
  return (await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)
}

async function scene(): Promise<{ issuer: TestIssuer; registry: Registry }> {
  const issuer = await startIssuer()
  await issuer.addKey({ kid: 'other' })
  return { issuer, registry: await startRegistryWith(issuer) }
}

describe('a revoked key', () => {
  it('is refused at once, without a fetch', async () => {
    const { issuer, registry } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await expect(registry.resolve('acme', 'auth0', 'key-1')).rejects.toMatchObject({ code: 'ERR_KEY_REVOKED' })
    expect(await kids(registry)).toEqual(['other'])
    expect(issuer.requestCount()).toBe(1)
  })

  it('is refused though nothing was held when it was revoked', async () => {
    const { registry } = await scene()
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await expect(registry.resolve('acme', 'auth0', 'key-1')).rejects.toMatchObject({ code: 'ERR_KEY_REVOKED' })
    expect(await kids(registry)).toEqual(['other'])
  })

  it('is refused under another kid, by its material', async () => {
    const { issuer, registry } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    const { kid: _kid, alg: _alg, ...material } = issuer.signingKey.publicJwk
    issuer.setJwks({ keys: [{ ...material, kid: 'renamed' }, ...issuer.jwks.keys] })
    await registry.refresh('acme', 'auth0')
    expect(await kids(registry)).toEqual(['other'])
  })

  it('is refused by its kid, whatever material comes under it', async () => {
    const { issuer, registry } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await issuer.addKey({ kid: 'key-1' })
    await registry.refresh('acme', 'auth0')
    expect(await kids(registry)).toEqual(['other'])
  })

  it('stays refused over refreshes', async () => {
    const { registry } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await registry.refresh('acme', 'auth0')
    await registry.refresh('acme', 'auth0')
    expect(registry.status('acme', 'auth0').kids).toEqual(['other'])
  })

  it('stays refused when it is revoked while a fetch is under way', async () => {
    const { issuer, registry } = await scene()
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    issuer.answerOnce('jwks', async () => {
      await held
      return { kind: 'normal' }
    })
    const resolved = kids(registry)
    await issuer.waitForRequests(1)
    await registry.revokeKey('acme', 'auth0', 'key-1')
    answer()
    expect(await resolved).toEqual(['other'])
  })

  it('stays refused over unregister and register, kid and material', async () => {
    const { issuer, registry } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await registry.unregister('acme', 'auth0')
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, kid: 'renamed' }, ...issuer.jwks.keys] })
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri: issuer.jwksUri, network: 'any' })
    expect(await kids(registry)).toEqual(['other'])
  })

  it("of one provider is another provider's good key", async () => {
    const { issuer, registry } = await scene()
    await registry.register({ tenant: 'globex', provider: 'auth0', jwksUri: issuer.jwksUri, network: 'any' })
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await expect(registry.resolve('globex', 'auth0', 'key-1')).resolves.toHaveProperty('keys')
  })

  it('has its tokens refused, and those without kid, too', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience })
    const [named, unnamed] = [await issuer.sign(), await issuer.sign({}, { kid: undefined })]
    expect([await verdict(authenticator, named), await verdict(authenticator, unnamed)]).toEqual([
      'accepted',
      'accepted',
    ])
    await authenticator.registry.revokeKey('default', 'default', 'key-1')
    expect([await verdict(authenticator, named), await verdict(authenticator, unnamed)]).toEqual([
      'ERR_KEY_REVOKED',
      'ERR_KEY_NOT_FOUND',
    ])
  })
})

describe('a revocation', () => {
  it('can be taken back, and its key is good again without a fetch', async () => {
    const { issuer, registry } = await scene()
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    expect(await registry.unrevokeKey('acme', 'auth0', 'key-1')).toBe(true)
    expect(await registry.unrevokeKey('acme', 'auth0', 'key-1')).toBe(false)
    expect(await kids(registry)).toEqual(['key-1', 'other'])
    expect(issuer.requestCount()).toBe(1)
  })

  it('leaves another one of the same material as it is', async () => {
    const { issuer, registry } = await scene()
    issuer.setJwks({ keys: ['a', 'b', 'c'].map((kid) => ({ ...issuer.signingKey.publicJwk, kid })) })
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'a')
    await registry.revokeKey('acme', 'auth0', 'b')
    await registry.unrevokeKey('acme', 'auth0', 'a')
    expect(await kids(registry)).toEqual([])
  })

  it('tells with events', async () => {
    const { registry } = await scene()
    const told: unknown[] = []
    registry.on('key-revoked', (event) => told.push(['revoked', event]))
    registry.on('key-unrevoked', (event) => told.push(['unrevoked', event]))
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await registry.unrevokeKey('acme', 'auth0', 'unknown')
    await registry.unrevokeKey('acme', 'auth0', 'key-1')
    const event = { tenant: 'acme', provider: 'auth0', kid: 'key-1' }
    expect(told).toEqual([
      ['revoked', event],
      ['unrevoked', event],
    ])
  })

  it.each(['', undefined, 7])('names no kid %j', async (kid) => {
    const { registry } = await scene()
    await expect(registry.revokeKey('acme', 'auth0', kid as string)).rejects.toThrow(/^kid must be/)
  })
})
