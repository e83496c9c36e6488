import { audience, startAuthenticator, startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import type { SigningAlgorithm } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

/** An authenticator with keys in memory, and a token that it has not seen. */
async function scene(algorithm: SigningAlgorithm, options: object = {}) {
  const issuer = await startIssuer({ algorithm })
  const registry = startRegistry()
  const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, registry, ...options })
  await registry.refresh('default', 'default')
  const ask = (token: string) =>
    authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } })
  return { issuer, ask }
}

const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } }

describe('a token that is new, with keys in memory', () => {
  it.each<SigningAlgorithm>(['RS256', 'PS512', 'ES256', 'EdDSA'])(
    'is accepted without a promise: %s',
    async (algorithm) => {
      const { issuer, ask } = await scene(algorithm)
      expect(ask(await issuer.sign())).toMatchObject({ ok: true, auth: { claims: { sub: 'user-1' } } })
    },
  )

  it('is accepted without a promise by synchronous callbacks, each of which is called', async () => {
    const called: string[] = []
    const note = (name: string) => called.push(name)
    const { issuer, ask } = await scene('ES256', {
      claims: schema,
      validate: () => note('validate') > 0,
      isRevoked: () => note('isRevoked') < 0,
      getToken: ({ headers }: { headers: Record<string, string> }) => headers['authorization']?.replace('Bearer ', ''),
    })
    expect(ask(await issuer.sign())).toMatchObject({ ok: true })
    expect(called).toEqual(['validate', 'isRevoked'])
  })

  it.each<SigningAlgorithm>(['ES384', 'ES512'])(
    'is checked off the event loop where that is expensive: %s',
    async (algorithm) => {
      const { issuer, ask } = await scene(algorithm)
      const outcome = ask(await issuer.sign())
      expect(outcome).toBeInstanceOf(Promise)
      expect(await outcome).toMatchObject({ ok: true })
    },
  )

  it('is accepted beyond the checks of one turn, and among forged ones', async () => {
    const { issuer, ask } = await scene('ES256')
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, at) => issuer.sign({ jti: String(at) })))
    const outcomes = await Promise.all(
      tokens.map(async (token, at) => await ask(at % 2 === 0 ? token : token.replace(/.{6}$/, 'AAAAAA'))),
    )
    expect(outcomes.map(({ ok }) => ok)).toEqual(tokens.map((_, at) => at % 2 === 0))
  })
})
