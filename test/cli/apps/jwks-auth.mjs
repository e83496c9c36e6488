// The same API with jwksAuth and its defaults: `node jwks-auth.mjs <issuer> <audience>`.
import { jwksAuth } from '@jwks-auth/express'
import express from 'express'

const [issuer = '', audience = ''] = process.argv.slice(2)
const app = express()
app.use(jwksAuth({ issuer, audience, requireHttps: false }))
app.get('/orders', (_, response) => {
  response.json([])
})
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' ? address?.port : undefined)
})
