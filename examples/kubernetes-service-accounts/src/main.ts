import { createApi } from './api.ts'
import { thisCluster } from './cluster.ts'

const fastify = await createApi(thisCluster)
await fastify.listen({ host: '0.0.0.0', port: Number(process.env['PORT'] ?? 3000) })

process.once('SIGTERM', () => fastify.close())
