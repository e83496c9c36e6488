import { PGlite } from '@electric-sql/pglite'
import type { Database } from './tenants.ts'

/** Postgres in this process and in memory, for trying it out and for tests. In production: `new Pool()` of `pg`. */
export function createLocalDatabase(): Database & { close(): Promise<void> } {
  return new PGlite()
}
