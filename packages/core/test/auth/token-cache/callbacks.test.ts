import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, it, vi } from 'vitest'
import type { Auth, AuthRequest } from '../../../src/index.ts'
import { TokenExpiredError } from '../../../src/index.ts'
import { authOf, setTokenScene, verdictOf } from './token-scene.ts'

/** Fits both options, whatever it answers. */
type Callback = (auth: Auth<unknown>, request?: AuthRequest) => never

/** A callback that answers at once, and one that answers later. */
function both(answer: () => unknown): readonly Callback[] {
  return [answer as () => never, (async () => answer()) as unknown as () => never]
}

function schemaOf(validate: (value: never) => unknown): StandardSchemaV1<unknown, unknown> {
  return { '~standard': { version: 1, vendor: 'test', validate } as StandardSchemaV1.Props<unknown, unknown> }
}

const mistakes = [undefined, null, 0, 1, '', 'no', {}, Number.NaN]

describe('validate', () => {
  it('is asked once for a token, with what it says, whoever comes with it', async () => {
    const seen: Auth<unknown>[] = []
    const { issuer, ask } = await setTokenScene({ validate: (auth) => void seen.push(auth) })
    const token = await issuer.sign({ scope: 'read' })
    await Promise.all([ask(token), ask(token)])
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(seen).toEqual([authOf(ask(token))])
  })

  it('is asked each time without a token cache', async () => {
    const validate = vi.fn<() => void>()
    const { issuer, ask } = await setTokenScene({ tokenCache: false, validate })
    const token = await issuer.sign()
    await ask(token)
    await ask(token)
    expect(validate).toHaveBeenCalledTimes(2)
  })

  it('does not see a token that is no good', async () => {
    const validate = vi.fn<() => void>()
    const { issuer, verdict } = await setTokenScene({ validate })
    expect(await verdict((await issuer.sign()).replace(/.{6}$/, 'AAAAAA'))).toBe('ERR_SIGNATURE_INVALID')
    expect(validate).not.toHaveBeenCalled()
  })

  it('that says true or nothing accepts, at once or later', async () => {
    for (const validate of [...both(() => true), ...both(() => undefined)]) {
      const { issuer, verdict } = await setTokenScene({ validate })
      expect(await verdict(await issuer.sign())).toBe('accepted')
    }
  })

  it('that says false refuses with 401, and is asked again the next time', async () => {
    for (const validate of both(() => false)) {
      const { issuer, ask, checks } = await setTokenScene({ validate })
      const token = await issuer.sign()
      for (const _ of [1, 2]) {
        expect(await ask(token)).toMatchObject({ error: { code: 'ERR_TOKEN_REJECTED' }, response: { status: 401 } })
        expect(checks()).toBe(1)
      }
    }
  })

  it.each(mistakes.slice(1))('that says %j is an error of the application', async (answer) => {
    for (const validate of both(() => answer)) {
      const { issuer, verdict } = await setTokenScene({ validate })
      await expect(verdict(await issuer.sign())).rejects.toThrow('validate must return true, false or nothing')
    }
  })

  it('that throws is an error of the application, even with an error of ours, and nothing is kept', async () => {
    for (const fault of [new Error('database'), new TokenExpiredError()]) {
      for (const validate of both(() => {
        throw fault
      })) {
        const { issuer, verdict, checks } = await setTokenScene({ validate })
        const token = await issuer.sign()
        await expect(verdict(token)).rejects.toBe(fault)
        checks()
        await expect(verdict(token)).rejects.toBe(fault)
        expect(checks()).toBe(1)
      }
    }
  })

  it('cannot change what later requests see', async () => {
    const { issuer, ask } = await setTokenScene({
      validate: ({ claims, scopes }) => {
        Object.assign(claims as object, { roles: ['admin'] })
        ;(scopes as Set<string>).add('admin')
      },
    })
    const token = await issuer.sign({ roles: ['user'], scope: 'read' })
    await ask(token)
    expect(authOf(ask(token))).toMatchObject({ claims: { roles: ['user'] }, scopes: new Set(['read']) })
  })
})

