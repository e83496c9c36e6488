// The protected application: a process that serves a good tenant and hostile ones, with a store, on the packages as they
// are built. Its parent sends the options, and later asks what it saw.
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createAuthenticator } from '@jwks-auth/core'

/** @type {string[]} */
const escaped = []
process.on('unhandledRejection', (reason) => escaped.push(`unhandled rejection: ${describe(reason)}`))
process.on('uncaughtException', (error) => escaped.push(`uncaught exception: ${describe(error)}`))

/** @param {unknown} reason */
function describe(reason) {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
}

/** In milliseconds. The shorter, the closer to the true length of a stall. */
const delays = monitorEventLoopDelay({ resolution: 5 })

/** @param {import('@jwks-auth/core').JwksAuthOptions} options */
function serve(options) {
  const authenticator = createAuthenticator(options)
  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async function handle({ method = 'GET', url = '/', headers }, response) {
    const outcome = await authenticator.authenticate({ method, url, headers })
    if (outcome.ok) response.end()
    else response.writeHead(outcome.response.status, outcome.response.headers).end(outcome.response.body)
  }
  // The longest token has to reach the package. A rejection goes unhandled, and so is reported.
  const server = createServer({ maxHeaderSize: 65_536 }, (request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
  })
}

process.once('message', (options) => {
  serve(/** @type {import('@jwks-auth/core').JwksAuthOptions} */ (options))
  delays.enable()
  process.on('message', () => {
    // What a stall is beyond the interval at which it is measured.
    process.send?.({
      escaped,
      longestStall: Math.max(0, delays.max / 1e6 - 5),
      heapUsed: process.memoryUsage().heapUsed,
    })
    delays.reset()
  })
})
process.once('disconnect', () => process.exit())
