import { audience, authenticate, startAuthenticator, startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

const anonymous = { method: 'GET', url: '/', headers: {} }
const refused = { ok: false, error: { code: 'ERR_REGISTRY_CLOSED' }, response: { status: 503 } }

describe('an authenticator that is closed', () => {
  it('refuses tokens that were verified, new ones and requests without one', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, credentialsRequired: false })
    const token = await issuer.sign()
    expect(await authenticate(authenticator, token)).toMatchObject({ ok: true })
    await authenticator.close()
    expect(await authenticate(authenticator, token)).toMatchObject(refused)
    expect(await authenticate(authenticator, await issuer.sign())).toMatchObject(refused)
    expect(authenticator.authenticate(anonymous)).toMatchObject(refused)
    expect(authenticator.authenticate(anonymous)).toMatchObject({ response: { headers: { 'retry-after': '1' } } })
  })

  it('refuses them although its registry is shared and stays open', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const options = { issuer: issuer.issuer, audience, registry }
    const [closed, open] = [startAuthenticator(options), startAuthenticator(options)]
    const token = await issuer.sign()
    for (const authenticator of [closed, open]) await authenticate(authenticator, token)
    await closed.close()
    expect(await authenticate(closed, token)).toMatchObject(refused)
    expect(await authenticate(open, token)).toMatchObject({ ok: true })
  })

  it('is as good as closed where its shared registry is', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, registry })
    const token = await issuer.sign()
    await authenticate(authenticator, token)
    await registry.close()
    expect(await authenticate(authenticator, token)).toMatchObject(refused)
  })
})
