import { describe, expect, it } from 'vitest'
import { audience, authenticate, startAuthenticator, startIssuer } from '../start.ts'

const acme = '8f2c7a3e-0000-4000-8000-000000000001'
const globex = '8f2c7a3e-0000-4000-8000-000000000002'

describe('a key with an issuer of its own, from an endpoint of many customers', () => {
  it.each<[string, unknown, Record<string, unknown>, string]>([
    ['no issuer', undefined, {}, 'accepted'],
    ["the token's issuer", 'https://sts.example/acme', {}, 'accepted'],
    ["another customer's issuer", 'https://sts.example/globex', {}, 'ERR_KEY_NOT_FOUND'],
    ['the issuer with a slash', 'https://sts.example/acme/', {}, 'ERR_KEY_NOT_FOUND'],
    ['a template without a tid', 'https://sts.example/{tenantid}', {}, 'ERR_KEY_NOT_FOUND'],
    [
      'a template and a tid that is no string',
      'https://sts.example/{tenantid}',
      { tid: ['acme'] },
      'ERR_KEY_NOT_FOUND',
    ],
    ["a template and the token's tid", 'https://sts.example/{tenantid}', { tid: 'acme' }, 'accepted'],
    ["a template and another's tid", 'https://sts.example/{tenantid}', { tid: 'globex' }, 'ERR_KEY_NOT_FOUND'],
    ['a template and a tid with a pattern', 'https://sts.example/{tenantid}', { tid: '$&' }, 'ERR_KEY_NOT_FOUND'],
    ['an issuer that is no string', ['https://sts.example/globex'], {}, 'accepted'],
  ])('vouches for that issuer only: %s', async (_, keyIssuer, claims, expected) => {
    const issuer = await startIssuer()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, issuer: keyIssuer }] })
    const iss = 'https://sts.example/acme'
    const authenticator = startAuthenticator({ issuer: iss, jwksUri: issuer.jwksUri, audience })
    const outcome = await authenticate(authenticator, await issuer.sign({ iss, ...claims }))
    expect(outcome.ok ? 'accepted' : outcome.error.code).toBe(expected)
  })

  it('vouches for no issuer that the registration does not name', async () => {
    const issuer = await startIssuer()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, issuer: 'https://sts.example/{tenantid}' }] })
    const options = { issuer: `https://sts.example/${acme}`, jwksUri: issuer.jwksUri, audience }
    const authenticator = startAuthenticator(options)
    const token = await issuer.sign({ iss: `https://sts.example/${globex}`, tid: globex })
    expect(await authenticate(authenticator, token)).toMatchObject({
      ok: false,
      error: { code: 'ERR_ISSUER_NOT_ALLOWED' },
    })
  })
})