describe('isRevoked', () => {
  it('is asked on each request, with its token and with the request itself', async () => {
    const seen: unknown[] = []
    const { issuer, authenticator } = await setTokenScene({
      isRevoked: ({ token }, request) => seen.push(token, request) < 0,
    })
    const token = await issuer.sign()
    const headers = { 'x-tenant': 'acme', authorization: `Bearer ${token}` }
    const requests = [1, 2, 3].map((raw) => ({ method: 'GET', url: '/', headers, raw }))
    for (const request of requests) await authenticator.authenticate(request)
    expect(seen).toEqual(requests.flatMap((request) => [token, request]))
  })

  it('is asked by each of those that share a verification', async () => {
    const revoked = new Set([2])
    const { issuer, authenticator, checks } = await setTokenScene({
      isRevoked: (_, { raw }) => revoked.has(raw as number),
    })
    const headers = { 'x-tenant': 'acme', authorization: `Bearer ${await issuer.sign()}` }
    const outcomes = await Promise.all(
      [1, 2, 3].map(async (raw) => await authenticator.authenticate({ method: 'GET', url: '/', headers, raw })),
    )
    expect(outcomes.map(verdictOf)).toEqual(['accepted', 'ERR_TOKEN_REVOKED', 'accepted'])
    expect(checks()).toBe(1)
  })

  it('that answers at once leaves nothing to wait for', async () => {
    let answer = false
    const { issuer, ask } = await setTokenScene({ isRevoked: () => answer })
    const token = await issuer.sign()
    await ask(token)
    expect(verdictOf(ask(token))).toBe('accepted')
    answer = true
    expect(ask(token)).toMatchObject({ error: { code: 'ERR_TOKEN_REVOKED' }, response: { status: 401 } })
  })

  it('that answers later is waited for', async () => {
    let answer = false
    const { issuer, ask } = await setTokenScene({ isRevoked: async () => answer })
    const token = await issuer.sign()
    await ask(token)
    const waiting = ask(token)
    expect(waiting).toBeInstanceOf(Promise)
    expect(verdictOf(await waiting)).toBe('accepted')
    answer = true
    expect(verdictOf(await ask(token))).toBe('ERR_TOKEN_REVOKED')
  })

  it('is asked without a token cache, too', async () => {
    const { issuer, verdict } = await setTokenScene({ tokenCache: false, isRevoked: () => true })
    expect(await verdict(await issuer.sign())).toBe('ERR_TOKEN_REVOKED')
  })

  it('is not asked of a token that is no good', async () => {
    const isRevoked = vi.fn<() => boolean>(() => false)
    const { issuer, verdict } = await setTokenScene({ isRevoked })
    await verdict((await issuer.sign()).replace(/.{6}$/, 'AAAAAA'))
    expect(isRevoked).not.toHaveBeenCalled()
  })

  it.each(mistakes)('that says %j is an error of the application, on the first use and later', async (answer) => {
    for (const isRevoked of both(() => answer)) {
      let isWell = false
      const { issuer, verdict } = await setTokenScene({ isRevoked: (auth) => (isWell ? false : isRevoked(auth)) })
      const token = await issuer.sign()
      await expect(verdict(token)).rejects.toThrow('isRevoked must return true or false')
      isWell = true
      expect(await verdict(token)).toBe('accepted')
      isWell = false
      await expect(verdict(token)).rejects.toThrow('isRevoked must return true or false')
    }
  })

  it('that throws is an error of the application, even with an error of ours', async () => {
    const fault = new TokenExpiredError()
    let isWell = true
    for (const isRevoked of both(() => {
      if (isWell) return false
      throw fault
    })) {
      const { issuer, verdict } = await setTokenScene({ isRevoked })
      const token = await issuer.sign()
      isWell = true
      expect(await verdict(token)).toBe('accepted')
      isWell = false
      await expect(verdict(token)).rejects.toBe(fault)
    }
  })
})

