import { PGlite } from '@electric-sql/pglite'
import { createApi } from './api.ts'
import { saveTenant, schema } from './tenants.ts'

// Postgres in this process, for trying it out. In production: `new Pool({ connectionString })` of `pg`.
const database = new PGlite()
await database.query(schema)
await saveTenant(database, 'acme', { issuer: 'https://acme.eu.auth0.com/', audience: 'https://api.example.com' })

const fastify = await createApi(database)
await fastify.listen({ port: Number(process.env['PORT'] ?? 3000) })

process.once('SIGTERM', async () => {
  await fastify.close()
  await database.close()
})
