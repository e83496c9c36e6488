// One process of a fleet, on the packages as they are built: it does as the test says over IPC.
import { setTimeout } from 'node:timers/promises'
import { createAuthenticator, fileStore } from '@jwks-auth/core'
import { redisStore } from '@jwks-auth/redis'
import { Cluster, Redis } from 'ioredis'

/** @type {readonly (keyof import('@jwks-auth/core').RegistryEvents)[]} */
const EVENTS = [
  'fetch',
  'refresh',
  'refresh-failed',
  'key-added',
  'snapshot-loaded',
  'snapshot-saved',
  'snapshot-refused',
  'store-failed',
  'store-recovered',
]
const TRAFFIC_INTERVAL = 10
const READY_WITHIN = 3_000
/** The longest delay of Node's timers. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

const {
  redis,
  cluster,
  directory,
  uid,
  integrityKey = 'the integrity key of the whole fleet',
  options,
} = JSON.parse(process.env['MEMBER'] ?? '{}')
const client = connect()
client?.on('error', () => {})

function connect() {
  if (directory !== undefined) return undefined
  return cluster === undefined ? new Redis(redis) : new Cluster(cluster)
}

/** Milliseconds by which this process's wall clock is wrong. */
let clockError = 0
const authenticator = createAuthenticator({
  ...options,
  clock: {
    now: () => Date.now() + clockError,
    monotonic: () => performance.now(),
    setTimeout: (callback, delay) => globalThis.setTimeout(callback, Math.min(delay, LONGEST_TIMEOUT)),
    clearTimeout: (timer) => clearTimeout(/** @type {NodeJS.Timeout} */ (timer)),
  },
  store: client === undefined ? fileStore({ directory }) : redisStore({ client }),
  integrityKey,
})
const { registry } = authenticator
for (const type of EVENTS) registry.on(type, () => process.send?.({ event: type }))

/**
 * The codes of an error and its causes, which tell why a fleet refused.
 *
 * @param {Error & { readonly code?: string }} error
 * @returns {string[]}
 */
function codesOf({ name, code = name, cause }) {
  return [code, ...(cause instanceof Error ? codesOf(cause) : [])]
}

/**
 * Milliseconds, and the error's code, if there is one, and those of its causes.
 *
 * @param {string} token
 */
async function authenticate(token) {
  const startedAt = performance.now()
  const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } }
  const outcome = await authenticator.authenticate(request)
  const took = performance.now() - startedAt
  if (outcome.ok) return { code: undefined, causes: [], took }
  const [code, ...causes] = codesOf(outcome.error)
  return { code, causes, took }
}

/** @type {ReturnType<typeof startTraffic> | undefined} */
let traffic

/**
 * Asks all the time with one token, and keeps what went wrong and what took longest.
 *
 * @param {string} token
 */
function startTraffic(token) {
  const seen = { requests: 0, codes: /** @type {string[]} */ ([]), slowest: 0, slow: 0 }
  const timer = setInterval(() => {
    seen.requests += 1
    void authenticate(token).then(({ code, causes, took }) => {
      if (code !== undefined) seen.codes.push([code, ...causes].join(' < '))
      if (took > 150) seen.slow += 1
      seen.slowest = Math.max(seen.slowest, took)
    })
  }, TRAFFIC_INTERVAL)
  return { seen, stop: () => clearInterval(timer) }
}

/** @type {Record<string, (argument: string) => unknown>} */
const commands = {
  authenticate,
  traffic(token) {
    traffic?.stop()
    traffic = startTraffic(token)
  },
  /** What was seen since the last report. */
  report() {
    const { seen } = traffic ?? startTraffic('')
    const reported = { ...seen }
    Object.assign(seen, { requests: 0, codes: [], slowest: 0, slow: 0 })
    return reported
  },
  quiet: () => traffic?.stop(),
  status: () => registry.status('default', 'default'),
  revoke: (kid) => registry.revokeKey('default', 'default', kid),
  moveClock(milliseconds) {
    clockError = Number(milliseconds)
  },
  setPassword(password) {
    Object.assign(client?.options ?? {}, { password })
  },
  async close() {
    traffic?.stop()
    await authenticator.close()
    client?.disconnect()
    process.disconnect()
  },
}

/** @param {{ id: number, command: string, argument: string }} message */
async function obey({ id, command, argument }) {
  try {
    const result = await commands[command]?.(argument)
    if (process.connected) process.send?.({ id, result })
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  }
}

process.on('message', (/** @type {Parameters<typeof obey>[0]} */ message) => {
  void obey(message)
})
process.on('disconnect', () => process.exit())
// A client that has just been made takes longer than `storeTimeout`; one that finds no server is not waited for.
if (client !== undefined) {
  // Not `once` of node:events, which rejects where Redis is down.
  const ready = new Promise((resolve) => void client.once('ready', resolve))
  await Promise.race([ready, setTimeout(READY_WITHIN)])
}
if (uid !== undefined) process.setuid?.(uid)
process.send?.({ event: 'started' })
