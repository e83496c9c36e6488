import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { VerifiedToken } from '../../../src/auth/token-cache.ts'
import { createTokenCache, tokenKey } from '../../../src/auth/token-cache.ts'

function entry(text: string): VerifiedToken {
  const none = undefined as never
  return {
    text,
    provider: none,
    issuer: '',
    key: none,
    from: 0,
    until: 0,
    last: 0,
    header: { alg: 'ES256' },
    claims: {},
    needsSchema: false,
    scopes: [],
    expiresAt: 0,
    authentication: { acr: undefined, authTime: undefined, clockTolerance: 0 },
    isCloneable: true,
    bytes: 1,
  }
}

function cache() {
  return createTokenCache<VerifiedToken, unknown>({ max: 100, maxBytes: 1_000 })
}

describe('the number by which a token is looked up', () => {
  it('is the same for the token and for the header that brings it', () => {
    expect(tokenKey('Bearer abc.def.0123456789')).toBe(tokenKey('abc.def.0123456789'))
  })

  it('is a number for any text, however short', () => {
    for (const text of ['', 'a', 'abc.def.g']) expect(Number.isInteger(tokenKey(text))).toBe(true)
  })

  it('is shared by next to no two signatures', () => {
    const signatures = Array.from({ length: 20_000 }, () => randomBytes(64).toString('base64url'))
    const keys = new Set(signatures.map(tokenKey))
    // Of 32 bits, 0.05 pairs are to be expected; of 24 bits it were twelve.
    expect(keys.size).toBeGreaterThan(signatures.length - 5)
  })
})

describe('two tokens of one number', () => {
  const [one, other] = [entry('abc.one.0123456789'), entry('abc.other.0123456789')]

  it('take each other’s place', () => {
    const tokens = cache()
    tokens.add(one)
    tokens.add(other)
    expect(tokens.find(other.text)).toBe(other)
    expect(tokens.find(one.text)).toBeUndefined()
  })

  it('do not answer for each other, nor drop each other', () => {
    const tokens = cache()
    tokens.add(one)
    expect(tokens.find(other.text)).toBeUndefined()
    tokens.drop(other)
    expect(tokens.find(one.text)).toBe(one)
  })
})
