/**
 * Two kinds of load. Full: every connection sends its next request as soon as it has the last answer, so that the
 * server works all the time. Steady: so many requests per second, however long the answers take.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openConnection } from './connection.mjs'
import { quantile } from './statistics.mjs'

/** @typedef {import('./connection.mjs').Connection} Connection */

/**
 * @typedef {object} LoadResult
 * @property {number} rate answers per second
 * @property {number} answers
 * @property {Record<number, number>} statuses how many answers by status; 0 is a connection that ended without one
 * @property {{ p50: number, p99: number, max: number }} latency in milliseconds
 */

/** Connections between two full loads, by port. @type {Map<number, Connection[]>} */
const kept = new Map()

/**
 * Has connections ready for a full load, each with an answer behind it. A server takes one new connection in a turn of its
 * event loop (libuv since 1.45), so that under load the fiftieth waits for fifty turns, which is not what is measured.
 *
 * @param {{ port: number, requests: readonly Buffer[], connections: number }} plan
 */
export async function connectAll({ port, requests, connections }) {
  const [request = Buffer.alloc(0)] = requests
  const open = (kept.get(port) ?? []).filter((connection) => connection.isOpen())
  for (const connection of open.splice(connections)) connection.close()
  while (open.length < connections) {
    const connection = await openConnection(port)
    const status = await new Promise((resolve) => connection.send(request, resolve))
    if (status === 0) throw new Error('a server that closes connections at once')
    open.push(connection)
  }
  kept.set(port, open)
}

/**
 * @param {object} plan
 * @param {number} plan.port
 * @param {readonly Buffer[]} plan.requests
 * @param {number} plan.connections
 * @param {number} plan.milliseconds
 * @param {boolean} [plan.shuffled] picks requests at random instead of in turn
 * @param {number} [plan.count] ends after so many requests, if that comes first
 * @param {boolean} [plan.isRestless] never sleeps while it waits for answers, see {@link keepAwake}
 * @returns {Promise<LoadResult>}
 */
export async function fullLoad(plan) {
  const { port, requests, connections, milliseconds, shuffled = false, count = Infinity, isRestless = false } = plan
  await connectAll({ port, requests, connections })
  const open = kept.get(port) ?? []
  /** @type {number[]} */
  const latencies = []
  /** @type {Record<number, number>} */
  const statuses = {}
  let sent = 0
  const next = () => {
    const index = shuffled ? Math.floor(Math.random() * requests.length) : sent % requests.length
    sent += 1
    return requests[index] ?? Buffer.alloc(0)
  }
  const start = performance.now()
  const end = start + milliseconds

  /** @param {Connection} connection @param {() => void} ended */
  function work(connection, ended) {
    const sentAt = performance.now()
    if (sentAt >= end || sent >= count) {
      ended()
      return
    }
    connection.send(next(), (status) => {
      latencies.push(performance.now() - sentAt)
      statuses[status] = (statuses[status] ?? 0) + 1
      if (status === 0) ended()
      else work(connection, ended)
    })
  }

  const rest = isRestless ? keepAwake() : () => undefined
  await Promise.all(open.map((connection) => new Promise((resolve) => work(connection, () => resolve(undefined)))))
  rest()
  const seconds = (performance.now() - start) / 1000
  return resultOf(latencies, statuses, seconds)
}

/**
 * Keeps this process awake. On loopback it is the server that wakes up who sleeps for its answer, which costs it a
 * microsecond or two; and the slower a server is, the more often the client sleeps: it would pay for being slow twice.
 *
 * @returns {() => void} lets it sleep again
 */
function keepAwake() {
  let isOver = false
  const turn = () => {
    if (!isOver) setImmediate(turn)
  }
  turn()
  return () => {
    isOver = true
  }
}

/**
 * A request that finds no free connection waits for one, and that wait is part of its latency.
 *
 * @param {object} plan
 * @param {number} plan.port
 * @param {readonly Buffer[]} plan.requests sent once each at most, in turn from the first
 * @param {number} plan.rate requests per second
 * @param {number} plan.milliseconds
 * @param {number} [plan.connections]
 * @returns {Promise<LoadResult>}
 */
export async function steadyLoad({ port, requests, rate, milliseconds, connections = 64 }) {
  const free = await Promise.all(Array.from({ length: connections }, () => openConnection(port)))
  const all = [...free]
  /** @type {{ request: Buffer, dueAt: number }[]} */
  const queue = []
  /** @type {number[]} */
  const latencies = []
  /** @type {Record<number, number>} */
  const statuses = {}

  const dispatch = () => {
    while (queue.length > 0 && free.length > 0) {
      // The one that has been free for longest: a server closes idle connections.
      const connection = free.shift()
      const job = queue.shift()
      if (connection === undefined || job === undefined) return
      connection.send(job.request, (status) => {
        latencies.push(performance.now() - job.dueAt)
        statuses[status] = (statuses[status] ?? 0) + 1
        if (status !== 0) free.push(connection)
        dispatch()
      })
    }
  }

  const start = performance.now()
  let scheduled = 0
  for (let elapsed = 0; elapsed < milliseconds; elapsed = performance.now() - start) {
    for (const due = Math.floor((elapsed / 1000) * rate); scheduled < due; scheduled += 1) {
      const request = requests[scheduled % requests.length]
      if (request !== undefined) queue.push({ request, dueAt: performance.now() })
    }
    dispatch()
    await sleep(1)
  }
  const patience = performance.now() + 10_000
  while (latencies.length < scheduled && performance.now() < patience) await sleep(5)
  const seconds = (performance.now() - start) / 1000
  for (const connection of all) connection.close()
  return resultOf(latencies, statuses, seconds)
}

/**
 * @param {readonly number[]} latencies
 * @param {Record<number, number>} statuses
 * @param {number} seconds
 */
function resultOf(latencies, statuses, seconds) {
  if (latencies.length === 0) throw new Error('the server gave no answer')
  return {
    rate: latencies.length / seconds,
    answers: latencies.length,
    statuses,
    latency: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), max: quantile(latencies, 1) },
  }
}
