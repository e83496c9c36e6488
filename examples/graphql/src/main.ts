import { createServer } from 'node:http'
import { createAuthenticator } from '@jwks-auth/core'
import { createApi } from './api.ts'

const authenticator = createAuthenticator({
  issuer: process.env['ISSUER'] ?? 'https://acme.eu.auth0.com/',
  audience: process.env['AUDIENCE'] ?? 'https://api.example.com',
})
const server = createServer(createApi(authenticator))
server.listen(Number(process.env['PORT'] ?? 3000))

process.once('SIGTERM', () => {
  server.close(() => authenticator.close())
})
