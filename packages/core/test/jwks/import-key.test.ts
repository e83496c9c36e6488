import { describe, expect, it } from 'vitest'
import { createKeyImporter } from '../../src/jwks/import-key.ts'
import { readKey, type VerificationKey } from '../../src/jwks/verification-key.ts'
import { samples } from './sample-keys.ts'

function keyOf(member: unknown): VerificationKey {
  const reading = readKey(member)
  if (reading.kind !== 'key') throw new Error(`this is ${reading.kind}`)
  return reading.key
}

describe('a key importer', () => {
  it('imports a key once for each algorithm, and has it at once from then on', async () => {
    const importer = createKeyImporter()
    const key = keyOf(samples.rsa)
    const first = await importer.importKey(key, 'RS256')
    expect(importer.importKey(key, 'RS256')).toBe(first)
    const other = await importer.importKey(key, 'PS256')
    expect(other).not.toBe(first)
    expect([first.cryptoKey.algorithm.name, other.cryptoKey.algorithm.name]).toEqual(['RSASSA-PKCS1-v1_5', 'RSA-PSS'])
  })

  it('takes EdDSA and Ed25519 for one algorithm', async () => {
    const importer = createKeyImporter()
    const key = keyOf(samples.ed25519)
    expect(await importer.importKey(key, 'EdDSA')).toBe(await importer.importKey(key, 'Ed25519'))
  })

  it.each([
    ['use', 'sig'],
    ['key_ops', ['verify', 'encrypt']],
    ['ext', false],
  ])('imports for verification alone, whatever %s says', async (name, value) => {
    const { cryptoKey } = await createKeyImporter().importKey(keyOf({ ...samples.p256, [name]: value }), 'ES256')
    expect(cryptoKey.usages).toEqual(['verify'])
    expect(cryptoKey.type).toBe('public')
  })

  it('rejects a point that is not on its curve, again and again', async () => {
    const importer = createKeyImporter()
    const key = keyOf({ ...samples.p256, x: Buffer.alloc(32, 1).toString('base64url') })
    await expect(importer.importKey(key, 'ES256')).rejects.toBeInstanceOf(Error)
    await expect(importer.importKey(key, 'ES256')).rejects.toBeInstanceOf(Error)
  })
})
