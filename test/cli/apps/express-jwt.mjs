// An API as the READMEs of express-jwt and jwks-rsa show it: `node express-jwt.mjs <issuer> <audience>`.
import express from 'express'
import { expressjwt } from 'express-jwt'
import jwksRsa from 'jwks-rsa'

const [issuer = '', audience = ''] = process.argv.slice(2)
const app = express()
app.use(
  expressjwt({
    secret: jwksRsa.expressJwtSecret({
      cache: true,
      rateLimit: true,
      jwksRequestsPerMinute: 5,
      jwksUri: `${issuer}/jwks`,
    }),
    audience,
    issuer,
    algorithms: ['RS256'],
  }),
)
app.get('/orders', (_, response) => {
  response.json([])
})
// No stack traces in the output of the test.
app.set('env', 'test')
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' ? address?.port : undefined)
})
