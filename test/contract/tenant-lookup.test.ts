import { type TenantConfig, tenantFromHeader } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askEverywhere, startEverywhere } from './frameworks.ts'
import { audience, createWorld, onLoopback, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => {
  await world.close()
})

/** Returns for each framework the tenant that its handler saw, or the response that refuses the request. */
async function ask(tenants: (id: string) => unknown, tenant: string, options: object = {}) {
  const apps = await startEverywhere({
    auth: {
      ...onLoopback,
      audience,
      tenant: tenantFromHeader('x-tenant'),
      tenants: async (id: string) => (await tenants(id)) as TenantConfig,
      network: 'any',
      ...options,
    },
  })
  const headers = [
    ['Authorization', `Bearer ${await world.acme.sign()}`],
    ['X-Tenant', tenant],
  ] as const
  const answers = await askEverywhere(apps, { headers })
  return answers.map(({ answer }) => answer)
}

describe('a tenant that is looked up', () => {
  const find = (id: string) => (id === 'acme' ? { issuer: world.acme.issuer } : undefined)

  it('is served', async () => {
    for (const { status, body } of await ask(find, 'acme')) {
      expect(status).toBe(200)
      expect(JSON.parse(body)).toMatchObject({ auth: { tenant: 'acme' } })
    }
  })

  it('is 401 where there is none, with the response of any other invalid token', async () => {
    for (const { status, body } of await ask(find, 'globex')) {
      expect(status).toBe(401)
      expect(JSON.parse(body)).toMatchObject({ error: 'invalid_token' })
    }
  })

  it.each<[string, () => unknown]>([
    ['throws', () => Promise.reject(new Error('secret'))],
    ['returns a wrong configuration', () => ({ isuer: 'secret' })],
  ])('is 503 where the lookup %s', async (_, fail) => {
    for (const { status, headers, body } of await ask(fail, 'acme')) {
      expect(status).toBe(503)
      expect(headers['retry-after']).toBe('1')
      expect(headers['www-authenticate']).toBeUndefined()
      expect(JSON.parse(body)).toMatchObject({ error: 'temporarily_unavailable' })
      expect(body).not.toContain('secret')
    }
  })

  it('is 503 in the framework’s own error path with passErrors', async () => {
    const answers = await ask(() => Promise.reject(new Error('secret')), 'acme', { passErrors: true })
    for (const { status, body } of answers) {
      expect(status).toBe(503)
      expect(body).not.toContain('secret')
    }
  })
})
