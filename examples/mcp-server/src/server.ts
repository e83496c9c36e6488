import { once } from 'node:events'
import { createServer } from 'node:http'
import { createMcpAuth, type McpAuthOptions, type Registry } from '@jwks-auth/mcp'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express, { type Request, type Response } from 'express'

/** A server that listens. */
export interface RunningServer {
  /** The URL of the MCP endpoint, which is the resource identifier, too. */
  readonly url: string
  readonly registry: Registry
  close(): Promise<void>
}

/** An MCP server with one tool, which says who calls it. */
function createMcpServer(): McpServer {
  const server = new McpServer({ name: 'example', version: '1.0.0' })
  server.registerTool('whoami', { description: 'Says who is calling' }, ({ authInfo }) => {
    const { clientId = '', scopes = [] } = authInfo ?? {}
    return { content: [{ type: 'text', text: JSON.stringify({ clientId, scopes }) }] }
  })
  return server
}

/** Stateless: a server and a transport for each request. */
async function handle(req: Request, res: Response): Promise<void> {
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
  await createMcpServer().connect(transport)
  await transport.handleRequest(req, res, req.body)
}

/** Starts the server on loopback. `options` are those of `createMcpAuth`, without the `resource`. */
export async function startServer(options: Omit<McpAuthOptions, 'resource'>): Promise<RunningServer> {
  const app = express()
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  const url = `http://127.0.0.1:${address.port}/mcp`

  const auth = createMcpAuth({ ...options, resource: url } as McpAuthOptions)
  app.use(auth.serveMetadata)
  app.post('/mcp', auth.requireBearerAuth, express.json(), (req, res, next) => {
    handle(req, res).then(undefined, next)
  })
  app.all('/mcp', (_req, res) => {
    res.status(405).set('allow', 'POST').end()
  })

  return {
    url,
    registry: auth.registry,
    async close() {
      server.closeAllConnections()
      server.close()
      await auth.close()
    },
  }
}
