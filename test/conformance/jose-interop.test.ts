import { errors, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { audience, startIssuer, startRegistry, startRegistryWith } from '../integration/start.ts'

describe('jwtVerify of jose, with the resolver of a registry', () => {
  it('verifies a token', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const rules = { issuer: issuer.issuer, audience }
    const { payload, protectedHeader } = await jwtVerify(
      await issuer.sign(),
      registry.keyResolver('acme', 'auth0'),
      rules,
    )
    expect(payload.sub).toBe('user-1')
    expect(protectedHeader.kid).toBe('key-1')
  })

  it('asks the provider once for many tokens', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign()
    const resolver = registry.keyResolver('acme', 'auth0')
    await Promise.all(Array.from({ length: 50 }, () => jwtVerify(token, resolver)))
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('finds a key that was added since', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const resolver = registry.keyResolver('acme', 'auth0')
    await jwtVerify(await issuer.sign(), resolver)
    await issuer.rotate()
    await expect(jwtVerify(await issuer.sign(), resolver)).resolves.toHaveProperty('payload')
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('verifies a token without kid where one key fits', async () => {
    const issuer = await startIssuer()
    await issuer.addKey({ algorithm: 'EdDSA' })
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { kid: undefined })
    await expect(jwtVerify(token, registry.keyResolver('acme', 'auth0'))).resolves.toHaveProperty('payload')
  })

  it("leaves the claims to jose's own rules", async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const verified = jwtVerify(await issuer.sign(), registry.keyResolver('acme', 'auth0'), { audience: 'other' })
    await expect(verified).rejects.toBeInstanceOf(errors.JWTClaimValidationFailed)
  })

  it('refuses a forged token with an error of jose', async () => {
    const issuer = await startIssuer()
    const other = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { signWith: other.signingKey.privateJwk })
    await expect(jwtVerify(token, registry.keyResolver('acme', 'auth0'))).rejects.toBeInstanceOf(
      errors.JWSSignatureVerificationFailed,
    )
  })

  it('rejects for an unknown kid', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { kid: 'unknown' })
    await expect(jwtVerify(token, registry.keyResolver('acme', 'auth0'))).rejects.toMatchObject({
      code: 'ERR_KEY_NOT_FOUND',
    })
  })

  it.each([
    ['without kid', undefined],
    ['with the kid that they share', 'key-1'],
  ])('rejects where several keys fit a token %s', async (_, kid) => {
    const issuer = await startIssuer()
    const other = await startIssuer()
    issuer.setJwks({ keys: [issuer.signingKey.publicJwk, other.signingKey.publicJwk] })
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { kid })
    await expect(jwtVerify(token, registry.keyResolver('acme', 'auth0'))).rejects.toMatchObject({
      code: 'ERR_KEY_NOT_FOUND',
    })
  })

  it('rejects an alg that is not allowed, and asks nobody', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer, {}, { algorithms: ['RS256'] })
    await expect(jwtVerify(await issuer.sign(), registry.keyResolver('acme', 'auth0'))).rejects.toMatchObject({
      code: 'ERR_ALGORITHM_NOT_ALLOWED',
    })
    expect(issuer.requestCount()).toBe(0)
  })

  it("rejects HS256 by the public key's text", async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { alg: 'HS256' })
    await expect(jwtVerify(token, registry.keyResolver('acme', 'auth0'))).rejects.toMatchObject({
      code: 'ERR_ALGORITHM_NOT_ALLOWED',
    })
  })

  it('rejects a revoked key', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.revokeKey('acme', 'auth0', 'key-1')
    await expect(jwtVerify(await issuer.sign(), registry.keyResolver('acme', 'auth0'))).rejects.toMatchObject({
      code: 'ERR_KEY_REVOKED',
    })
  })

  it('rejects where no keys can be had, with the reason as the cause', async () => {
    const issuer = await startIssuer()
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    const registry = await startRegistryWith(issuer)
    await expect(jwtVerify(await issuer.sign(), registry.keyResolver('acme', 'auth0'))).rejects.toMatchObject({
      code: 'ERR_KEYS_UNAVAILABLE',
      cause: { code: 'ERR_UPSTREAM_STATUS', status: 500 },
    })
  })

  it.each([
    ['acme', 'okta'],
    ['globex', 'auth0'],
    ['ACME', 'auth0'],
    ['constructor', 'auth0'],
  ])('rejects where %s/%s is not registered', async (tenant, provider) => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await expect(jwtVerify(await issuer.sign(), registry.keyResolver(tenant, provider))).rejects.toMatchObject({
      code: 'ERR_PROVIDER_NOT_REGISTERED',
    })
  })

  it('works for a provider that is registered after it was made', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const resolver = registry.keyResolver('acme', 'auth0')
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri: issuer.jwksUri, network: 'any' })
    await expect(jwtVerify(await issuer.sign(), resolver)).resolves.toHaveProperty('payload')
  })
})
