import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAuthenticator } from '../../src/index.ts'

const limit = 20
const aToken = 'a'.repeat(limit)
const authenticator = createAuthenticator({ issuer: 'https://issuer.example', audience: 'api', maxTokenBytes: limit })

/** What a header contains: `none`, one `token` (which is no JWT here), or the code of the refusal. */
function contents(authorization: string | readonly string[] | undefined): string {
  const outcome = authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization } })
  if (outcome instanceof Promise || outcome.ok) throw new Error('not refused at once')
  if (outcome.error.code === 'ERR_TOKEN_MISSING') return 'none'
  return outcome.error.code === 'ERR_TOKEN_MALFORMED' ? 'token' : outcome.error.code
}

describe('the bearer token of an Authorization header', () => {
  it.each<[string, string | readonly string[] | undefined, string]>([
    ['one token', 'Bearer a.b.c', 'token'],
    ['another case', 'bEARER a.b.c', 'token'],
    ['several spaces', 'Bearer    a.b.c', 'token'],
    ['every character of b64token', 'Bearer aZ09-._~+/==', 'token'],
    ['a token as long as allowed', `Bearer ${aToken}`, 'token'],
    ['no header', undefined, 'none'],
    ['an empty header', '', 'none'],
    ['another scheme', 'Basic dTpw', 'none'],
    ['a scheme that begins alike', 'BearerX a.b.c', 'none'],
    ['a scheme that ends alike', 'XBearer a.b.c', 'none'],
    ['a scheme with a hyphen', 'Bearer-x a.b.c', 'none'],
    ['a token without a scheme', 'a.b.c', 'none'],
    ['another scheme joined with ours', 'Basic dTpw, Bearer a.b.c', 'none'],
    ['the scheme alone', 'Bearer', 'ERR_AUTHORIZATION_MALFORMED'],
    ['the scheme and a space', 'Bearer ', 'ERR_AUTHORIZATION_MALFORMED'],
    ['two tokens', 'Bearer a.b.c d.e.f', 'ERR_AUTHORIZATION_MALFORMED'],
    ['two headers joined', 'Bearer a.b.c, Bearer d', 'ERR_AUTHORIZATION_MALFORMED'],
    ['a token with a comma', 'Bearer a,b', 'ERR_AUTHORIZATION_MALFORMED'],
    ['parameters', 'Bearer token="a.b.c"', 'ERR_AUTHORIZATION_MALFORMED'],
    ['a tab for a space', 'Bearer\ta.b.c', 'ERR_AUTHORIZATION_MALFORMED'],
    ['padding alone', 'Bearer ==', 'ERR_AUTHORIZATION_MALFORMED'],
    ['padding inside', 'Bearer a=b', 'ERR_AUTHORIZATION_MALFORMED'],
    ['a space at the end', 'Bearer a.b.c ', 'ERR_AUTHORIZATION_MALFORMED'],
    ['a line break at the end', 'Bearer a.b.c\n', 'ERR_AUTHORIZATION_MALFORMED'],
    ['letters beyond ASCII', 'Bearer ä.b.c', 'ERR_AUTHORIZATION_MALFORMED'],
    ['two headers', ['Bearer a.b.c', 'Bearer a.b.c'], 'ERR_AUTHORIZATION_MALFORMED'],
    ['two headers of which one is of another scheme', ['Basic dTpw', 'Bearer a.b.c'], 'ERR_AUTHORIZATION_MALFORMED'],
    ['one header in a list', ['Bearer a.b.c'], 'ERR_AUTHORIZATION_MALFORMED'],
    ['a longer token', `Bearer ${aToken}a`, 'ERR_TOKEN_TOO_LONG'],
    ['a longer token that is malformed, too', `Bearer ${aToken} ,`, 'ERR_TOKEN_TOO_LONG'],
    ['more spaces than any token is long', `Bearer ${' '.repeat(limit * 2)}a`, 'ERR_TOKEN_TOO_LONG'],
  ])('with %s', (_, header, outcome) => {
    expect(contents(header)).toBe(outcome)
  })

  it('is one token by the grammar of RFC 6750 §2.1, whatever is sent, and never longer than allowed', () => {
    const header = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }).map((text) => `Bearer ${text}`),
    )
    fc.assert(
      fc.property(header, (text) => {
        const isToken = /^bearer +[A-Za-z0-9\-._~+/]{1,20}=*$/i.test(text)
        expect(contents(text) === 'token').toBe(isToken && text.replace(/^bearer +/i, '').length <= limit)
      }),
      { numRuns: 500 },
    )
  })
})
