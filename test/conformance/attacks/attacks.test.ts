import { startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { attacks } from './attacks.ts'

describe('a request is refused with', () => {
  it.each(attacks)('$name: $code', async ({ token, code }) => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer)
    expect(await verdict(authenticator, await token(issuer))).toBe(code)
    // The key set is all that was ever asked for, whatever the token named.
    expect(issuer.requests.filter(({ url }) => url !== '/jwks')).toEqual([])
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
  })
})
