import { audience, authenticate, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

const acme = '8f2c7a3e-0000-4000-8000-000000000001'
const globex = '8f2c7a3e-0000-4000-8000-000000000002'

describe('the issuer member of a published key', () => {
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
    ['a template and a tid that is no GUID', 'https://sts.example/{tenantid}', { tid: 'acme' }, 'ERR_KEY_NOT_FOUND'],
    ["a template and another's tid", 'https://sts.example/{tenantid}', { tid: 'globex' }, 'ERR_KEY_NOT_FOUND'],
    ['a template and a tid with a pattern', 'https://sts.example/{tenantid}', { tid: '$&' }, 'ERR_KEY_NOT_FOUND'],
    ['an issuer that is no string', ['https://sts.example/globex'], {}, 'accepted'],
  ])('restricts the key to tokens of that issuer: %s', async (_, keyIssuer, claims, expected) => {
    const issuer = await startIssuer()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, issuer: keyIssuer }] })
    const iss = 'https://sts.example/acme'
    const authenticator = startAuthenticator({ issuer: iss, jwksUri: issuer.jwksUri, audience })
    const outcome = await authenticate(authenticator, await issuer.sign({ iss, ...claims }))
    expect(outcome.ok ? 'accepted' : outcome.error.code).toBe(expected)
  })

  const v1 = (tid: string): string => `https://sts.windows.net/${tid}/`
  const v2 = (tid: string): string => `https://login.microsoftonline.com/${tid}/v2.0`
  it.each<[string, string, string, Record<string, unknown>, string]>([
    ['v2.0 in full', v2(acme), v2(acme), { tid: acme }, 'accepted'],
    ['v2.0 by a template', v2('{tenantid}'), v2(acme), { tid: acme }, 'accepted'],
    ['v1.0 by the v2.0 issuer', v2(acme), v1(acme), { tid: acme }, 'accepted'],
    ['v1.0 by the v2.0 template', v2('{tenantid}'), v1(acme), { tid: acme }, 'accepted'],
    [
      'v1.0 in the US Government cloud',
      'https://login.microsoftonline.us/{tenantid}/v2.0',
      v1(acme),
      { tid: acme },
      'accepted',
    ],
    [
      "v1.0 in China's cloud",
      'https://login.partner.microsoftonline.cn/{tenantid}/v2.0',
      `https://sts.chinacloudapi.cn/${acme}/`,
      { tid: acme },
      'accepted',
    ],
    ['v1.0 without a tid', v2(acme), v1(acme), {}, 'ERR_KEY_NOT_FOUND'],
    ['v1.0 with the tid of another tenant', v2('{tenantid}'), v1(acme), { tid: globex }, 'ERR_KEY_NOT_FOUND'],
    ['v1.0 by the v2.0 issuer of another tenant', v2(globex), v1(acme), { tid: acme }, 'ERR_KEY_NOT_FOUND'],
    ['v1.0 by the tid of another tenant', v2(globex), v1(acme), { tid: globex }, 'ERR_KEY_NOT_FOUND'],
    ['v2.0 by the v1.0 issuer', v1(acme), v2(acme), { tid: acme }, 'ERR_KEY_NOT_FOUND'],
    ['v1.0 by another host', `https://login.example/${acme}/v2.0`, v1(acme), { tid: acme }, 'ERR_KEY_NOT_FOUND'],
    ['v1.0 without its slash', v2(acme), v1(acme).slice(0, -1), { tid: acme }, 'ERR_KEY_NOT_FOUND'],
  ])(
    'lets an Entra key verify tokens of its own tenant in both versions: %s',
    async (_, keyIssuer, iss, claims, expected) => {
      const issuer = await startIssuer()
      issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, issuer: keyIssuer }] })
      const authenticator = startAuthenticator({ issuer: iss, jwksUri: issuer.jwksUri, audience })
      const outcome = await authenticate(authenticator, await issuer.sign({ iss, ...claims }))
      expect(outcome.ok ? 'accepted' : outcome.error.code).toBe(expected)
    },
  )

  it('verifies Entra tokens of both versions where both issuers are configured', async () => {
    const issuer = await startIssuer()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, issuer: v2(acme) }] })
    const options = { issuer: [v1(acme), v2(acme)], jwksUri: issuer.jwksUri, audience }
    const authenticator = startAuthenticator(options)
    for (const iss of options.issuer) {
      expect(await authenticate(authenticator, await issuer.sign({ iss, tid: acme }))).toMatchObject({ ok: true })
    }
  })

  it.each([v1(globex), v1(acme)])('adds no issuer to those that are configured: %s', async (iss) => {
    const issuer = await startIssuer()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, issuer: v2('{tenantid}') }] })
    const authenticator = startAuthenticator({ issuer: v2(acme), jwksUri: issuer.jwksUri, audience })
    const token = await issuer.sign({ iss, tid: iss === v1(acme) ? acme : globex })
    expect(await authenticate(authenticator, token)).toMatchObject({
      ok: false,
      error: { code: 'ERR_ISSUER_NOT_ALLOWED' },
    })
  })

  it('adds no issuer to those that are configured: a template', async () => {
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
