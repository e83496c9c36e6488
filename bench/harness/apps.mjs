/**
 * The applications that are measured: the same answer, `{"hello":"world"}` at `/`, behind one protection or none.
 *
 * @typedef {{ issuer: string, jwksUri: string, options?: Record<string, unknown> }} AppSetting `options` are for ours
 *
 * @typedef {object} Application a module in `apps/`
 * @property {Record<string, unknown>} protections by name
 * @property {(protect: any, setting: AppSetting) => Promise<number>} listen resolves to the port
 */
import { startChild } from './calls.mjs'

/** The names that every framework's module has. */
export const unprotected = 'unprotected'
export const ours = 'jwks-auth'
/** A hook or middleware that reads the `Authorization` header and leaves it for handlers, and nothing else. */
export const headerRead = 'the header read'

/**
 * Applications of one framework.
 *
 * @typedef {{ framework: string, setting: AppSetting }} Place
 */

/** An application that was started, and what its process answers. @typedef {import('./calls.mjs').Child & { port: number }} App */

/**
 * Starts an application in a process of its own.
 *
 * @param {Place & { protection: string }} app
 * @returns {Promise<App>}
 */
export async function startApp({ protection, ...place }) {
  const [app] = await startTogether({ ...place, protections: [protection] })
  if (app === undefined) throw new Error('no application')
  return app
}

/**
 * Starts applications in one process, each with a port of its own. Whoever stops one of them stops all.
 *
 * @param {Place & { protections: readonly string[] }} apps
 * @returns {Promise<App[]>} in the same order
 */
export async function startTogether({ framework, protections, setting }) {
  const { issuer, jwksUri, options } = setting
  const child = await startChild('server', [JSON.stringify({ issuer, jwksUri, options }), framework, ...protections])
  /** @type {number[]} */
  const ports = await child.call('ports')
  return ports.map((port) => ({ ...child, port }))
}

/**
 * The port of a server that has been told to listen on any.
 *
 * @param {import('node:net').Server} server
 * @returns {Promise<number>}
 */
export function portOf(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      const address = server.address()
      if (typeof address === 'object' && address !== null) resolve(address.port)
      else reject(new Error('the server has no port'))
    })
  })
}
