import { audience, authenticate, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { createManualClock, type ManualClock, type TestIssuer } from '@jwks-auth/testing'
import {
  type Authenticator,
  type AuthOutcome,
  type JwksAuthOptions,
  type RegistryEvents,
  type TenantConfig,
  tenantFromHeader,
} from '../../../src/index.ts'

/** An API whose tenants are in a database that the test controls. */
export interface LookupScene {
  readonly clock: ManualClock
  readonly issuer: TestIssuer
  readonly authenticator: Authenticator<unknown>
  /** What the database has. */
  readonly rows: Map<string, unknown>
  /** The ids that were looked up, in order. */
  readonly lookUps: string[]
  /** Makes each lookup do this instead of reading the rows. */
  override: ((tenant: string) => unknown) | undefined
  /** Signs a token of an issuer, by default that of the test issuer. */
  sign(claims?: Readonly<Record<string, unknown>>): Promise<string>
  /** How a request of a tenant with this token ends. */
  outcome(tenant: string, token: string): Promise<AuthOutcome<unknown>>
  /** `'accepted'`, or the code of the error. */
  verdict(tenant: string, token: string): Promise<string>
  /** The events of a type that were emitted so far. */
  events<Type extends keyof RegistryEvents>(type: Type): readonly RegistryEvents[Type][]
}

/** Starts an API whose tenants are looked up; one tenant, `acme`, has the issuer of the scene. */
export async function startLookup(options: Partial<JwksAuthOptions> = {}): Promise<LookupScene> {
  const clock = createManualClock({ now: Date.now() })
  const issuer = await startIssuer({ clock })
  const rows = new Map<string, unknown>([['acme', { issuer: issuer.issuer, jwksUri: issuer.jwksUri }]])
  const lookUps: string[] = []
  const scene = { override: undefined as ((tenant: string) => unknown) | undefined }
  const authenticator = startAuthenticator({
    tenant: tenantFromHeader('x-tenant'),
    tenants: (tenant: string) => {
      lookUps.push(tenant)
      return (scene.override ?? (async (id: string) => rows.get(id)))(tenant) as TenantConfig
    },
    audience,
    allowAddresses: ['127.0.0.1'],
    retryPolicy: { maxRetries: 0 },
    ...(options.registry === undefined ? { clock } : {}),
    ...options,
  } as JwksAuthOptions)
  const seen = new Map<string, unknown[]>()
  for (const type of [
    'tenant-lookup-failed',
    'issuer-shared',
    'issuer-mismatch',
    'fetch',
    'snapshot-refused',
  ] as const) {
    const events: unknown[] = []
    seen.set(type, events)
    authenticator.registry.on(type, (event) => events.push(event))
  }
  const outcome: LookupScene['outcome'] = (tenant, token) =>
    authenticate(authenticator, token, { headers: { 'x-tenant': tenant } })
  return Object.assign(scene, {
    clock,
    issuer,
    authenticator,
    rows,
    lookUps,
    sign: async (claims: Readonly<Record<string, unknown>> = {}) => await issuer.sign(claims),
    outcome,
    verdict: async (tenant: string, token: string) => {
      const result = await outcome(tenant, token)
      return result.ok ? 'accepted' : result.error.code
    },
    events: <Type extends keyof RegistryEvents>(type: Type) => (seen.get(type) ?? []) as RegistryEvents[Type][],
  })
}
