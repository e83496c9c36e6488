import { createTestIssuer } from '@jwks-auth/testing'
import { startServer } from './server.ts'

// An issuer on loopback stands in for your authorization server.
const issuer = await createTestIssuer({ algorithm: 'ES256' })
const server = await startServer({
  issuer: issuer.issuer,
  requireHttps: false,
  requiredScopes: ['mcp:use'],
  impliedScopes: { 'mcp:admin': ['mcp:use'] },
})
const token = await issuer.sign({ aud: server.url, client_id: 'example-client', scope: 'mcp:admin' })
console.log(`MCP server: ${server.url}\nToken, for the header Authorization: Bearer …\n${token}`)
process.once('SIGINT', () => {
  Promise.all([server.close(), issuer.close()]).then(
    () => undefined,
    (error: unknown) => console.error(error),
  )
})
