import { createHmac, createPublicKey, randomBytes } from 'node:crypto'
import {
  calculateJwkThumbprint,
  compactVerify,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
} from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestIssuer, type SignOverrides, signingAlgorithms, type TestIssuer } from '../src/index.ts'
import { startIssuer } from './issuers.ts'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ audience: ['api', 'other'] })
})
afterAll(() => issuer.close())

const verify = (token: string) => jwtVerify(token, createLocalJWKSet(issuer.jwks))

describe('an ordinary token', () => {
  it.each(signingAlgorithms)('verifies with jose when the key is for %s', async (algorithm) => {
    const other = await startIssuer({ algorithm })
    const { protectedHeader } = await jwtVerify(await other.sign(), createLocalJWKSet(other.jwks))
    expect(protectedHeader).toEqual({ alg: algorithm, kid: 'key-1', typ: 'JWT' })
  })

  it('has iss, aud, sub, iat and an exp five minutes later', async () => {
    const { iss, aud, sub, iat = 0, exp } = decodeJwt(await issuer.sign())
    expect({ iss, aud, sub }).toEqual({ iss: issuer.issuer, aud: ['api', 'other'], sub: 'user-1' })
    expect(Math.abs(Date.now() / 1000 - iat)).toBeLessThan(5)
    expect(exp).toBe(iat + 300)
  })

  it('has no aud when none is configured', async () => {
    const other = await startIssuer()
    expect(decodeJwt(await other.sign())).not.toHaveProperty('aud')
  })

  it('has the claims it is given, whatever their type, and not those that are undefined', async () => {
    const { payload } = await verify(await issuer.sign({ scope: 'a b', exp: undefined, iss: undefined, sub: 7 }))
    expect(payload).toMatchObject({ scope: 'a b', sub: 7 })
    expect(payload).not.toHaveProperty('exp')
    expect(payload).not.toHaveProperty('iss')
    expect(decodeJwt(await issuer.sign({ exp: 'tomorrow' })).exp).toBe('tomorrow')
  })
})

describe('a token that departs from the ordinary', () => {
  it('says another kid, typ and alg, or none', async () => {
    const other = await issuer.sign({}, { kid: 'who', typ: 'at+jwt', alg: 'RS384' })
    expect(decodeProtectedHeader(other)).toEqual({ kid: 'who', typ: 'at+jwt', alg: 'RS384' })
    const none = await issuer.sign({}, { kid: undefined, typ: undefined, alg: undefined })
    expect(none.split('.', 1)[0]).toBe(Buffer.from('{}').toString('base64url'))
  })

  it('is really signed by another algorithm of the same key type', async () => {
    for (const alg of ['RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
      const { protectedHeader } = await compactVerify(await issuer.sign({}, { alg }), createPublicKey(pem()))
      expect(protectedHeader.alg).toBe(alg)
    }
  })

  it('carries further header members, which win', async () => {
    const header = { crit: ['x-unknown'], 'x-unknown': 1, jku: 'https://evil.example/jwks', x5u: 'u', kid: 3 }
    const token = await issuer.sign({}, { header })
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', typ: 'JWT', ...header })
    const accepting = { crit: { 'x-unknown': false } }
    await expect(compactVerify(token, issuer.signingKey.publicKey)).rejects.toThrow('x-unknown')
    await expect(compactVerify(token, issuer.signingKey.publicKey, accepting)).resolves.toBeDefined()
  })

  it('has a good signature even with b64: false', async () => {
    const token = await issuer.sign({}, { header: { b64: false, crit: ['b64'] } })
    await expect(compactVerify(token, issuer.signingKey.publicKey)).resolves.toBeDefined()
    await expect(verify(token)).rejects.toThrow('unencoded payload')
  })

  it('has an empty signature with alg none', async () => {
    expect(await issuer.sign({}, { alg: 'none' })).toMatch(/\.$/)
    expect(await issuer.sign({}, { alg: 'nOnE' })).toMatch(/\.$/)
  })

  it('takes the public key for a secret with HS256', async () => {
    const token = await issuer.sign({}, { alg: 'HS256' })
    const input = token.slice(0, token.lastIndexOf('.'))
    expect(token.slice(input.length + 1)).toBe(createHmac('sha256', pem()).update(input).digest('base64url'))
  })

  it('falls back to the key type when the key cannot do the algorithm', async () => {
    const token = await issuer.sign({}, { alg: 'ES256' })
    expect(decodeProtectedHeader(token).alg).toBe('ES256')
    expect(token.split('.')[2]).toHaveLength(342)
  })

  it('has the payload or the header to the letter', async () => {
    const payloadText = '{"sub":"a","sub":"b"}'
    const headerText = `{"alg":"RS256","kid":"key-1","kid":"key-1"}`
    const token = await issuer.sign({ sub: 'c' }, { payloadText, headerText })
    const [header = '', payload = ''] = token.split('.')
    expect(Buffer.from(payload, 'base64url').toString()).toBe(payloadText)
    expect(Buffer.from(header, 'base64url').toString()).toBe(headerText)
    await expect(compactVerify(token, issuer.signingKey.publicKey)).resolves.toBeDefined()
  })
})

describe('a forged token', () => {
  it.each(['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'Ed25519'])(
    'is signed by a foreign %s CryptoKey, under our kid, though it cannot be exported',
    async (alg) => {
      const { publicKey, privateKey } = await generateKeyPair(alg)
      const token = await issuer.sign({}, { alg, signWith: privateKey })
      expect(decodeProtectedHeader(token).kid).toBe('key-1')
      await expect(compactVerify(token, publicKey)).resolves.toBeDefined()
      await expect(verify(token)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_JWKS_NO_MATCHING_KEY$|^ERR_JWS_SIG/),
      })
    },
  )

  it('is signed by a foreign private JWK, our alg in the header unless told otherwise', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
    const signWith = await exportJWK(privateKey)
    const token = await issuer.sign({}, { signWith })
    await expect(compactVerify(token, publicKey)).resolves.toBeDefined()
    await expect(verify(token)).rejects.toThrow('signature verification failed')
  })

  it('is signed by a secret', async () => {
    const k = randomBytes(48)
    const algorithm = { name: 'HMAC', hash: 'SHA-384' }
    const secret = await crypto.subtle.importKey('raw', k, algorithm, false, ['sign', 'verify'])
    const byJwk = await issuer.sign({}, { alg: 'HS384', signWith: { kty: 'oct', k: k.toString('base64url') } })
    const byKey = await issuer.sign({}, { alg: 'HS384', signWith: secret })
    await expect(compactVerify(byJwk, secret)).resolves.toBeDefined()
    await expect(compactVerify(byKey, secret)).resolves.toBeDefined()
  })
})

