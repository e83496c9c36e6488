import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createKeyImporter, readKey } from '../../src/jwks/verification-key.ts'
import { keyPairFor } from './sample-keys.ts'

// In a file of its own, because Node prints each such warning once per thread. Node 20.19 prints one when Web Crypto
// imports an Ed25519 key.
it('prints no warning when keys are imported', async () => {
  const warnings: string[] = []
  const collect = ({ message }: Error): unknown => warnings.push(message)
  process.on('warning', collect)
  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    const reading = readKey(keyPairFor(alg).publicKey.export({ format: 'jwk' }))
    if (reading.kind !== 'key') throw new Error(`this is ${reading.kind}`)
    expect(createKeyImporter().importKey(reading.key, alg)).toBeDefined()
  }
  await setImmediate()
  process.off('warning', collect)
  expect(warnings).toEqual([])
})
