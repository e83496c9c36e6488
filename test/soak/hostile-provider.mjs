// A process with one provider for all hostile tenants: documents of every kind, at any speed, with any header fields.
// The first message of its parent is the seed; it answers with its port.
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { createChance } from './chance.mjs'
import { hostileDocument } from './hostile-documents.mjs'

/** How long a response may take that never ends by itself, in milliseconds: longer than any attempt. */
const hang = 20_000

/** @typedef {import('node:http').ServerResponse} Response */

/** @type {Readonly<Record<string, (response: Response, body: Buffer, chance: import('./chance.mjs').Chance) => void>>} */
const manners = {
  'at once': (response, body) => {
    response.end(body)
  },
  'byte by byte': (response, body) => {
    let sent = 0
    const timer = setInterval(() => {
      if (response.destroyed || sent >= body.length) {
        clearInterval(timer)
        response.end()
        return
      }
      response.write(body.subarray(sent, sent + 1))
      sent += 1
    }, 20)
  },
  'half, and then nothing': (response, body) => {
    response.writeHead(200, { 'content-length': body.length + 1 })
    response.write(body.subarray(0, body.length >> 1))
    setTimeout(() => response.destroy(), hang)
  },
  never: (response) => {
    setTimeout(() => response.destroy(), hang)
  },
  'with a reset': (response) => {
    response.socket?.resetAndDestroy()
  },
  'after a short while': (response, body, chance) => {
    setTimeout(() => response.end(body), chance.below(300))
  },
  compressed: (response, body) => {
    response.setHeader('content-encoding', 'gzip')
    response.end(gzipSync(body))
  },
  'compressed a thousandfold': (response) => {
    response.setHeader('content-encoding', 'gzip')
    response.end(zeros)
  },
  'with an unknown coding': (response, body, chance) => {
    response.setHeader('content-encoding', chance.pick(['aws-chunked', 'utf-8', 'gzip, gzip', 'br', ', ,']))
    response.end(body)
  },
  'with a redirect to itself': (response) => {
    response.writeHead(302, { location: response.req.url ?? '/' }).end()
  },
  'with a redirect elsewhere': (response, _, chance) => {
    const location = chance.pick(['http://169.254.169.254/', 'file:///etc/passwd', '//[::]/', 'http://127.0.0.1:1/'])
    response.writeHead(307, { location }).end()
  },
  'with a status': (response, _, chance) => {
    const status = chance.pick([204, 304, 400, 401, 404, 408, 429, 500, 502, 503])
    response.writeHead(status, { 'retry-after': chance.pick(['0', '1', '99999999999', 'tomorrow']) }).end()
  },
}
const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024))

const cacheControls = /** @type {const} */ ([
  'max-age=1',
  'max-age=0',
  'no-store',
  'max-age=99999999999999999999',
  'max-age=1, max-age=600',
  'private, stale-if-error=999999999',
  'immutable',
  '=',
])

process.once('message', (/** @type {{ seed: number }} */ { seed }) => {
  const chance = createChance(seed)
  const counts = new Map()
  const server = createServer((request, response) => {
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    const { name, body } = hostileDocument(chance)
    // Most of them in a way that lets the document be read.
    const names = /** @type {[string]} */ (Object.keys(manners))
    const manner = chance.next() < 0.6 ? 'at once' : chance.pick(names)
    counts.set(name, (counts.get(name) ?? 0) + 1)
    response.setHeader('cache-control', chance.pick(cacheControls))
    if (chance.next() < 0.3) response.setHeader('etag', '"constant"')
    manners[manner]?.(response, body, chance)
  })
  server.on('clientError', (_, socket) => socket.destroy())
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
  })
  process.on('message', () => process.send?.({ counts: Object.fromEntries(counts) }))
})
process.once('disconnect', () => process.exit())
