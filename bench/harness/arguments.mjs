/** What `npm run bench -- …` was told. */
import { parseArgs } from 'node:util'
import { sectionNames } from './sections.mjs'

export const usage = `npm run bench                        everything, and writes bench/RESULTS.md and bench/plots
npm run bench -- --quick             whether it runs, in less than a minute; writes nothing
npm run bench -- --only seen-token   one section (may be repeated); writes nothing
npm run bench -- --only long-life --all-distinct
                                     ten million tokens, each brought once: half an hour or less; writes nothing
npm run bench -- --profile           CPU profiles of every process into bench/dist/profiles; its figures mean little

Sections: ${sectionNames.join(', ')}`

/**
 * @param {readonly string[]} given
 * @throws Error that says what is wrong
 */
export function readArguments(given) {
  const { values } = parseArgs({
    args: [...given],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      'all-distinct': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const unknown = values.only.filter((name) => !sectionNames.includes(name))
  if (unknown.length > 0) throw new Error(`No such section: ${unknown.join(', ')}.\n\n${usage}`)
  const sections = values.only.length > 0 ? sectionNames.filter((name) => values.only.includes(name)) : sectionNames
  const { 'all-distinct': allDistinct, ...rest } = values
  if (allDistinct && sections.join() !== 'long-life') throw new Error(`--all-distinct is for long-life.\n\n${usage}`)
  const isWhole = sections.length === sectionNames.length && !values.quick && !values.profile
  return { ...rest, allDistinct, sections, isWhole }
}
