// Clients of the application, as a process of their own, so that one kind does not delay the measured times of another.
// The parent sends what to do, asks them to stop, and gets what they saw.
import { Agent, request } from 'node:http'
import { createChance } from './chance.mjs'
import { hostileKid } from './hostile-documents.mjs'

/** @typedef {import('./chance.mjs').Chance} Chance */
/**
 * @typedef {object} ClientOptions
 * @property {number} port
 * @property {number} count clients at once, each of which sends a request, waits for its end, and pauses
 * @property {number} pause milliseconds between two requests of one client
 * @property {number} seed
 * @property {readonly string[]} [tokens] what good clients send
 * @property {readonly string[]} [issuers] what hostile clients forge tokens of
 * @property {boolean} [isRefusedUnread] whether the application is to refuse them without reading their tokens
 */

/** @type {Map<number | string, number>} How many requests ended with which status, or with which code of an error. */
const statuses = new Map()
/** @type {number[]} Milliseconds that each request took, in order of its end. */
const latencies = []
const stopping = new AbortController()

/** @param {ClientOptions} options */
async function run({ port, count, pause, seed, tokens = [], issuers = [], isRefusedUnread = false }) {
  const chance = createChance(seed)
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  const marks = isRefusedUnread ? { 'x-refuse-unread': 'yes' } : {}
  const nextToken = () =>
    tokens.length > 0
      ? chance.pick(/** @type {[string]} */ (tokens))
      : hostileToken(chance, chance.pick(/** @type {[string]} */ (issuers)))

  const client = async () => {
    while (!stopping.signal.aborted) {
      const token = nextToken()
      const startedAt = performance.now()
      const status = await send(agent, port, { authorization: `Bearer ${token}`, ...marks })
      latencies.push(performance.now() - startedAt)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
  await Promise.all(Array.from({ length: count }, client))
  agent.destroy()
}

/**
 * The status of the response; the error's code where there was none.
 *
 * @param {Agent} agent @param {number} port @param {Record<string, string>} headers
 * @returns {Promise<number | string>}
 */
function send(agent, port, headers) {
  return new Promise((resolve) => {
    const sent = request({ agent, port, host: '127.0.0.1', headers }, (response) => {
      response.resume()
      response.once('close', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', (/** @type {NodeJS.ErrnoException} */ { code, message }) => resolve(code ?? message))
    sent.end()
  })
}

/**
 * A token of a hostile tenant's client: none of them is signed.
 *
 * @param {Chance} chance @param {string} issuer
 */
function hostileToken(chance, issuer) {
  const now = Math.floor(Date.now() / 1_000)
  const claims = { iss: issuer, aud: 'api', sub: 'a', iat: now, exp: now + 600 }
  /** @param {object} header @param {string} text */
  const forged = (header, text) =>
    [JSON.stringify({ alg: 'RS256', kid: hostileKid, ...header }), text]
      .map((part) => Buffer.from(part).toString('base64url'))
      .concat(chance.bytes(256).toString('base64url'))
      .join('.')
  const payload = JSON.stringify(claims)
  const token = chance.pick([
    () => forged({}, payload),
    () => forged({}, payload),
    () => forged({ kid: undefined }, payload),
    () => forged({ kid: `unknown-${chance.below(1_000_000)}` }, payload),
    () => forged({ kid: '__proto__' }, payload),
    () => forged({ kid: 'k'.repeat(5_000) }, payload),
    () => forged({ alg: 'none' }, payload),
    () => forged({ jku: 'http://127.0.0.1:1/', jwk: { kty: 'RSA' } }, payload),
    () => forged({}, `${payload.slice(0, -1)},"a":${'['.repeat(4_000)}${']'.repeat(4_000)}}`),
    () => forged({}, payload.replace(/"exp":\d+/, '"exp":1e306')),
    () => forged({}, payload.replace(/"exp":\d+/, '"exp":1,"exp":99999999999')),
    () => chance.bytes(chance.below(2_000)).toString('base64url'),
    () => `${'a'.repeat(10_000)}.${'b'.repeat(10_000)}.c`,
  ])
  return token()
}

process.once('message', (options) => {
  const running = run(/** @type {ClientOptions} */ (options))
  process.once('message', () => stopping.abort())
  running.then(
    () => process.send?.({ statuses: [...statuses], latencies }),
    (/** @type {unknown} */ error) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.once('disconnect', () => process.exit())
