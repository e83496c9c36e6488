import type { Auth, JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { requestOptionTable, tenantOptionTable } from '../../packages/core/src/auth/check-auth-options.ts'
import { claimRuleTable } from '../../packages/core/src/auth/claim-rules.ts'
import { askEverywhere, startEverywhere } from './frameworks.ts'
import type { AppOptions } from './protected-app.ts'
import type { RawRequest } from './raw-request.ts'
import { asking, bearing } from './refusals.ts'
import { audience, createWorld, onLoopback, sign, type World } from './world.ts'

/** A request, and the status of its response; perhaps what the response contains. */
type Ask = readonly [request: RawRequest, status: number, contains?: string]

/** What an option changes. Each second request would be answered otherwise if the option were not read. */
interface OptionCase {
  readonly options: Partial<JwksAuthOptions>
  readonly app?: Omit<AppOptions, 'auth'>
  asks(): Promise<readonly Ask[]>
  /** How many times each application calls the callback of the case, which pushes to `calls`. */
  readonly calls?: number
}

const GUID = '11111111-2222-4333-8444-555555555555'
const orders = { target: '/orders' }
const scopes = 'orders:read orders:write'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => await world.close())

type SignArguments = Parameters<typeof sign> extends [unknown, ...infer Rest] ? Rest : never

async function good(claims?: SignArguments[0], overrides?: SignArguments[1]): Promise<RawRequest> {
  return bearing(await sign(world.acme, claims, overrides))
}

const seconds = (): number => Math.floor(Date.now() / 1_000)

const rules: Readonly<Record<string, (calls: unknown[]) => OptionCase>> = {
  audience: () => ({
    options: { audience: 'api://other' },
    asks: async () => [
      [await good({ aud: 'api://other' }), 200],
      [await good(), 401],
    ],
  }),
  boundClaims: () => ({
    options: { boundClaims: { org: 7 } },
    asks: async () => [
      [await good({ org: 7 }), 200],
      [await good({ org: '7' }), 401],
    ],
  }),
  clientIds: () => ({
    options: { clientIds: ['app'] },
    asks: async () => [
      [await good({ client_id: 'app' }), 200],
      [await good({ client_id: 'other' }), 401],
    ],
  }),
  allowedTenantIds: () => {
    const issuer = `${world.acme.issuer}/{tenantid}`
    return {
      options: { issuer, jwksUri: world.acme.jwksUri, allowedTenantIds: [GUID] },
      asks: async () => [
        [await good({ iss: `${world.acme.issuer}/${GUID}`, tid: GUID }), 200],
        [await good(), 401],
      ],
    }
  },
  requiredClaims: () => ({
    options: { requiredClaims: ['org'] },
    asks: async () => [
      [await good({ org: 1 }), 200],
      [await good(), 401],
    ],
  }),
  clockTolerance: () => ({
    options: { clockTolerance: 0 },
    asks: async () => [
      [await good(), 200],
      [await good({ exp: seconds() - 10 }), 401],
    ],
  }),
  maxTokenAge: () => ({
    options: { maxTokenAge: 60_000 },
    asks: async () => [
      [await good(), 200],
      [await good({ iat: seconds() - 200 }), 401],
    ],
  }),
  typ: () => ({
    options: { typ: 'vnd.acme+jwt' },
    asks: async () => [
      [await good({}, { typ: 'vnd.acme+jwt' }), 200],
      [await good({}, { typ: 'JWT' }), 401],
    ],
  }),
  profile: () => ({
    options: { profile: 'rfc9068' },
    asks: async () => [
      [await good({ client_id: 'app', jti: '1' }, { typ: 'at+jwt' }), 200],
      [await good({ client_id: 'app', jti: '1' }, { typ: 'JWT' }), 401],
    ],
  }),
  cnf: () => ({
    options: { cnf: 'ignore' },
    asks: async () => [
      [await good(), 200],
      [await good({ cnf: { jkt: 'x' } }), 200],
    ],
  }),
}

const callbacks: Readonly<Record<string, (calls: unknown[]) => OptionCase>> = {
  claims: () => ({
    options: { claims: z.looseObject({ sub: z.literal('ann') }) },
    asks: async () => [
      [await good({ sub: 'ann' }), 200],
      [await good({ sub: 'bob' }), 401],
    ],
  }),
  validate: () => ({
    options: { validate: ({ claims }: Auth<{ sub?: unknown }>) => claims.sub === 'ann' },
    asks: async () => [
      [await good({ sub: 'ann' }), 200],
      [await good({ sub: 'bob' }), 401],
    ],
  }),
  isRevoked: () => ({
    options: { isRevoked: ({ claims }: Auth<{ jti?: unknown }>) => claims.jti === 'revoked' },
    asks: async () => [
      [await good({ jti: 'other' }), 200],
      [await good({ jti: 'revoked' }), 401],
    ],
  }),
  onRefused: (calls) => ({
    options: { onRefused: ({ code }) => calls.push(code) },
    asks: async () => [
      [await good(), 200],
      [asking('Bearer x.y.z'), 401],
    ],
    calls: 1,
  }),
  tokenCache: (calls) => ({
    options: { tokenCache: false, validate: () => calls.push('validate') > 0 },
    asks: async () => {
      const request = await good()
      return [
        [request, 200],
        [request, 200],
      ]
    },
    calls: 2,
  }),
}

