import { startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`

describe('a published key', () => {
  it.each([
    ['key_ops', `["verify",${deep}]`],
    ['key_ops', deep],
    ['x5c', deep],
    ['use', deep],
    ['alg', deep],
    ['kid', deep],
    ['crv', deep],
    ['d', deep],
  ])('whose %s nests deeply is no harm to its neighbour', async (name, text) => {
    const issuer = await startIssuer()
    const { publicJwk } = await issuer.addKey({ kid: 'neighbour' })
    const members = Object.entries(publicJwk).filter(([member]) => member !== name)
    const hostile = `${JSON.stringify(Object.fromEntries(members)).slice(0, -1)},"${name}":${text}}`
    issuer.setJwks(`{"keys":[${hostile},${JSON.stringify(issuer.signingKey.publicJwk)}]}`)
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign())).toBe('accepted')
  })
})
