import type { MultiTenantOptions, RequestOptions } from '@jwks-auth/core'
import { createTestIssuer, type TestIssuer, type TokenClaims } from '@jwks-auth/testing'
import { z } from 'zod'

export const audience = 'https://api.example'
export const realm = 'contract'
export const resourceMetadata = 'https://api.example/.well-known/oauth-protected-resource'

/** Every token has this in its claims, every request in its header fields; no response may contain it. */
export const marker = 'marker-7d1f'

/** The issuers of the tests. */
export interface World {
  readonly acme: TestIssuer
  readonly globex: TestIssuer
  /** An issuer that is not configured. */
  readonly stranger: TestIssuer
  /** The issuer of a tenant, down since before its keys were first needed. */
  readonly dark: TestIssuer
  close(): Promise<void>
}

/** Starts them, each with an ES256 key of its own. */
export async function createWorld(): Promise<World> {
  const [acme, globex, stranger, dark] = await Promise.all(
    ['acme-1', 'globex-1', 'stranger-1', 'dark-1'].map((kid) =>
      createTestIssuer({ algorithm: 'ES256', kid, audience }),
    ),
  )
  if (!acme || !globex || !stranger || !dark) throw new Error('an issuer did not start')
  await acme.addKey({ kid: 'acme-revoked' })
  // Not by `stop()`: an application of the tests could be given its port, and would be asked for its keys.
  for (const endpoint of ['openid', 'oauth', 'jwks'] as const) dark.answerAlways(endpoint, { kind: 'reset' })
  return {
    acme,
    globex,
    stranger,
    dark,
    async close() {
      await Promise.all([acme, globex, stranger, dark].map((issuer) => issuer.close()))
    },
  }
}

/** Signs a token, a good one unless `claims` and `overrides` make it another. */
export function sign(
  issuer: TestIssuer,
  claims: TokenClaims = {},
  overrides: Parameters<TestIssuer['sign']>[1] = {},
): Promise<string> {
  return issuer.sign({ marker, ...claims }, overrides)
}

/** Options for a provider on loopback, without retries. */
export const onLoopback = { requireHttps: false, retryPolicy: { maxRetries: 0 } } as const

/** The options of most tests: tenants by header, a schema, a challenge with all parameters. */
export function contractOptions({ acme, globex, dark }: World): MultiTenantOptions & RequestOptions<unknown> {
  return {
    ...onLoopback,
    tenant: ({ headers }) => (typeof headers['x-tenant'] === 'string' ? headers['x-tenant'] : undefined),
    audience,
    algorithms: ['ES256'],
    tenants: {
      acme: { issuer: acme.issuer },
      globex: { issuer: globex.issuer },
      dark: { issuer: dark.issuer },
    },
    claims: z.looseObject({ sub: z.string().startsWith('user-') }),
    maxTokenBytes: 2_048,
    realm,
    resourceMetadata,
  }
}
