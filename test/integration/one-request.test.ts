import {
  audience,
  startAuthenticator,
  startAuthenticatorFor,
  startIssuer,
  startRegistryWith,
  verdict,
} from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

describe('1 000 first requests at once', () => {
  it('cause one upstream request', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer)
    const token = await issuer.sign()
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => verdict(authenticator, token)))
    expect(new Set(outcomes)).toEqual(new Set(['accepted']))
    expect(issuer.requestCount()).toBe(1)
  })

  it('cause one for the metadata and one for the keys, where those are discovered', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience })
    const token = await issuer.sign()
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => verdict(authenticator, token)))
    expect(new Set(outcomes)).toEqual(new Set(['accepted']))
    expect(issuer.requests.map(({ endpoint }) => endpoint)).toEqual(['openid', 'jwks'])
  })

  it('cause one that fails, and all are told so', async () => {
    const issuer = await startIssuer()
    issuer.answerAlways('jwks', { kind: 'reply', status: 404 })
    const authenticator = startAuthenticatorFor(issuer)
    const token = await issuer.sign()
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => verdict(authenticator, token)))
    expect(new Set(outcomes)).toEqual(new Set(['ERR_KEYS_UNAVAILABLE']))
    expect(issuer.requestCount()).toBe(1)
  })

  it('of which each names another unknown kid cause no other one: the set was fetched for them', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const looks = Array.from({ length: 1_000 }, (_, index) => registry.resolve('acme', 'auth0', `unknown-${index}`))
    const outcomes = await Promise.allSettled(looks)
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(issuer.requestCount()).toBe(1)
  })
})
