import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { createRevocations } from '../../../packages/core/src/jwks-cache/usable-keys.ts'
import { thumbprintVectors } from './vectors.ts'
import { readSetOf } from './verify.ts'

describe.each(thumbprintVectors)('the thumbprint of $source', ({ key, thumbprint }) => {
  it('is that of the key in the set', async () => {
    const [found] = readSetOf(key).keySet.keys
    expect(found === undefined ? undefined : await calculateJwkThumbprint(found.jwk)).toBe(thumbprint)
  })

  it('identifies a revoked key under another kid and with other members', () => {
    const revocations = createRevocations()
    revocations.revoke('revoked', readSetOf({ ...key, kid: 'revoked' }).keySet)
    const renamed = readSetOf({ ...key, kid: 'renamed', use: 'sig', x5t: 'AAAA' }).keySet
    expect(revocations.filter(renamed).keys).toEqual([])
  })

  it('has a registry refuse the renamed key when it is published', async () => {
    const issuer = await startIssuer()
    const { publicJwk } = issuer.signingKey
    issuer.setJwks({ keys: [{ ...key, kid: 'revoked' }, publicJwk] })
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'revoked')
    issuer.setJwks({ keys: [{ ...key, kid: 'renamed' }, publicJwk] })
    await registry.refresh('acme', 'auth0')
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual([publicJwk.kid])
  })
})
