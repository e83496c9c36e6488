import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/** Listens with the shortest backlog, and then never accepts: its event loop stands still. */
const UNACCEPTING = `
  const { parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    // The message is sent by another thread.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
`

/** Starts a server whose backlog is full, so that the kernel drops each further SYN. */
export async function startUnacceptingServer(): Promise<number> {
  const worker = new Worker(UNACCEPTING, { eval: true })
  const [port] = (await once(worker, 'message')) as [number]
  const fillers: Socket[] = []
  onTestFinished(async () => {
    for (const socket of fillers) socket.destroy()
    await worker.terminate()
  })
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    fillers.push(socket)
    isFull = (await Promise.race([once(socket, 'connect'), setTimeout(300, 'no room')])) === 'no room'
  }
  return port
}

/** A server that accepts connections and never sends anything. */
export interface SilentServer {
  readonly port: number
  readonly sockets: readonly Socket[]
}

/** Starts a server that accepts connections and never sends anything: a TLS handshake with it never ends. */
export async function startSilentServer(): Promise<SilentServer> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined))
    socket.resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}
