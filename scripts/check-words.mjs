/**
 * Checks that code, tests and documents use the field's own terms: `npm run check:words` fails for each phrase below.
 * `node scripts/check-words.mjs <path…>` checks these files or folders only.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const skippedFolders = new Set(['.git', 'node_modules', 'dist', 'coverage'])
const skippedFiles = new Set(['scripts/check-words.mjs'])
const checkedFiles = /\.(?:[cm]?[jt]sx?|md|ya?ml)$|^\.ci\/run$/

/** What not to write, and what to write instead. @type {readonly (readonly [phrase: RegExp, instead: string])[]} */
const phrases = [
  [/\bsa(?:id|ys?|ying) aloud\b/i, 'explicitly'],
  [/\bto begin with\b/i, 'initially, or leave it out'],
  [/\b(?:leaves?|left|leaving) word\b|\bword is left\b/i, 'records, is recorded'],
  [/\b(?:tells?|told|telling) of\b/i, 'reports, is reported'],
  [/\bmend(?:s|ed|ing)?\b/i, 'fix, repair'],
  [/\bin so many words\b/i, 'explicitly'],
  [/\bwhose it is\b/i, 'name the owner'],
  [/\bis news\b/i, 'is reported'],
  [/\b(?:some|any|no)body\b/i, 'name the party: a client, an attacker, a process'],
  [/\bask(?:s|ed|ing)? (?:nobody|no one|upstream|past)\b/i, 'does not fetch, fetches'],
  [/\bfor good\b(?! tokens| requests| clients| measure)/i, 'permanently'],
  [/\bas (?:it|they) comes?\b(?! (?:in|from|out|with))/i, 'with its defaults'],
  [
    /\b(?:a|an|one|each|every|no|any|per|last|next|first|another|more) looks?\b(?! ?(?:like|at|up|ahead|-))/i,
    'refetch, upstream request',
  ],
  [/\blooks? upstream\b/i, 'refetch, upstream request'],
  [/\bhas (?:it|them|one|another|an? \w+|the \w+) (?:do|say|know)\b/i, 'makes it do'],
  [/\bwhat is held\b|\bheld keys\b|\bholdings\b/i, 'cached keys, CacheState'],
  [/\btombstones?\b/i, 'revocation'],
  [/\bwithout a word\b/i, 'silently'],
  [/\bslip of the pen\b/i, 'mistake'],
  [
    /\bgives? (?:its|their) word\b|\bis (?:its|his|her|their) word\b|\bby (?:its|his|their) own word\b/i,
    'states, as reported by',
  ],
  [/\bleave to fetch\b/i, 'fetch lease'],
  [/\bs(?:ees?|aw|een) to it that\b/i, 'makes sure that, ensures'],
  [/\bown doings\b|\bthe trouble of\b/i, 'say what it does'],
]

/** @param {string} folder @returns {string[]} */
function filesIn(folder) {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : filesIn(path)
    return entry.isFile() && checkedFiles.test(path) && !skippedFiles.has(path) ? [path] : []
  })
}

/** @param {string} path */
function problemsIn(path) {
  return readFileSync(root + path, 'utf8')
    .split('\n')
    .flatMap((line, index) =>
      phrases.flatMap(([phrase, instead]) => {
        const [found] = phrase.exec(line) ?? []
        return found === undefined ? [] : [`${path}:${index + 1} "${found}": ${instead}`]
      }),
    )
}

const chosen = process.argv.slice(2).map((each) => posix.normalize(each).replace(/\/$/, ''))
const absent = chosen.filter((path) => !existsSync(root + path))
if (absent.length > 0) {
  console.error(`No such file or folder: ${absent.join(', ')}`)
  process.exit(1)
}

const files =
  chosen.length > 0
    ? chosen.flatMap((path) => (statSync(root + path).isDirectory() ? filesIn(path) : [path]))
    : filesIn('')
const problems = files.flatMap(problemsIn)
for (const problem of problems) console.error(problem)
console.log(`note: ${files.length} files checked`)
process.exitCode = problems.length > 0 ? 1 : 0
