import { getAuth, type JwksAuthMiddleware, type JwksAuthOptions, jwksAuth, requireScopes } from '@jwks-auth/express'
import express, { type Express } from 'express'

interface Order {
  readonly id: number
  readonly article: string
  /** The `sub` of the token that it was made with. */
  readonly customer: string
}

/** An API for orders. Everything but `/health` needs a token, and each route a scope. */
export function createApi(options: JwksAuthOptions): { app: Express; authenticate: JwksAuthMiddleware<unknown> } {
  const authenticate = jwksAuth(options)
  const orders: Order[] = []

  const app = express()
  app.get('/health', (_, res) => {
    res.json({ ok: true })
  })

  app.use(authenticate)
  app.get('/orders', requireScopes('orders:read'), (req, res) => {
    const { claims } = getAuth(req)
    res.json(orders.filter(({ customer }) => customer === claims.sub))
  })
  app.post('/orders', requireScopes('orders:write'), express.json(), (req, res) => {
    const { claims } = getAuth(req)
    const order = { id: orders.length + 1, article: String(req.body?.article), customer: claims.sub ?? 'unknown' }
    orders.push(order)
    res.status(201).json(order)
  })
  return { app, authenticate }
}
