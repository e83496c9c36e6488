import { createServer } from 'node:http'
import { type Auth, createAuthenticator } from '@jwks-auth/core'
import { serveSocketIo } from './socket-io.ts'
import { serveWebSockets } from './ws.ts'

const authenticator = createAuthenticator({
  issuer: process.env['ISSUER'] ?? 'https://acme.eu.auth0.com/',
  audience: process.env['AUDIENCE'] ?? 'https://api.example.com',
})
const greet = (auth: Auth, text: string): string => `${auth.tenant}/${auth.claims.sub}: ${text}`

const server = createServer((_, response) => response.writeHead(404).end())
const sockets = serveWebSockets(server, authenticator, greet)
const io = serveSocketIo(server, authenticator, greet)
server.listen(Number(process.env['PORT'] ?? 3000))

process.once('SIGTERM', async () => {
  // Ends all waiting, and so closes all sockets.
  await authenticator.close()
  sockets.close()
  await io.close()
})
