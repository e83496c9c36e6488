import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { signatureAlgorithms } from '../../src/jwks/algorithms.ts'
import { createKeyImporter } from '../../src/jwks/import-key.ts'
import { readKey } from '../../src/jwks/verification-key.ts'
import { keyPairFor } from './sample-keys.ts'

// A file of its own: Node prints such a warning once for each thread.
it('prints no warning when keys are imported, for Ed25519 on Node 20 in particular', async () => {
  const warnings: string[] = []
  const collect = ({ message }: Error): unknown => warnings.push(message)
  process.on('warning', collect)
  for (const alg of signatureAlgorithms) {
    const reading = readKey(keyPairFor(alg).publicKey.export({ format: 'jwk' }))
    if (reading.kind !== 'key') throw new Error(`this is ${reading.kind}`)
    expect(createKeyImporter().importKey(reading.key, alg)).toBeDefined()
  }
  await setImmediate()
  process.off('warning', collect)
  expect(warnings).toEqual([])
})
