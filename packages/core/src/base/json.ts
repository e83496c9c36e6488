import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** What is read of a document. The rest of a long one is dropped where it is parsed. */
export interface ReadParts {
  /** Names of the members that are read, at any depth. */
  readonly members: readonly string[]
  /** Entries of a list that are read; its `length` counts the others, too. With 0, a list is read as `null`. */
  readonly maxEntries: number
}

/** Characters that are parsed on the event loop: the worst text of this length takes 7 ms, of 1 MiB 100 ms. */
const MAX_ON_EVENT_LOOP = 65_536

/** Levels of objects and lists that are kept of a long text: a set, its list of keys, a key, its list of operations. */
const MAX_DEPTH = 4

/** As text, because a file of its own would be lost when an application is bundled. */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads')
const { text, members, maxEntries, maxDepth } = workerData

function readParts(value, depth) {
  if (typeof value !== 'object' || value === null) return value
  if (depth > maxDepth || (maxEntries === 0 && Array.isArray(value))) return null
  if (Array.isArray(value)) {
    const list = value.slice(0, maxEntries).map((entry) => readParts(entry, depth + 1))
    list.length = value.length
    return list
  }
  const present = members.filter((name) => Object.hasOwn(value, name))
  return Object.fromEntries(present.map((name) => [name, readParts(value[name], depth + 1)]))
}

let parts
try {
  parts = readParts(JSON.parse(text), 1)
} catch {}
parentPort.postMessage(parts)
`

/**
 * Parses JSON that someone else wrote, without stalling the event loop: a long text in a thread of its own, which returns
 * the parts that are read.
 *
 * @returns `undefined` for what is not JSON; rejects where the thread ends early, for want of memory
 */
export async function parseJson(text: string, parts: ReadParts): Promise<unknown> {
  if (text.length <= MAX_ON_EVENT_LOOP) return parseOnEventLoop(text)
  const worker = startWorker(text, parts)
  if (worker === undefined) return parseOnEventLoop(text)
  const message: unknown[] = await once(worker, 'message')
  return message[0]
}

/** `undefined` where threads are not permitted (Node's `--permission`), or there are no more of them. */
function startWorker(text: string, parts: ReadParts): Worker | undefined {
  const workerData = { text, maxDepth: MAX_DEPTH, ...parts }
  try {
    // Without the application's `--import` and `NODE_OPTIONS`: its instrumentation has no business there.
    return new Worker(WORKER, { eval: true, workerData, env: {}, execArgv: [] })
  } catch {
    return undefined
  }
}

function parseOnEventLoop(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without the cause: the parser's message quotes the text.
    return undefined
  }
}
