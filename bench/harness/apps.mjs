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

/**
 * Starts an application in a process of its own.
 *
 * @param {{ framework: string, protection: string, setting: AppSetting }} app
 */
export async function startApp({ framework, protection, setting }) {
  const { issuer, jwksUri, options } = setting
  const child = await startChild('server', [framework, protection, JSON.stringify({ issuer, jwksUri, options })])
  /** @type {number} */
  const port = await child.call('port')
  return { ...child, port }
}

/** @typedef {Awaited<ReturnType<typeof startApp>>} App */

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
