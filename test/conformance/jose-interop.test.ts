import { audience, startIssuer, startRegistry, startRegistryWith } from '@jwks-auth/test-support/start'
import { errors, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'

/** What a promise rejects with. */
async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expect.unreachable('it does not reject'),
    (error: unknown) => error,
  )
}

/** What comes of each key, as jose documents the use of its error. */
async function verifyWithEach(thrown: unknown, token: string): Promise<readonly string[]> {
  if (!(thrown instanceof errors.JWKSMultipleMatchingKeys)) throw new Error('not that error')
  const outcomes: string[] = []
  for await (const key of thrown) {
    const outcome = await jwtVerify(token, key).then(
      () => 'verified',
      (failure: unknown) => (failure instanceof errors.JOSEError ? failure.code : String(failure)),
    )
    outcomes.push(outcome)
  }
  return outcomes
}

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
  ])('rejects with an error of jose that lists the keys, where several fit a token %s', async (_, kid) => {
    const issuer = await startIssuer()
    const other = await startIssuer()
    issuer.setJwks({ keys: [other.signingKey.publicJwk, issuer.signingKey.publicJwk] })
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { kid })
    const error = await rejectionOf(jwtVerify(token, registry.keyResolver('acme', 'auth0')))
    expect(error).toBeInstanceOf(errors.JWKSMultipleMatchingKeys)
    expect(error).toMatchObject({ code: 'ERR_JWKS_MULTIPLE_MATCHING_KEYS' })
    expect(await verifyWithEach(error, token)).toEqual(['ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'verified'])
    // The error can be iterated again, as that of jose.
    expect(await verifyWithEach(error, token)).toHaveLength(2)
  })

  it('lists no key that does not fit, and no more than four', async () => {
    const issuer = await startIssuer()
    const keys = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => issuer.addKey({ kid: key })))
    const rsa = await issuer.addKey({ algorithm: 'RS256' })
    issuer.setJwks({ keys: [rsa.publicJwk, ...keys.map(({ publicJwk }) => publicJwk)] })
    const registry = await startRegistryWith(issuer)
    const token = await issuer.sign({}, { kid: undefined, key: 'b' })
    const error = await rejectionOf(jwtVerify(token, registry.keyResolver('acme', 'auth0')))
    const failed = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
    expect(await verifyWithEach(error, token)).toEqual([failed, 'verified', failed, failed])
  })

  it('verifies where several keys are published and one fits the alg', async () => {
    const issuer = await startIssuer()
    const { publicJwk } = issuer.signingKey
    const rsa = await issuer.addKey({ algorithm: 'RS256' })
    issuer.setJwks({ keys: [{ ...rsa.publicJwk, kid: publicJwk.kid }, publicJwk] })
    const registry = await startRegistryWith(issuer)
    const resolver = registry.keyResolver('acme', 'auth0')
    await expect(jwtVerify(await issuer.sign(), resolver)).resolves.toHaveProperty('payload')
  })

  it('rejects an alg that is not allowed without a request', async () => {
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
