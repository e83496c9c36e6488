// The protected application: a process that serves a good tenant and hostile ones, with a store, on the packages as they
// are built. Its parent sends the options, and later asks what it saw.
import { createServer } from 'node:http'
import { createAuthenticator } from '@jwks-auth/core'

/** @type {string[]} */
const escaped = []
process.on('unhandledRejection', (reason) => escaped.push(`unhandled rejection: ${describe(reason)}`))
process.on('uncaughtException', (error) => escaped.push(`uncaught exception: ${describe(error)}`))

/** @param {unknown} reason */
function describe(reason) {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
}

/** How often stalls are measured, in milliseconds. */
const interval = 5

/** The clock and the processor time of this process, in milliseconds. */
function now() {
  const { user, system } = process.cpuUsage()
  return { clock: performance.now(), processor: (user + system) / 1_000 }
}

let tick = now()
let longestStall = 0

/** Counts a stall by the clock, and only as far as this process used the processor: other programs stall it, too. */
function measureStall() {
  const next = now()
  const late = next.clock - tick.clock - interval
  longestStall = Math.max(longestStall, Math.min(late, next.processor - tick.processor))
  tick = next
}

/** @param {import('@jwks-auth/core').JwksAuthOptions} options */
function serve(options) {
  const authenticator = createAuthenticator(options)
  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async function handle({ method = 'GET', url = '/', headers }, response) {
    // What the same clients cost an application that does not read their tokens: no package can cost less.
    if (headers['x-refuse-unread'] !== undefined) {
      response.writeHead(401).end()
      return
    }
    const outcome = await authenticator.authenticate({ method, url, headers })
    if (outcome.ok) response.end()
    else response.writeHead(outcome.response.status, outcome.response.headers).end(outcome.response.body)
  }
  // The longest token has to reach the package. A rejection goes unhandled, and so is reported.
  const server = createServer({ maxHeaderSize: 65_536 }, (request, response) => void handle(request, response))
  // A connection that is closed while its client sends the next request would count as a failure.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
  })
}

process.once('message', (options) => {
  serve(/** @type {import('@jwks-auth/core').JwksAuthOptions} */ (options))
  setInterval(measureStall, interval)
  process.on('message', () => {
    process.send?.({ escaped, longestStall })
    longestStall = 0
  })
})
process.once('disconnect', () => process.exit())
