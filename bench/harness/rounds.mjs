/**
 * Rounds: in each one every contender runs for a moment, and each round begins with another one and goes the other
 * way round. A machine that gets slower, a neighbour that wakes up or a place in the order then hits all alike.
 */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(milliseconds: number) => number | Promise<number>} run works for about that long; operations per second
 * @property {number} [every] takes part in every so many-th round only. Default 1
 */

/** The figures of all contenders by name, one for each round. @typedef {Map<string, (number | undefined)[]>} Figures */

/**
 * @param {readonly Contender[]} contenders
 * @param {{ rounds: number, milliseconds: number, warmUp?: number }} plan the warm-up, in milliseconds, counts for
 *   nothing
 * @returns {Promise<Figures>}
 */
export async function interleave(contenders, { rounds, milliseconds, warmUp = milliseconds }) {
  /** @type {Figures} */
  const figures = new Map(contenders.map(({ name }) => [name, Array.from({ length: rounds }, () => undefined)]))
  if (figures.size !== contenders.length) throw new Error('two contenders have one name')
  for (const contender of contenders) await contender.run(warmUp)
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, run, every = 1 } of inOrder(contenders, round)) {
      if (round % every !== 0) continue
      const values = figures.get(name)
      if (values !== undefined) values[round] = await run(milliseconds)
    }
  }
  return figures
}

/**
 * @param {readonly Contender[]} contenders
 * @param {number} round
 */
function inOrder(contenders, round) {
  const first = (round >> 1) % contenders.length
  const order = [...contenders.slice(first), ...contenders.slice(0, first)]
  return round % 2 === 0 ? order : order.toReversed()
}

/**
 * Calls an operation over and over: operations per second. One that returns a promise is awaited; one that returns
 * anything else is not, as no caller would.
 *
 * @param {() => unknown} operation
 * @param {{ milliseconds: number, concurrency?: number }} plan
 */
export async function throughput(operation, { milliseconds, concurrency = 1 }) {
  const start = performance.now()
  const end = start + milliseconds
  let done = 0

  async function lane() {
    for (;;) {
      const result = operation()
      done += 1
      if (result instanceof Promise) {
        await result
        if (performance.now() >= end) return
      } else if (done % 64 === 0 && performance.now() >= end) return
    }
  }

  await Promise.all(Array.from({ length: concurrency }, lane))
  return done / ((performance.now() - start) / 1000)
}

/**
 * As {@link throughput}, one at a time, each in an event-loop turn of its own, as requests of a quiet API come: operations
 * per second of their own time. What the event loop does between them does not count.
 *
 * @param {() => unknown} operation
 * @param {{ milliseconds: number }} plan
 */
export async function throughputInTurns(operation, { milliseconds }) {
  const end = performance.now() + milliseconds
  let [done, took] = [0, 0]
  for (;;) {
    const start = performance.now()
    if (start >= end) return done / (took / 1000)
    const result = operation()
    if (result instanceof Promise) await result
    took += performance.now() - start
    done += 1
    await new Promise(setImmediate)
  }
}

/**
 * @template Item
 * @param {readonly Item[]} items at least one
 * @returns {() => Item} gives each in turn, and from the start again
 */
export function inTurn(items) {
  let next = 0
  return () => {
    const item = /** @type {Item} */ (items[next])
    next = next + 1 === items.length ? 0 : next + 1
    return item
  }
}
