/** Bar charts as small SVG files. Colours are of middle lightness and the ground is left open, for light and dark. */
import { spreadOf } from './statistics.mjs'

const width = 760
const labelWidth = 300
const barHeight = 18
const rowHeight = 28
const top = 46
const ours = '#2f81f7'
const theirs = '#8b949e'
const limit = '#bf8700'

/**
 * @typedef {object} Bar
 * @property {string} label
 * @property {readonly number[]} values one for each round
 * @property {'ours' | 'theirs' | 'limit'} kind
 */

/**
 * Horizontal bars up to the median, each with a line from the first to the third quartile.
 *
 * @param {{ title: string, subtitle: string, bars: readonly Bar[], label: (value: number) => string }} chart
 */
export function barChart({ title, subtitle, bars, label }) {
  const spreads = bars.map(({ values }) => spreadOf(values))
  const longest = Math.max(...spreads.map(({ high }) => high))
  const room = width - labelWidth - 110
  const x = (/** @type {number} */ value) => labelWidth + (value / longest) * room
  const height = top + bars.length * rowHeight + 10
  const rows = bars.map((bar, index) => {
    const { median, low, high } = spreads[index] ?? { median: 0, low: 0, high: 0 }
    const y = top + index * rowHeight
    const middle = y + barHeight / 2
    return [
      text(labelWidth - 10, middle + 4, bar.label, `end${bar.kind === 'ours' ? ' bold' : ''}`),
      `<rect class="${bar.kind}" x="${labelWidth}" y="${y}" width="${round(x(median) - labelWidth)}" height="${barHeight}" rx="2"/>`,
      `<path class="spread" d="M${round(x(low))} ${middle}H${round(x(high))}"/>`,
      text(x(high) + 8, middle + 4, label(median), ''),
    ].join('')
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${style}</style>`,
    text(0, 14, title, 'bold'),
    text(0, 32, subtitle, 'faint'),
    ...rows,
    '</svg>\n',
  ].join('\n')
}

const style = [
  'text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#59636e}',
  '.bold{font-weight:600;fill:#1f2328}.faint{font-size:12px}.end{text-anchor:end}',
  `.ours{fill:${ours}}.theirs{fill:${theirs}}.limit{fill:${limit}}.spread{stroke:#59636e;stroke-width:2}`,
  '@media(prefers-color-scheme:dark){text{fill:#9198a1}.bold{fill:#f0f6fc}.spread{stroke:#f0f6fc}}',
].join('')

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {string} classes
 */
function text(x, y, content, classes) {
  return `<text${classes === '' ? '' : ` class="${classes}"`} x="${round(x)}" y="${round(y)}">${escaped(content)}</text>`
}

/** @param {string} content */
function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10
}
