import { createApi } from './api.ts'
import { createLocalDatabase } from './local-database.ts'
import { saveTenant, schema } from './tenants.ts'

const database = createLocalDatabase()
await database.query(schema)
await saveTenant(database, 'acme', { issuer: 'https://acme.eu.auth0.com/', audience: 'https://api.example.com' })

const fastify = await createApi(database)
await fastify.listen({ port: Number(process.env['PORT'] ?? 3000) })

process.once('SIGTERM', async () => {
  await fastify.close()
  await database.close()
})
