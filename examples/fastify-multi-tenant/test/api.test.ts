import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createApi } from '../src/api.ts'
import { createLocalDatabase } from '../src/local-database.ts'
import { type Database, lockTenant, saveTenant, schema } from '../src/tenants.ts'

const audience = 'https://api.example.com'
let postgres: ReturnType<typeof createLocalDatabase>
let acme: TestIssuer
let globex: TestIssuer

beforeAll(async () => {
  postgres = createLocalDatabase()
  acme = await createTestIssuer({ algorithm: 'ES256', audience })
  globex = await createTestIssuer({ algorithm: 'ES256', audience })
  // Compiles and initialises Postgres.
  await postgres.query(schema)
}, 120_000)
beforeEach(async () => {
  await saveTenant(postgres, 'acme', { issuer: acme.issuer, audience })
  await saveTenant(postgres, 'globex', { issuer: globex.issuer, audience })
})
afterAll(async () => {
  await Promise.all([acme.close(), globex.close(), postgres.close()])
})

/** The API with a database that counts queries, and fails on demand. */
async function start(): Promise<{ api: FastifyInstance; state: { queries: number; isDown: boolean } }> {
  const state = { queries: 0, isDown: false }
  const database: Database = {
    query<Row>(text: string, values?: unknown[]) {
      state.queries += 1
      return state.isDown ? Promise.reject(new Error('connection refused')) : postgres.query<Row>(text, values)
    },
  }
  // The issuers are on loopback, which looked-up tenants may not name otherwise.
  const api = await createApi(database, { requireHttps: false, allowAddresses: ['127.0.0.1'] })
  onTestFinished(() => api.close())
  return { api, state }
}

async function status(api: FastifyInstance, tenant: string, token: string, method: 'GET' | 'DELETE' = 'GET') {
  const headers = { 'x-tenant-id': tenant, authorization: `Bearer ${token}` }
  const { statusCode } = await api.inject({ method, url: method === 'GET' ? '/whoami' : '/tenant', headers })
  return statusCode
}

describe('the API in Fastify with tenants in Postgres', () => {
  it('accepts a token for its own tenant only, and looks each tenant up once', async () => {
    const { api, state } = await start()
    const [ofAcme, ofGlobex] = [await acme.sign(), await globex.sign()]
    expect(await status(api, 'acme', ofAcme)).toBe(200)
    expect(await status(api, 'globex', ofGlobex)).toBe(200)
    expect(await status(api, 'globex', ofAcme)).toBe(401)
    expect(await status(api, 'initech', ofAcme)).toBe(401)
    expect(await status(api, 'acme', await acme.sign({ sub: 'other' }))).toBe(200)
    expect(state.queries).toBe(3)
  })

  it('does not look up a tenant for a token that has expired', async () => {
    const { api, state } = await start()
    expect(await status(api, 'acme', await acme.sign({ exp: 1 }))).toBe(401)
    expect(state.queries).toBe(0)
  })

  it('refuses a tenant at once after it has locked itself', async () => {
    const { api } = await start()
    const token = await acme.sign({ scope: 'tenant:admin' })
    expect(await status(api, 'acme', await acme.sign(), 'DELETE')).toBe(403)
    expect(await status(api, 'acme', token, 'DELETE')).toBe(204)
    expect(await status(api, 'acme', token)).toBe(401)
  })

  it('notices a new issuer in the database after invalidateTenant', async () => {
    const { api } = await start()
    expect(await status(api, 'acme', await acme.sign())).toBe(200)
    await lockTenant(postgres, 'globex')
    await saveTenant(postgres, 'acme', { issuer: globex.issuer, audience })
    expect(await status(api, 'acme', await globex.sign())).toBe(401)
    api.jwksAuth.authenticator.invalidateTenant('acme')
    expect(await status(api, 'acme', await globex.sign())).toBe(200)
    expect(await status(api, 'acme', await acme.sign())).toBe(401)
  })

  it('keeps known tenants while the database is down, and answers 503 for others', async () => {
    const { api, state } = await start()
    const token = await acme.sign()
    expect(await status(api, 'acme', token)).toBe(200)
    state.isDown = true
    api.jwksAuth.authenticator.invalidateTenant('acme')
    expect(await status(api, 'acme', token)).toBe(200)
    expect(await status(api, 'globex', await globex.sign())).toBe(503)
  })
})