describe('the keys of an issuer', () => {
  it('rotate to a new one of the same algorithm, and keep the previous one published', async () => {
    const other = await startIssuer()
    const before = await other.sign()
    const key = await other.rotate()
    expect(other.signingKey).toBe(key)
    expect([key.kid, key.alg]).toEqual(['key-2', 'ES256'])
    expect(other.jwks.keys.map(({ kid }) => kid)).toEqual(['key-1', 'key-2'])
    const keys = createLocalJWKSet(other.jwks)
    await expect(jwtVerify(before, keys)).resolves.toMatchObject({ protectedHeader: { kid: 'key-1' } })
    await expect(jwtVerify(await other.sign(), keys)).resolves.toMatchObject({ protectedHeader: { kid: 'key-2' } })
  })

  it('rotate without keeping the previous one, to another algorithm and name', async () => {
    const other = await startIssuer()
    await other.addKey()
    await other.rotate({ keepPrevious: false, algorithm: 'EdDSA', kid: 'new' })
    expect(other.keys.map(({ kid, alg }) => [kid, alg])).toEqual([
      ['key-2', 'ES256'],
      ['new', 'EdDSA'],
    ])
  })

  it('rotate to new material under the same name', async () => {
    const other = await startIssuer()
    const [before] = other.keys
    const after = await other.rotate({ kid: 'key-1' })
    expect(other.keys).toEqual([after])
    expect(after.publicJwk.kid).toBe(before?.publicJwk.kid)
    expect(await calculateJwkThumbprint(after.publicJwk)).not.toBe(
      await calculateJwkThumbprint(before?.publicJwk ?? {}),
    )
  })

  it('can be published without signing, and sign when they are named', async () => {
    const other = await startIssuer()
    const added = await other.addKey({ algorithm: 'Ed25519', kid: 'second' })
    expect(other.signingKey.kid).toBe('key-1')
    const token = await other.sign({}, { key: 'second' })
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(other.jwks))
    expect(protectedHeader).toMatchObject({ kid: 'second', alg: added.alg })
  })

  it('still sign when they are removed, but are not published', async () => {
    const other = await startIssuer()
    const added = await other.addKey()
    other.removeKey('key-1')
    other.removeKey(added.kid)
    expect(other.jwks).toEqual({ keys: [] })
    expect(decodeProtectedHeader(await other.sign()).kid).toBe('key-1')
    expect(decodeProtectedHeader(await other.sign({}, { key: 'key-1' })).kid).toBe('key-1')
    expect(decodeProtectedHeader(await other.sign({}, { key: added })).kid).toBe(added.kid)
    await expect(other.sign({}, { key: added.kid })).rejects.toThrow(`no key '${added.kid}' is published`)
    expect(() => other.removeKey('key-1')).toThrow(TypeError)
  })

  it('never get a generated name that is taken', async () => {
    const other = await startIssuer({ kid: 'key-1' })
    expect((await other.addKey()).kid).toBe('key-2')
  })

  it('give their private half to a test that wants it', () => {
    const { privateJwk, privateKey } = issuer.signingKey
    expect(privateJwk).toHaveProperty('d')
    expect(privateKey.type).toBe('private')
  })
})

it.each([
  [{ kd: 'x' }, "unknown option 'kd'"],
  [{ key: 7 }, "option 'key' must be"],
  [{ signWith: 'x' }, "option 'signWith' must be"],
  [{ header: 'x' }, "option 'header' must be"],
  [{ payloadText: {} }, "option 'payloadText' must be"],
])('refuses overrides %j by name', async (overrides, message) => {
  const signing = issuer.sign({}, overrides as SignOverrides)
  await expect(signing).rejects.toThrow(TypeError)
  await expect(signing).rejects.toThrow(message)
})

function pem(): string {
  const key = createPublicKey({ key: { ...issuer.signingKey.publicJwk }, format: 'jwk' })
  return key.export({ type: 'spki', format: 'pem' }).toString()
}
