import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'

/** Listens, and never accepts: the thread sleeps, while the kernel completes connections until the backlog is full. */
const listener = `
  const { createServer } = require('node:net')
  const { parentPort } = require('node:worker_threads')
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 0)
  })
`

/** More connections than the backlog takes. */
const fillers = 8

/**
 * A port on 127.0.0.1 that swallows connection attempts, as a host behind a firewall that drops packets does: the
 * backlog of its listener is full, so that the kernel ignores each further SYN.
 *
 * @returns {Promise<{ port: number, close: () => Promise<void> }>}
 */
export async function startFullBacklog() {
  const worker = new Worker(listener, { eval: true })
  /** @type {[number]} */
  const [port] = /** @type {any} */ (await once(worker, 'message'))
  const sockets = Array.from({ length: fillers }, () => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    socket.unref()
    return socket
  })
  // The first ones connect; once the backlog is full, none does any more.
  await once(sockets[0] ?? worker, 'connect')
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await worker.terminate()
    },
  }
}
