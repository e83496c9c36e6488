import { sign, verify } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  createKeyImporter,
  readKey,
  signatureAlgorithms,
  type VerificationKey,
} from '../../src/jwks/verification-key.ts'
import { keyPairFor, samples } from './sample-keys.ts'

function keyOf(member: unknown): VerificationKey {
  const reading = readKey(member)
  if (reading.kind !== 'key') throw new Error(`this is ${reading.kind}`)
  return reading.key
}

describe('a key importer', () => {
  it('imports a key once for each algorithm', () => {
    const importer = createKeyImporter()
    const key = keyOf(samples.rsa)
    const imported = importer.importKey(key, 'RS256')
    expect(imported).toBeDefined()
    expect(importer.importKey(key, 'RS256')).toBe(imported)
    expect(importer.importKey(key, 'PS256')).not.toBe(imported)
  })

  it('treats EdDSA and Ed25519 as one algorithm', () => {
    const importer = createKeyImporter()
    const key = keyOf(samples.ed25519)
    expect(importer.importKey(key, 'EdDSA')).toBe(importer.importKey(key, 'Ed25519'))
  })

  it.each(signatureAlgorithms)('imports for crypto.verify and for jwtVerify of jose: %s', async (alg) => {
    const { publicKey, privateKey } = keyPairFor(alg)
    const imported = createKeyImporter().importKey(keyOf(publicKey.export({ format: 'jwk' })), alg)
    if (imported === undefined) throw new Error('not imported')
    const { hash, verifyInput, keyObject } = imported
    const message = Buffer.from('message')
    const signature = sign(hash, message, { ...verifyInput, key: privateKey })
    expect(verify(hash, message, verifyInput, signature)).toBe(true)
    expect(verify(hash, Buffer.from('another'), verifyInput, signature)).toBe(false)
    const token = await new SignJWT({ sub: 'a' }).setProtectedHeader({ alg }).sign(privateKey)
    expect((await jwtVerify(token, keyObject)).payload.sub).toBe('a')
  })

  it.each([
    ['use', 'sig'],
    ['key_ops', ['verify', 'encrypt']],
    ['ext', false],
  ])('imports a public key whatever %s is', (name, value) => {
    const imported = createKeyImporter().importKey(keyOf({ ...samples.p256, [name]: value }), 'ES256')
    expect(imported?.keyObject.type).toBe('public')
  })

  it('returns undefined, each time, for a key that OpenSSL refuses', () => {
    const importer = createKeyImporter()
    const key = keyOf(samples.p256)
    const broken = { ...key, jwk: { ...key.jwk, x: key.jwk.y ?? '' } }
    expect(importer.importKey(broken, 'ES256')).toBeUndefined()
    expect(importer.importKey(broken, 'ES256')).toBeUndefined()
  })

  it('returns undefined for an unsupported algorithm', () => {
    expect(createKeyImporter().importKey(keyOf(samples.rsa), 'HS256')).toBeUndefined()
  })
})
