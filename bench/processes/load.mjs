/** The load generator, in a process of its own. */
import { answerCalls } from '../harness/calls.mjs'
import { connectAll, fullLoad, steadyLoad } from '../harness/load.mjs'

/** Requests by the name of their tokens, made once. @type {Map<string, Buffer[]>} */
const prepared = new Map()

/** @param {string} name */
function requestsOf(name) {
  const requests = prepared.get(name)
  if (requests === undefined) throw new Error(`no tokens named ${name}`)
  return requests
}

answerCalls({
  tokens(/** @type {{ name: string, tokens: string[] }} */ { name, tokens }) {
    prepared.set(
      name,
      tokens.map((token) => Buffer.from(`GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n\r\n`)),
    )
  },
  connect: (/** @type {any} */ plan) => connectAll({ ...plan, requests: requestsOf(plan.tokens) }),
  full: (/** @type {any} */ plan) => fullLoad({ ...plan, requests: requestsOf(plan.tokens) }),
  steady: (/** @type {any} */ plan) => steadyLoad({ ...plan, requests: requestsOf(plan.tokens) }),
})