describe('a schema of claims', () => {
  it.each([
    ['a string', 'user'],
    ['a list', [['user']]],
  ])('whose output is %s is applied once', async (_, value) => {
    const validateClaims = vi.fn<() => unknown>(() => ({ value }))
    const { issuer, ask } = await setTokenScene({ claims: schemaOf(validateClaims) })
    const token = await issuer.sign()
    for (const _ of [1, 2]) expect(authOf(await ask(token)).claims).toEqual(value)
    expect(validateClaims).toHaveBeenCalledOnce()
  })

  it('is not asked again about a token whose output can be copied', async () => {
    let asked = 0
    const claims = schemaOf(async (value: object) => {
      asked += 1
      return { value: { of: value, list: [{ deep: 1 }] } }
    })
    const { issuer, ask } = await setTokenScene({ claims })
    const token = await issuer.sign()
    const first = await ask(token)
    const auth = authOf(ask(token))
    expect(auth).toEqual(authOf(first))
    ;(auth.claims as { list: unknown[] }).list.push('more')
    expect(authOf(ask(token))).toEqual(authOf(first))
    expect(asked).toBe(1)
  })

  class Account {
    readonly claims: { roles: string[] }
    constructor(claims: { roles: string[] }) {
      this.claims = claims
    }
  }
  const outputs: readonly (readonly [string, (claims: { roles: string[] }) => unknown])[] = [
    ['an instance of a class', (claims) => new Account(claims)],
    ['a date', (claims) => ({ roles: claims.roles, at: new Date(0) })],
    ['a map', (claims) => ({ map: new Map([['roles', claims.roles]]) })],
    ['a set', () => ({ nested: [new Set(['user'])] })],
    ['a function', (claims) => ({ roles: () => claims.roles })],
    [
      'an accessor',
      (claims) => ({
        get roles() {
          return claims.roles
        },
      }),
    ],
    ['something without a prototype', (claims) => Object.assign(Object.create(null), claims)],
  ]

  it.each(outputs)('whose output is or has %s makes one for each request, at once', async (_, make) => {
    const made: unknown[] = []
    const claims = schemaOf((value: { roles: string[] }) => {
      const output = make(value)
      made.push(output)
      return { value: output }
    })
    const { issuer, ask, checks } = await setTokenScene({ claims })
    const token = await issuer.sign({ roles: ['user'] })
    const auths = [authOf(await ask(token)), authOf(ask(token)), authOf(ask(token))]
    expect(checks()).toBe(1)
    expect(auths.map((auth) => auth.claims)).toEqual(made)
    expect(made).toHaveLength(3)
  })

  it('whose output hands on what it was given does not let a handler change that', async () => {
    const { issuer, ask } = await setTokenScene({
      claims: schemaOf((value: { roles: string[] }) => ({ value: new Account(value) })),
    })
    const token = await issuer.sign({ roles: ['user'] })
    for (const outcome of [await ask(token), await ask(token)])
      (authOf(outcome).claims as Account).claims.roles.push('admin')
    expect((authOf(ask(token)).claims as Account).claims.roles).toEqual(['user'])
  })

  it('that is asked again may refuse, answer later, and throw', async () => {
    let answer: () => unknown = () => ({ value: new Date(0) })
    const { issuer, ask } = await setTokenScene({ claims: schemaOf(() => answer()) })
    const token = await issuer.sign()
    await ask(token)
    answer = async () => ({ value: new Date(1) })
    expect(authOf(await ask(token)).claims).toEqual(new Date(1))
    answer = () => ({ issues: [{ message: 'no' }] })
    expect(verdictOf(ask(token))).toBe('ERR_CLAIMS_REJECTED')
    answer = () => {
      throw new TokenExpiredError()
    }
    expect(() => ask(token)).toThrow(TokenExpiredError)
  })
})
