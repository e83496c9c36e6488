import type { TenantConfig } from '@jwks-auth/fastify'

/** The part of a Postgres client that is used: `pg`'s Pool has it, and PGlite, too. */
export interface Database {
  query<Row>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>
}

export const schema = `
  CREATE TABLE IF NOT EXISTS tenants (
    id text PRIMARY KEY,
    issuer text NOT NULL,
    audience text NOT NULL,
    is_active boolean NOT NULL DEFAULT true
  )`

interface Tenant {
  readonly issuer: string
  readonly audience: string
}

/** Finds a tenant, for the option `tenants`. What it throws is answered with 503, and with the last configuration. */
export async function findTenant(database: Database, id: string): Promise<TenantConfig | undefined> {
  const { rows } = await database.query<Tenant>('SELECT issuer, audience FROM tenants WHERE id = $1 AND is_active', [
    id,
  ])
  return rows[0]
}

export async function saveTenant(database: Database, id: string, { issuer, audience }: Tenant): Promise<void> {
  await database.query(
    `INSERT INTO tenants (id, issuer, audience) VALUES ($1, $2, $3)
     ON CONFLICT (id) DO UPDATE SET issuer = $2, audience = $3, is_active = true`,
    [id, issuer, audience],
  )
}

export async function lockTenant(database: Database, id: string): Promise<void> {
  await database.query('UPDATE tenants SET is_active = false WHERE id = $1', [id])
}
