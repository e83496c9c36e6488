import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { createTestIssuer, signingAlgorithms } from '@jwks-auth/testing'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseToken } from '../../packages/core/src/auth/parse-token.ts'
import { verifySignature } from '../../packages/core/src/auth/verify-signature.ts'
import { readAnswer, UnusableKeySet } from '../../packages/core/src/jwks-cache/key-set-response.ts'
import { createKeyImporter } from '../../packages/core/src/jwks/import-key.ts'
import { createKeySet, type KeySet, selectKeys } from '../../packages/core/src/jwks/key-set.ts'
import { authenticate, startAuthenticatorFor } from '../integration/start.ts'
import { expectRefusalUnless } from './answers.ts'
import { fragments, jsonText, latin1 } from './arbitraries.ts'
import { inMemory, overSockets, timeout, withSignatures } from './runs.ts'

const pairs = [
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  generateKeyPairSync('ed25519'),
]
const publicKeys: readonly JsonWebKey[] = pairs.map(({ publicKey }) => publicKey.export({ format: 'jwk' }))
const privateKeys: readonly JsonWebKey[] = pairs.map(({ privateKey }) => privateKey.export({ format: 'jwk' }))

const names = ['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use', 'key_ops', 'd', 'k', 'x5c', 'ext', '__proto__']
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
  fc.constantFrom<unknown>(['verify'], ['sign'], [], null, 1, true, {}),
)

/** A key that is in order but for a few members, as text; some nest deeply. */
const keyText = fc
  .tuple(
    fc.constantFrom(...publicKeys, ...publicKeys, ...privateKeys),
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

/** The keys of a body; none where it is refused. */
function keysOf(body: string): KeySet['keys'] {
  try {
    return readAnswer({ status: 200, headers: {}, body, url: 'https://issuer.example/jwks' }, undefined, 0, 10).keySet
      .keys
  } catch (error) {
    if (error instanceof UnusableKeySet) return []
    throw error
  }
}

describe('a key set of any bytes', () => {
  it(
    'is read or refused, and no key with a private half or a secret is kept',
    () => {
      fc.assert(
        fc.property(bodies, (body) => {
          const keys = keysOf(body)
          expect(keys.length).toBeLessThanOrEqual(10)
          expect(new Set(keys.map(({ identity }) => identity)).size).toBe(keys.length)
          for (const { jwk } of keys) {
            expect(['RSA', 'EC', 'OKP']).toContain(jwk.kty)
            expect(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].filter((name) => Object.hasOwn(jwk, name))).toEqual([])
            expect(Object.getPrototypeOf(jwk)).toBe(Object.prototype)
          }
        }),
        inMemory,
      )
    },
    timeout,
  )

  it(
    'has only keys that Web Crypto refuses, or that verify nothing which they did not sign',
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
          const keySet = createKeySet(keysOf(body))
          for (const key of selectKeys(keySet, undefined, alg)) {
            const imported = await Promise.resolve(importer.importKey(key, alg)).catch(() => undefined)
            const isSigned = imported !== undefined && (await verifySignature(imported, parseToken(parts.join('.'))))
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
        // Where the issuer's own key stands beside another one, that must not stand in its way.
        const isPublished = body.endsWith(`,${own}]}`)
        expect(outcome.ok).toBe(isPublished)
        expectRefusalUnless(isPublished, outcome)
        await authenticator.close()
      }),
      overSockets,
    )
  })
})
