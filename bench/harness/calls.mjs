/**
 * Calls to a child process and their answers, as messages: what a server and a load generator are told, so that each
 * has a process, and with two cores or more a core, to itself.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** @typedef {{ id: number, method: string, argument: unknown }} Call */
/** @typedef {{ id: number, value?: unknown, error?: string }} Answer */

/**
 * @typedef {object} Child
 * @property {(method: string, argument?: unknown) => Promise<any>} call
 * @property {() => Promise<void>} stop
 */

/**
 * Starts `processes/<name>.mjs`; resolves once it answers.
 *
 * @param {string} name
 * @param {readonly string[]} [parameters]
 * @returns {Promise<Child>}
 */
export async function startChild(name, parameters = []) {
  const file = fileURLToPath(new URL(`../processes/${name}.mjs`, import.meta.url))
  const child = fork(file, [...parameters], {
    serialization: 'advanced',
    env: { ...process.env, NODE_ENV: 'production' },
  })
  let calls = 0
  /** @type {Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>} */
  const waiting = new Map()
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`${name} ended (${signal ?? code})`))
      waiting.clear()
      resolve(undefined)
    })
  })
  child.on('message', (message) => {
    const { id, value, error } = /** @type {Answer} */ (message)
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(value)
    else call?.reject(new Error(`${name}: ${error}`))
  })

  /** @param {string} method @param {unknown} [argument] @returns {Promise<any>} */
  function call(method, argument) {
    calls += 1
    const id = calls
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      child.send({ id, method, argument }, (error) => {
        if (error !== null) reject(error)
      })
    })
  }
  async function stop() {
    if (child.connected) child.disconnect()
    await exited
  }

  await call('ready')
  return { call, stop }
}

/**
 * In the child: answers calls by these methods until the parent is gone.
 *
 * @param {Record<string, (argument: any) => unknown>} methods
 */
export function answerCalls(methods) {
  process.on('message', (message) => {
    void answer(methods, /** @type {Call} */ (message)).then((answered) => process.send?.(answered))
  })
  process.once('disconnect', () => process.exit())
}

/**
 * @param {Record<string, (argument: any) => unknown>} methods
 * @param {Call} call
 * @returns {Promise<Answer>}
 */
async function answer(methods, { id, method, argument }) {
  if (method === 'ready') return { id }
  try {
    return { id, value: await methods[method]?.(argument) }
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
