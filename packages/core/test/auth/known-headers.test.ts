import { describe, expect, it } from 'vitest'
import { createLearnedHeaders } from '../../src/auth/known-headers.ts'
import { parseToken } from '../../src/auth/parse-token.ts'
import { startAuthenticator, startIssuer } from '../start.ts'

function tokenWith(header: object): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode(header)}.${encode({ iss: 'x', exp: 1 })}.AAAA`
}

describe('the header of a token that was verified', () => {
  it('is not read again for the next one', () => {
    const headers = createLearnedHeaders()
    const first = parseToken(tokenWith({ alg: 'ES256', kid: 'a' }), headers)
    expect(parseToken(first.token, headers).header).not.toBe(first.header)
    headers.learn(first)
    expect(parseToken(first.token, headers).header).toBe(first.header)
    expect(parseToken(tokenWith({ alg: 'ES256', kid: 'b' }), headers).header.kid).toBe('b')
  })

  it('is read again where it nests, since requests get shallow copies', () => {
    const headers = createLearnedHeaders()
    const first = parseToken(tokenWith({ alg: 'ES256', jwk: { kty: 'EC' } }), headers)
    headers.learn(first)
    expect(parseToken(first.token, headers).header).not.toBe(first.header)
  })

  it('cannot be changed for later tokens by a handler', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({
      issuer: issuer.issuer,
      audience: 'https://api.example',
      tokenCache: false,
    })
    const ask = async () => {
      const headers = { authorization: `Bearer ${await issuer.sign()}` }
      const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers })
      if (!outcome.ok || outcome.auth === undefined) throw new Error('refused')
      return outcome.auth.header
    }
    Object.assign(await ask(), { alg: 'none', kid: 'other' })
    expect(await ask()).toEqual({ alg: 'ES256', kid: 'key-1', typ: 'JWT' })
  })
})
