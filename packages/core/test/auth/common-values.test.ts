import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCommonValues } from '../../src/auth/common-values.ts'
import type { AuthProvider } from '../../src/auth/provider-table.ts'
import type { VerifiedToken } from '../../src/auth/verified-token.ts'

function provider(): AuthProvider {
  return {} as AuthProvider
}

/** As far as values are looked at. */
function verified(of: AuthProvider, claims: object, scopes: readonly string[] = []): VerifiedToken {
  return { provider: of, claims: JSON.parse(JSON.stringify(claims)), scopes: [...scopes] } as unknown as VerifiedToken
}

function listIn({ claims }: VerifiedToken): unknown {
  return (claims as { list: unknown }).list
}

describe('what tokens have in common', () => {
  it('is theirs together, for one provider', () => {
    const values = createCommonValues()
    const [acme, globex] = [provider(), provider()]
    const [first, second, third] = [
      verified(acme, { sub: '1', list: ['a', 'b'] }, ['read']),
      verified(acme, { sub: '2', list: ['a', 'b'] }, ['read']),
      verified(globex, { sub: '3', list: ['a', 'b'] }, ['read']),
    ] as const
    for (const token of [first, third, second]) values.share(token)
    expect(listIn(second)).toBe(listIn(first))
    expect(second.scopes).toBe(first.scopes)
    expect(listIn(third)).not.toBe(listIn(first))
    expect(third.scopes).not.toBe(first.scopes)
  })

  it('is what the token before has, not any', () => {
    const values = createCommonValues()
    const acme = provider()
    const tokens = [['a'], ['b'], ['a'], ['a']].map((scopes) => verified(acme, { list: scopes }, scopes))
    for (const token of tokens) values.share(token)
    const [first, , third, fourth] = tokens
    expect(third?.scopes).not.toBe(first?.scopes)
    expect(fourth?.scopes).toBe(third?.scopes)
  })

  it.each([
    ['longer', ['a', 'b', 'c']],
    ['shorter', ['a']],
    ['in another order', ['b', 'a']],
    ['not of strings alone', ['a', 1]],
  ])('is no list that is %s', (_, list) => {
    const values = createCommonValues()
    const acme = provider()
    const [first, second] = [verified(acme, { list: ['a', 'b'] }), verified(acme, { list })]
    for (const token of [first, second]) values.share(token)
    expect(listIn(second)).toEqual(list)
    expect(listIn(second)).not.toBe(listIn(first))
  })

  it('is forgotten on request', () => {
    const values = createCommonValues()
    const acme = provider()
    const [first, second] = [verified(acme, { list: ['a'] }), verified(acme, { list: ['a'] })]
    values.share(first)
    values.clear()
    values.share(second)
    expect(listIn(second)).not.toBe(listIn(first))
  })

  it('never changes what a token says, whatever the members are named', () => {
    const name = fc.constantFrom('__proto__', 'constructor', 'toString', 'iss', 'aud')
    const value = fc.oneof(fc.constantFrom('a', 'b', 1, null), fc.array(fc.constantFrom('a', 'b', 2), { maxLength: 2 }))
    const members = fc.array(fc.tuple(name, value)).map((entries) => Object.fromEntries(entries))
    fc.assert(
      fc.property(fc.array(members, { minLength: 2, maxLength: 4 }), (list) => {
        const values = createCommonValues()
        const acme = provider()
        for (const claims of list) {
          const token = verified(acme, claims)
          const before = JSON.stringify(token.claims)
          values.share(token)
          expect(JSON.stringify(token.claims)).toBe(before)
          expect(Object.getPrototypeOf(token.claims)).toBe(Object.prototype)
        }
      }),
    )
  })
})
