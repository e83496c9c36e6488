import { getAuth, jwksAuth, requireClaims } from '@jwks-auth/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Cluster, serviceAccountsOf } from './cluster.ts'

/** An API for the pods of a cluster. Each authenticates with its projected service-account token. */
export async function createApi(cluster: Cluster): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(jwksAuth, serviceAccountsOf(cluster, 'https://billing.example.com'))

  fastify.get('/whoami', async (request) => {
    const { claims } = getAuth(request)
    return { serviceAccount: serviceAccountIn(claims) }
  })

  // For the service accounts of one namespace; the subject is what the API server vouches for.
  const ofShop = requireClaims((claims) => serviceAccountIn(claims)?.namespace === 'shop')
  fastify.get('/invoices', { preHandler: ofShop }, async () => ({ invoices: [] }))
  return fastify
}

/** The service account of a token: its `sub` is `system:serviceaccount:NAMESPACE:NAME`. */
function serviceAccountIn({ sub }: { readonly sub?: string }): { namespace: string; name: string } | undefined {
  const [system, kind, namespace, name] = sub?.split(':') ?? []
  if (system !== 'system' || kind !== 'serviceaccount' || !namespace || !name) return undefined
  return { namespace, name }
}
