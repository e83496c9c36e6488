import type { JsonWebKey } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { authenticate, startAuthenticatorFor } from '@jwks-auth/test-support/start'
import { createTestIssuer, signingAlgorithms } from '@jwks-auth/testing'
import fc from 'fast-check'
import { importJWK } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseToken } from '../../packages/core/src/auth/parse-token.ts'
import { verifySignature } from '../../packages/core/src/auth/signing-key.ts'
import { createKeySet, type KeySetReading, readKeySet, selectKeys } from '../../packages/core/src/jwks/key-set.ts'
import { createKeyImporter, thumbprintOf } from '../../packages/core/src/jwks/verification-key.ts'
import { readResponse } from '../../packages/core/src/jwks-cache/key-set-response.ts'
import { reencodings } from '../conformance/key-encodings.ts'
import { expectRefusalUnless } from './answers.ts'
import { fragments, jsonText, latin1 } from './arbitraries.ts'
import { inMemory, overSockets, timeout, withLongBodies, withSignatures } from './runs.ts'

const pairs = [
  generateKeys('rsa', { modulusLength: 2048 }),
  generateKeys('ec', { namedCurve: 'P-256' }),
  generateKeys('ec', { namedCurve: 'P-384' }),
  generateKeys('ec', { namedCurve: 'P-521' }),
  generateKeys('ed25519'),
]
const publicKeys: readonly JsonWebKey[] = pairs.map(({ publicKey }) => publicKey.export({ format: 'jwk' }))
const privateKeys: readonly JsonWebKey[] = pairs.map(({ privateKey }) => privateKey.export({ format: 'jwk' }))

const keptNames = ['kty', 'kid', 'alg', 'use', 'key_ops', 'crv', 'x', 'y', 'n', 'e', 'issuer']
const names = [...keptNames, 'd', 'k', 'x5c', 'ext', '__proto__']
const base64url = fc
  .uint8Array({ maxLength: 400, size: 'max' })
  .map((bytes) => Buffer.from(bytes).toString('base64url'))
const member = fc.oneof(
  fc.constantFrom(
    'RSA',
    'EC',
    'OKP',
    'oct',
    'P-256',
    'Ed25519',
    'sig',
    'enc',
    'AQ',
    'Ag',
    'AQAB',
    ...signingAlgorithms,
  ),
  base64url,
  fc.constantFrom<unknown>(['verify'], ['sign'], [], null, '', 1, 2 ** 60, true, {}),
)

/** A good key with a few members changed, as text, in any encoding; some nest deeply. */
const keyText = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(...publicKeys, ...privateKeys),
      fc.constantFrom(...publicKeys).chain((key) => reencodings({ ...key })),
    ),
    fc.dictionary(
      fc.constantFrom(...names),
      fc.oneof({ weight: 5, arbitrary: member.map((value) => JSON.stringify(value)) }, jsonText),
      {
        maxKeys: 3,
      },
    ),
  )
  .map(([key, changes]) => {
    const members = {
      ...Object.fromEntries(Object.entries(key).map(([name, value]) => [name, JSON.stringify(value)])),
      ...changes,
    }
    return `{${Object.entries(members)
      .map(([name, text]) => `${JSON.stringify(name)}:${text}`)
      .join(',')}}`
  })

const bodies = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(fc.oneof({ weight: 5, arbitrary: keyText }, jsonText), { maxLength: 4 })
      .map((keys) => `{"keys":[${keys.join(',')}]}`),
  },
  jsonText.map((text) => `{"keys":${text}}`),
  jsonText,
  fragments(['{"keys":[', '{}', ']}', '{"kty":"EC"}', ',', '\0', '\ufeff'], latin1(10)),
  latin1(300),
)

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const noKeySet: KeySetReading = {
  keySet: createKeySet([]),
  refused: { count: 0, first: [] },
  compromised: new Set(),
}

/** The key set of a body; an empty one where it is none. */
function read(body: string): KeySetReading {
  return (isJson(body) ? readKeySet(JSON.parse(body), 10) : undefined) ?? noKeySet
}

