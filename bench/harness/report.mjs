/** The report, in Markdown: the targets first, then each section with its tables. */

/** @typedef {import('./result.mjs').Result} Result */

/**
 * @param {readonly Result[]} results
 * @param {{ machine: readonly (readonly [string, string])[], peers: readonly string[], seconds: number }} about
 */
export function report(results, { machine, peers, seconds }) {
  return [
    '# Results',
    'Written by `npm run bench`; [what is measured and how](README.md) is said elsewhere. Ratios are the median of ' +
      'the rounds of one run, the middle half of the rounds in brackets; both sides of a ratio ran in turn in the ' +
      'same rounds. Figures per second are this machine’s and compare with nothing outside of this run.',
    targetTable(results),
    'One target does not depend on a machine’s clock and is a test instead: how many upstream requests eight ' +
      'processes send that share a Redis.',
    ...results.flatMap((result) => section(result, 'plots/')),
    '## What it ran on',
    list(machine.map(([name, value]) => `${name}: ${value}`)),
    `The run took ${(seconds / 60).toFixed(1)} minutes. Beside: ${peers.join(', ')}.`,
  ]
    .join('\n\n')
    .concat('\n')
}

/** @param {readonly Result[]} results */
export function targetTable(results) {
  const targets = results.flatMap((result) => result.targets)
  return table({
    head: ['what', 'target', 'measured', 'beside it', ''],
    rows: targets.map(({ what, target, measured, limit, met }) => [
      what,
      target,
      measured,
      limit,
      met ? 'met' : '**not met**',
    ]),
  })
}

/**
 * @param {Result} result
 * @param {string} [plotFolder] absent: without the plots
 */
export function section({ title, text, tables, plots = [] }, plotFolder) {
  return [
    `## ${title}`,
    ...text,
    ...(plotFolder === undefined ? [] : plots.map((plot) => `![${plot.title}](${plotFolder}${plot.file})`)),
    ...tables.flatMap((each) => (tables.length > 1 ? [`### ${each.title}`, table(each)] : [table(each)])),
  ]
}

/** @param {{ head: readonly string[], rows: readonly (readonly string[])[] }} contents */
function table({ head, rows }) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** @param {readonly string[]} items */
function list(items) {
  return items.map((item) => `- ${item}`).join('\n')
}