const others: Readonly<Record<string, (calls: unknown[]) => OptionCase>> = {
  scopes: () => ({
    options: { scopes: ['roles'] },
    asks: async () => [
      [{ ...(await good({ roles: scopes.split(' ') })), ...orders }, 200],
      [{ ...(await good({ scope: scopes })), ...orders }, 403],
    ],
  }),
  impliedScopes: () => ({
    options: { impliedScopes: { admin: scopes.split(' ') } },
    asks: async () => [
      [{ ...(await good({ scope: 'user' })), ...orders }, 403],
      [{ ...(await good({ scope: 'admin' })), ...orders }, 200],
    ],
  }),
  challengeScopes: () => ({
    options: { challengeScopes: ['openid', 'profile'] },
    asks: async () => [
      [await good(), 200],
      [asking(undefined), 401, 'scope="openid profile"'],
    ],
  }),
  credentialsRequired: () => ({
    options: { credentialsRequired: false },
    asks: async () => [
      [asking('Bearer x.y.z'), 401],
      [asking(undefined), 200],
    ],
  }),
  getToken: () => ({
    options: { getToken: ({ headers }) => String(headers['x-token'] ?? '') || undefined },
    asks: async () => [
      [asking(undefined, { headers: [['X-Token', await sign(world.acme)]] }), 200],
      [await good(), 401],
    ],
  }),
  maxTokenBytes: () => ({
    options: { maxTokenBytes: 600 },
    asks: async () => [
      [await good(), 200],
      [await good({ padding: 'x'.repeat(600) }), 400],
    ],
  }),
  realm: () => ({
    options: { realm: 'orders' },
    asks: async () => [
      [await good(), 200],
      [asking(undefined), 401, 'realm="orders"'],
    ],
  }),
  resourceMetadata: () => ({
    options: { resourceMetadata: 'https://api.example/metadata' },
    asks: async () => [
      [await good(), 200],
      [asking(undefined), 401, 'resource_metadata="https://api.example/metadata"'],
    ],
  }),
  passErrors: () => ({
    options: { passErrors: true },
    app: { showErrors: true },
    asks: async () => [
      [await good(), 200],
      [asking('Bearer x.y.z'), 401, '"isError":true'],
    ],
  }),
  property: () => ({
    options: { property: 'user' },
    asks: async () => [
      [asking(undefined), 401],
      [await good({ sub: 'ann' }), 200, '"sub":"ann"'],
    ],
  }),
  tenants: () => ({
    options: { tenants: { acme: { issuer: world.acme.issuer } }, tenant: () => 'acme' },
    asks: async () => [
      [await good(), 200, '"tenant":"acme"'],
      [bearing(await sign(world.globex)), 401],
    ],
  }),
  tenant: () => ({
    options: {
      tenants: { acme: { issuer: world.acme.issuer }, globex: { issuer: world.globex.issuer } },
      tenant: () => 'globex',
    },
    asks: async () => [
      [bearing(await sign(world.globex)), 200],
      [await good(), 401],
    ],
  }),
  tenantCache: (calls) => ({
    options: {
      tenant: () => 'acme',
      tenants: (id) => {
        calls.push(id)
        return undefined
      },
      tenantCache: { negativeTtl: 0 },
    },
    asks: async () => {
      const request = await good()
      return [
        [request, 401],
        [request, 401],
      ]
    },
    calls: 2,
  }),
}

const cases = Object.entries({ ...rules, ...callbacks, ...others })

/** The options of a case. `tenants` and `issuer` exclude each other. */
function authOptions(options: Partial<JwksAuthOptions>): JwksAuthOptions {
  const location = 'tenants' in options ? {} : { issuer: world.acme.issuer }
  return { ...onLoopback, ...location, audience, ...options } as JwksAuthOptions
}

describe('in every framework version, each option', () => {
  it('has a case', () => {
    const names = [claimRuleTable, requestOptionTable, tenantOptionTable].flatMap((table) => Object.keys(table))
    expect(cases.map(([name]) => name).toSorted()).toEqual(names.toSorted())
  })

  it.each(cases)('does what it says: %s', async (_, createCase) => {
    const seen: unknown[] = []
    const { options, app, asks, calls = 0 } = createCase(seen)
    const apps = await startEverywhere({ ...app, auth: authOptions(options) })
    for (const [request, status, contains = ''] of await asks()) {
      for (const { framework, answer } of await askEverywhere(apps, request)) {
        expect({ framework, status: answer.status }).toEqual({ framework, status })
        expect(answer.text, framework).toContain(contains)
      }
    }
    expect(seen).toHaveLength(calls * apps.length)
  })
})