describe('a key set of any bytes', () => {
  it(
    'is read or refused, and only flat, canonical public keys are kept',
    () => {
      fc.assert(
        fc.property(bodies, (body) => {
          const { keySet, refused, compromised } = read(body)
          const { keys } = keySet
          expect(keys.length).toBeLessThanOrEqual(10)
          expect(new Set(keys.map(({ identity }) => identity)).size).toBe(keys.length)
          expect(refused.first.length).toBeLessThanOrEqual(Math.min(10, refused.count))
          for (const key of keys) {
            const { jwk } = key
            expect(['RSA', 'EC', 'OKP']).toContain(jwk.kty)
            expect(Object.keys(jwk).filter((name) => !keptNames.includes(name))).toEqual([])
            expect(compromised.has(key.material)).toBe(false)
            expect(Object.getPrototypeOf(jwk)).toBe(Object.prototype)
            const again = readKeySet(JSON.parse(JSON.stringify({ keys: [jwk] })), 1)?.keySet.keys[0]
            expect(again).toEqual(key)
          }
        }),
        inMemory,
      )
    },
    timeout,
  )

  it(
    'has only keys that jose and node:crypto import, too',
    async () => {
      const importer = createKeyImporter()
      const property = fc.asyncProperty(bodies, fc.constantFrom(...signingAlgorithms), async (body, alg) => {
        for (const key of selectKeys(read(body).keySet, undefined, alg)) {
          const { kty, crv, x, y, n, e } = key.jwk
          const material = { kty, crv, x, y, n, e }
          const present = Object.fromEntries(Object.entries(material).filter(([, value]) => value !== undefined))
          expect(importer.importKey(key, alg)?.keyObject.export({ format: 'jwk' })).toEqual(present)
          await expect(importJWK(present, alg)).resolves.toBeDefined()
          expect(thumbprintOf(key)).toMatch(/^[\w-]{43}$/)
        }
      })
      await fc.assert(property, withSignatures)
    },
    timeout,
  )

  it(
    'has only keys that verify nothing which they did not sign',
    async () => {
      const importer = createKeyImporter()
      const signatures = fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 512 }),
        fc.constantFrom(64, 96, 132, 256).map((bytes) => new Uint8Array(bytes)),
      )
      const property = fc.asyncProperty(
        bodies,
        fc.constantFrom(...signingAlgorithms),
        signatures,
        async (body, alg, bytes) => {
          const parts = [JSON.stringify({ alg }), '{}', bytes].map((part) => Buffer.from(part).toString('base64url'))
          for (const key of selectKeys(read(body).keySet, undefined, alg)) {
            const imported = importer.importKey(key, alg)
            const parsed = parseToken(parts.join('.'))
            if (parsed instanceof Error) throw parsed
            const isSigned = imported !== undefined && (await verifySignature(imported, parsed))
            expect(isSigned).toBe(false)
          }
        },
      )
      await fc.assert(property, withSignatures)
    },
    timeout,
  )
})

describe('an issuer that publishes any bytes for its key set', () => {
  it('is kept within its bounds, at the limits of a body', { timeout }, async () => {
    const good = JSON.stringify({ ...publicKeys[1], kid: 'good' })
    const filler = fc.constantFrom(
      '0',
      '{}',
      'null',
      '[]',
      '""',
      '{"kty":"oct"}',
      '1e999',
      '{"kty":"RSA","n":"","e":""}',
      good,
    )
    await fc.assert(
      fc.asyncProperty(filler, fc.integer({ min: 0, max: 515_000 }), async (entry, count) => {
        const copies = Math.min(count, Math.floor(1_048_576 / (entry.length + 1)))
        const body = `{"keys":[${good}${`,${entry}`.repeat(copies)}]}`
        const response = { status: 200, headers: {}, body, url: 'https://issuer.example/jwks' }
        const { keySet, refused } = await readResponse(response, undefined, Date.now(), 1_000)
        expect(keySet.keys.map(({ kid }) => kid)).toEqual(['good'])
        expect(JSON.stringify(refused).length).toBeLessThan(1_000)
      }),
      withLongBodies,
    )
  })

  it('has its tokens refused as designed, unless its own key is among them', { timeout }, async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example' })
    onTestFinished(() => issuer.close())
    const own = JSON.stringify(issuer.signingKey.publicJwk)
    const published = fc.oneof(
      bodies,
      keyText.filter(isJson).map((text) => `{"keys":[${text},${own}]}`),
    )
    await fc.assert(
      fc.asyncProperty(published, async (body) => {
        issuer.setJwks(body)
        const authenticator = startAuthenticatorFor(issuer, { retryPolicy: { maxRetries: 0 } })
        const outcome = await authenticate(authenticator, await issuer.sign())
        // A key beside the issuer's own one must not prevent its use.
        const isPublished = body.endsWith(`,${own}]}`)
        expect(outcome.ok).toBe(isPublished)
        expectRefusalUnless(isPublished, outcome)
        await authenticator.close()
      }),
      overSockets,
    )
  })
})
