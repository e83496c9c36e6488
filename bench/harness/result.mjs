/**
 * What a section hands over, plain data, so that it can come out of another process.
 *
 * @typedef {object} Target
 * @property {string} what
 * @property {string} target
 * @property {string} measured
 * @property {string} limit what bounds it: the noise, the bare operation, …
 * @property {boolean} met
 *
 * @typedef {{ title: string, head: readonly string[], rows: readonly (readonly string[])[] }} Table
 * @typedef {{ file: string, svg: string, title: string }} Plot
 *
 * @typedef {object} Result
 * @property {string} title
 * @property {readonly string[]} text paragraphs: what is measured, and what is not
 * @property {readonly Table[]} tables
 * @property {readonly Target[]} targets
 * @property {readonly Plot[]} [plots]
 *
 * @typedef {object} Context
 * @property {boolean} quick fewer and shorter rounds: whether it runs, not how fast
 * @property {boolean} allDistinct each token of a long life is brought once only
 * @property {(line: string) => void} log
 *
 * @typedef {{ run: (context: Context) => Promise<Result> }} Section
 */

import * as format from './format.mjs'
import { median, present, ratioOf } from './statistics.mjs'

/**
 * A table of contenders, each beside ours.
 *
 * @param {import('./rounds.mjs').Figures} figures
 * @param {{ title: string, ours: string, names?: readonly string[] }} about
 * @returns {Table}
 */
export function ratioTable(figures, { title, ours, names = [...figures.keys()] }) {
  const own = figures.get(ours) ?? []
  const rows = names.map((name) => {
    const values = figures.get(name) ?? []
    const rate = median(present(values))
    const ratio = name === ours ? '1' : format.ratio(ratioOf(own, values))
    return [name, format.perSecond(rate), format.timeEach(rate), ratio]
  })
  return { title, head: ['', 'per second', 'each', 'ours is faster by'], rows }
}

/**
 * @param {import('./rounds.mjs').Figures} figures
 * @param {string} ours
 * @param {string} theirs
 */
export function ratioBetween(figures, ours, theirs) {
  return ratioOf(figures.get(ours) ?? [], figures.get(theirs) ?? [])
}
