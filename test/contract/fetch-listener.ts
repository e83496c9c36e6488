import type { RequestListener } from 'node:http'

/** A handler of fetch requests. */
export type FetchCallback = (request: Request) => Response | Promise<Response>

interface NodeServer {
  getRequestListener(callback: FetchCallback): (...args: Parameters<RequestListener>) => Promise<void>
}

// By a variable: the types of this package need those of a browser.
const nodeServer: string = '@hono/node-server'
const { getRequestListener }: NodeServer = await import(nodeServer)

/** Returns a listener of `node:http` that calls a handler of fetch requests. */
export function fetchListener(callback: FetchCallback): RequestListener {
  const listener = getRequestListener(callback)
  return (req, res) => void listener(req, res)
}
