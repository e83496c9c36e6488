import { audience, startAuthenticator, startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { checkGuard, recordAuthentication, scopeGuard } from '../../src/adapter.ts'
import { createAuthenticator, type RefusedEvent } from '../../src/index.ts'

async function scene() {
  const [issuer, other] = [await startIssuer(), await startIssuer()]
  const registry = startRegistry()
  const refused: RefusedEvent[] = []
  registry.on('refused', (event) => refused.push(event))
  const authenticator = startAuthenticator({
    registry,
    tenants: { acme: { providers: { auth0: { issuer: issuer.issuer, audience } } } },
    tenant: ({ headers }) => String(headers['x-tenant']),
  })
  const ask = async (authorization: string | undefined, tenant = 'acme') =>
    await authenticator.authenticate({
      method: 'GET',
      url: '/secret-path',
      headers: { 'x-tenant': tenant, ...(authorization !== undefined && { authorization }) },
    })
  return { issuer, other, registry, refused, authenticator, ask }
}

describe('the event of a refused request', () => {
  it('has code and status, and tenant and provider where they are known', async () => {
    const { issuer, other, refused, ask } = await scene()
    const bearer = (token: string) => `Bearer ${token}`
    await ask(undefined)
    await ask('Bearer a b')
    await ask(bearer('no.jwt.atall'))
    await ask(bearer(await issuer.sign()), 'unknown')
    await ask(bearer(await issuer.sign()), '../x')
    await ask(bearer(await other.sign()))
    await ask(bearer(await issuer.sign({ exp: 1 })))
    await ask(bearer(await issuer.sign({ aud: 'elsewhere' })))
    const token = await issuer.sign()
    await ask(bearer(`${token.slice(0, -12)}AAAAAAAAAAAA`))
    const provider = { tenant: 'acme', provider: 'auth0' }
    expect(refused).toEqual([
      { code: 'ERR_TOKEN_MISSING', status: 401 },
      { code: 'ERR_AUTHORIZATION_MALFORMED', status: 400 },
      { code: 'ERR_TOKEN_MALFORMED', status: 401 },
      { code: 'ERR_TENANT_UNKNOWN', status: 401 },
      { code: 'ERR_TENANT_NOT_DETERMINED', status: 401 },
      { tenant: 'acme', code: 'ERR_ISSUER_NOT_ALLOWED', status: 401 },
      { code: 'ERR_TOKEN_EXPIRED', status: 401 },
      { ...provider, code: 'ERR_AUDIENCE_NOT_ALLOWED', status: 401 },
      { ...provider, code: 'ERR_SIGNATURE_INVALID', status: 401 },
    ])
  })

  it('comes once for a request that waited, and says that keys are unavailable', async () => {
    const { issuer, refused, ask } = await scene()
    const token = await issuer.sign()
    await issuer.stop()
    await Promise.all([ask(`Bearer ${token}`), ask(`Bearer ${token}`)])
    const event = { tenant: 'acme', provider: 'auth0', code: 'ERR_KEYS_UNAVAILABLE', status: 503 }
    expect(refused).toEqual([event, event])
  })

  it('comes for guards, too', async () => {
    const { authenticator, issuer, refused, ask } = await scene()
    const outcome = await ask(`Bearer ${await issuer.sign({ scope: 'read' })}`)
    if (!outcome.ok) throw outcome.error
    const [known, anonymous] = [{}, {}]
    const request = { method: 'GET', url: '/', headers: {} }
    recordAuthentication(known, authenticator, outcome.auth, request)
    recordAuthentication(anonymous, authenticator, undefined, request)
    checkGuard(known, scopeGuard(['read']))
    expect(refused).toEqual([])
    checkGuard(known, scopeGuard(['write']))
    checkGuard(anonymous, scopeGuard(['write']))
    expect(refused).toEqual([
      { tenant: 'acme', provider: 'auth0', code: 'ERR_SCOPE_MISSING', status: 403 },
      { code: 'ERR_TOKEN_MISSING', status: 401 },
    ])
  })

  it('contains nothing of the request or the token', async () => {
    const { issuer, refused, ask } = await scene()
    const token = await issuer.sign({ aud: 'elsewhere', sub: 'secret-subject' })
    await ask(`Bearer ${token}`)
    await ask(`Bearer ${token}`, 'secret-tenant')
    const text = JSON.stringify(refused)
    for (const part of ['secret', ...token.split('.')]) expect(text).not.toContain(part)
  })

  it('does not come from a request that is accepted', async () => {
    const { issuer, refused, ask } = await scene()
    const token = await issuer.sign()
    await ask(`Bearer ${token}`)
    await ask(`Bearer ${token}`)
    expect(refused).toEqual([])
  })

  it('comes on the registry that the authenticator has created', async () => {
    const authenticator = createAuthenticator({ issuer: 'https://issuer.example', audience })
    const refused: RefusedEvent[] = []
    authenticator.registry.on('refused', (event) => refused.push(event))
    await authenticator.close()
    await authenticator.authenticate({ method: 'GET', url: '/', headers: {} })
    expect(refused).toEqual([{ code: 'ERR_REGISTRY_CLOSED', status: 503 }])
  })

  it('changes no response, whatever a listener does', async () => {
    const { registry, ask } = await scene()
    registry.on('refused', () => {
      throw new Error('listener')
    })
    const [rejecting]: [() => void] = [() => Promise.reject(new Error('listener'))]
    registry.on('refused', rejecting)
    expect(await ask(undefined)).toMatchObject({ ok: false, response: { status: 401 } })
  })
})
