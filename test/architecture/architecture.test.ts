import { describe, expect, it } from 'vitest'
import { dependencyViolations } from './dependencies.ts'
import { importCycles, longestImportChain } from './import-graph.ts'
import { escapeViolations, levelViolations } from './levels.ts'
import { discardedPromises, promiseClassChecks } from './promises.ts'
import { exportAllViolations } from './public-exports.ts'
import { outsideViolations } from './self-contained.ts'
import { adapterViolations, lengthViolations, linesOfCode, longItems } from './size.ts'
import { importsOf, packageSources, readRepository, type SourceFile } from './source-file.ts'
import { unbuiltProjects } from './workspace.ts'

const repository = readRepository()

/** Files in the longest import chain of core, and in core altogether. */
const longestChainAllowed = 14
const mostFilesOfCore = 85

/** Why these files and functions are longer than the limit: `path` or `path#function`, and the reason. */
const reasonsForLength: Readonly<Record<string, string>> = {
  'packages/core/src/auth/authenticate.ts':
    'One pipeline, read from top to bottom: to divide it would hide the order of its steps.',
  'packages/core/src/auth/authenticate.ts#createAuthentication':
    'A factory: the steps of authentication, each a short function, share the options of one authenticator.',
  'packages/core/src/auth/until-invalid.ts#createInvalidations':
    'A factory: short functions share the tokens that are waited for and the one timer.',
  'packages/core/src/jwks-cache/provider-cache.ts':
    'One class owns the state of a provider and carries out every effect; its methods are short and share that state.',
  'packages/core/src/persistence/fetch-lease.ts#createFetchLease':
    'A factory: the phases of one lease, each a short function, share its state as methods of a class would.',
  'packages/core/src/persistence/persistence.ts#createPersistence':
    'A factory: it composes the parts of persistence, which refer to one another.',
  'packages/core/src/persistence/provider-snapshots.ts#createProviderSnapshots':
    'A factory: loading, saving and retrying share what was last read and written.',
  'packages/core/src/persistence/revocation-log.ts#createRevocationLog':
    'A factory: short functions share the records in memory and the writes under way.',
  'packages/core/src/persistence/store-circuit.ts#createStoreCircuit':
    'A factory: short functions share the health of one store.',
  'packages/core/src/registry/provider-table.ts#createProviderTable':
    'A factory: registering, replacing, leasing and removing share the table and what a removal has to release.',
  'packages/testing/src/memory-store.ts#memoryStore':
    'A factory: the methods of a store that a test can make misbehave.',
}

/**
 * What does not keep the rules on length and promises yet: files, or `path#function`. The lists only get shorter; an
 * entry that is no longer needed does no harm.
 */
const unconverted = {
  length: [],
  promiseClass: [],
  discardedPromises: [
    'packages/core/src/http/transport.ts',
    'packages/testing/src/issuer.ts',
    'packages/testing/src/memory-fleet.ts',
    'packages/testing/src/memory-store.ts',
    'packages/testing/src/send.ts',
  ],
} as const

/** The violations, without those of an unconverted file or function. */
function newOnes(violations: readonly string[], old: readonly string[]): string[] {
  return violations.filter(
    (violation) => !old.some((name) => violation.startsWith(`${name}:`) || violation.startsWith(`${name} `)),
  )
}

/** A file of core, so that an example of a rule is one line. */
function core(path: string, text: string): SourceFile {
  return { path: `packages/core/src/${path}`, text }
}

function linesOf(count: number): string {
  return Array.from({ length: count }, (_, index) => `export const line${index} = ${index}\n`).join('')
}

describe('reading the repository', () => {
  it('finds the sources of every package', () => {
    const owners = new Set(packageSources(repository).map((file) => file.path.split('/')[1]))
    expect([...owners]).toEqual(expect.arrayContaining(['core', 'express', 'fastify', 'koa', 'testing']))
  })

  it('leaves out what is installed or generated', () => {
    expect(repository.filter((file) => /(?:^|\/)(?:node_modules|dist)\//.test(file.path))).toEqual([])
  })

  it.each([
    ["import { a } from './a.ts'"],
    ["import './a.ts'"],
    ["import type { A } from './a.ts'"],
    ["export { a } from './a.ts'"],
    ["export type { A } from './a.ts'"],
    ["export * from './a.ts'"],
    ["const a = await import('./a.ts')"],
    ["type A = import('./a.ts').A"],
    ["const a = require('./a.ts')"],
    ["import a = require('./a.ts')"],
  ])('sees the import in %s', (text) => {
    expect(importsOf({ path: 'x.ts', text })).toEqual([{ specifier: './a.ts', line: 1 }])
  })

  it('takes no comment and no string for an import', () => {
    const text = "// import './a.ts'\n/* import './b.ts' */\nconst text = \"import './c.ts'\"\n"
    expect(importsOf({ path: 'x.ts', text })).toEqual([])
  })
})

describe('levels of core', () => {
  it('are respected by every import', () => {
    expect(levelViolations(repository)).toEqual([])
  })

  it.each([
    ['base/clock.ts', "import { a } from '../jwks/a.ts'"],
    ['jwks/parse.ts', "import type { A } from '../http/a.ts'"],
    ['http/fetch.ts', "export { a } from '../stores/a.ts'"],
    ['http/fetch.ts', "const a = await import('../jwks-cache/a.ts')"],
    ['jwks-cache/state.ts', "import type { A } from '../persistence/a.ts'"],
    ['persistence/lease.ts', "type A = import('../registry/a.ts').A"],
    ['registry/registry.ts', "import '../tenants/a.ts'"],
    ['tenants/directory/deep.ts', "import { a } from '../../auth/a.ts'"],
    ['auth/guard.ts', "import { a } from '../index.ts'"],
  ])('forbid %s to contain %s', (path, text) => {
    expect(levelViolations([core(path, text)])).toHaveLength(1)
  })

  it('forbid a folder without a level', () => {
    expect(levelViolations([core('other/a.ts', '')])).toEqual([
      'packages/core/src/other/a.ts: the folder "other" has no level',
    ])
    expect(levelViolations([core('index.ts', "import './other/a.ts'")])).toHaveLength(1)
  })

  it('allow imports from lower levels, within a folder, and by an entry point', () => {
    const files = [
      core('auth/guard.ts', "import { a } from '../base/a.ts'\nimport { b } from './deep/b.ts'"),
      core('auth/deep/b.ts', "import { c } from '../c.ts'\nimport { d } from '../../jwks/d.ts'"),
      core('registry/compose.ts', "import { a } from '../persistence/a.ts'\nimport { b } from '../jwks-cache/b.ts'"),
      core('index.ts', "export { a } from './auth/a.ts'\nexport { b } from './entry.ts'"),
    ]
    expect(levelViolations(files)).toEqual([])
  })
})

describe('relative imports', () => {
  it('stay among the sources of their package', () => {
    expect(escapeViolations(repository)).toEqual([])
  })

  it.each(['../../../express/src/index.ts', '../../test/a.ts', '../../package.json'])('may not be %s', (specifier) => {
    expect(escapeViolations([core('base/a.ts', `import { a } from '${specifier}'`)])).toHaveLength(1)
  })
})

describe('import cycles', () => {
  it('do not exist', () => {
    expect(importCycles(repository)).toEqual([])
  })

  it('are found through types and re-exports', () => {
    const files = [
      core('a.ts', "import type { B } from './b.ts'"),
      core('b.ts', "export { c } from './base/c.ts'"),
      core('base/c.ts', "import { a } from '../a.ts'"),
    ]
    expect(importCycles(files)).toEqual([
      'packages/core/src/a.ts → packages/core/src/b.ts → packages/core/src/base/c.ts → packages/core/src/a.ts',
    ])
  })

  it('are found in a file that imports itself', () => {
    expect(importCycles([core('a.ts', "import { a } from './a.ts'")])).toHaveLength(1)
  })

  it('are not seen in a diamond', () => {
    const files = [
      core('a.ts', "import './b.ts'\nimport './c.ts'"),
      core('b.ts', "import './d.ts'"),
      core('c.ts', "import './d.ts'"),
      core('d.ts', ''),
    ]
    expect(importCycles(files)).toEqual([])
  })
})

describe('import chains', () => {
  it(`of core have ${longestChainAllowed} files at most`, async ({ annotate }) => {
    const chain = longestImportChain(repository, 'core')
    await annotate(`${chain.length} files: ${chain.join(' → ')}`)
    expect(chain.length, chain.join(' → ')).toBeLessThanOrEqual(longestChainAllowed)
    expect(chain.length).toBeGreaterThan(3)
  })

  it(`of core lead through ${mostFilesOfCore} files at most`, () => {
    const files = packageSources(repository).filter(({ path }) => path.startsWith('packages/core/src/'))
    expect(files.length).toBeLessThanOrEqual(mostFilesOfCore)
    expect(files.length).toBeGreaterThan(20)
  })

  it('are measured along types, re-exports and dynamic imports, within one package', () => {
    const files = [
      core('a.ts', "import type { B } from './b.ts'\nimport './d.ts'"),
      core('b.ts', "export { c } from './base/c.ts'"),
      core('base/c.ts', "const d = await import('../d.ts')"),
      core('d.ts', ''),
      { path: 'packages/koa/src/e.ts', text: "import '../../core/src/a.ts'" },
    ]
    expect(longestImportChain(files, 'core')).toEqual(
      ['a.ts', 'b.ts', 'base/c.ts', 'd.ts'].map((path) => `packages/core/src/${path}`),
    )
    expect(longestImportChain(files, 'koa')).toEqual(['packages/koa/src/e.ts'])
  })

  it('have no length where there is a cycle', () => {
    const files = [core('a.ts', "import './b.ts'"), core('b.ts', "import './a.ts'")]
    expect(() => longestImportChain(files, 'core')).toThrow('import cycle')
  })
})

describe('dependencies between packages', () => {
  it('point down', () => {
    expect(dependencyViolations(repository)).toEqual([])
  })

  it.each([
    ['core', '@jwks-auth/testing'],
    ['core', '@jwks-auth/core'],
    ['core', 'express'],
    ['core', 'koa'],
    ['core', 'fastify'],
    ['express', '@jwks-auth/koa'],
    ['express', 'jose'],
    ['koa', 'fastify'],
    ['fastify', '@jwks-auth/testing'],
    ['redis', '@jwks-auth/express'],
    ['testing', 'undici'],
    ['unlisted', '@jwks-auth/core'],
  ])('forbid %s to import %s', (owner, name) => {
    const text = `import type { A } from '${name}/deep'`
    expect(dependencyViolations([{ path: `packages/${owner}/src/a.ts`, text }])).toHaveLength(1)
  })

  it.each(['dependencies', 'peerDependencies', 'optionalDependencies'])('are read from %s too', (group) => {
    const manifest = (owner: string, name: string) => ({
      path: `packages/${owner}/package.json`,
      text: JSON.stringify({ [group]: { [name]: '*' } }),
    })
    expect(dependencyViolations([manifest('core', '@types/express')])).toHaveLength(1)
    expect(dependencyViolations([manifest('express', '@jwks-auth/fastify')])).toHaveLength(1)
    expect(dependencyViolations([manifest('express', '@types/express')])).toEqual([])
  })

  it('allow what each package is for', () => {
    const files = [
      core('a.ts', "import { a } from 'node:http'\nimport { b } from 'jose'"),
      {
        path: 'packages/fastify/src/a.ts',
        text: "import a from 'fastify-plugin'\nimport { b } from '@jwks-auth/core'",
      },
      { path: 'packages/testing/src/a.ts', text: "import { a } from 'jose'" },
    ]
    expect(dependencyViolations(files)).toEqual([])
  })
})

describe('size', () => {
  it('of more than 400 lines for a file or 100 for a function has a reason', () => {
    expect(newOnes(lengthViolations(repository, reasonsForLength), unconverted.length)).toEqual([])
  })

  it('of 401 lines is too much for a file', () => {
    expect(longItems([core('a.ts', linesOf(400))])).toEqual([])
    expect(longItems([core('a.ts', linesOf(401))])).toEqual([{ name: 'packages/core/src/a.ts', lines: 401 }])
  })

  it.each([
    ['a', (body: string) => `export function a(): void {\n${body}}`],
    ['a', (body: string) => `export const a = (): void => {\n${body}}`],
    ['a', (body: string) => `export class A {\na(): void {\n${body}}\n}`],
    ['constructor', (body: string) => `export class A {\nconstructor() {\n${body}}\n}`],
    ['anonymous', (body: string) => `export default function () {\n${body}}`],
  ])('of 101 lines is too much for a function: %s', (name, code) => {
    const statements = (count: number) => 'x()\n'.repeat(count)
    expect(longItems([core('a.ts', code(statements(98)))])).toEqual([])
    expect(longItems([core('a.ts', code(statements(99)))])).toEqual([
      { name: `packages/core/src/a.ts#${name}`, lines: 101 },
    ])
  })

  it('that is long again needs its reason, and no reason outlives what it is for', () => {
    const name = 'packages/core/src/a.ts'
    expect(lengthViolations([core('a.ts', linesOf(401))], { [name]: 'one table' })).toEqual([])
    expect(lengthViolations([core('a.ts', linesOf(401))], {})).toEqual([
      `${name} has 401 lines; give a reason or divide it by ideas`,
    ])
    expect(lengthViolations([core('a.ts', linesOf(1))], { [name]: 'one table' })).toEqual([
      `${name} is short enough; remove its reason`,
    ])
  })

  it('of an adapter is 380 lines of code at most', () => {
    expect(adapterViolations(repository)).toEqual([])
  })

  it('of 381 lines of code over all its files is too much for an adapter', () => {
    const files = (count: number) => [
      { path: 'packages/koa/src/a.ts', text: linesOf(150) },
      { path: 'packages/koa/src/b.ts', text: linesOf(count) },
    ]
    expect(adapterViolations(files(230))).toEqual([])
    expect(adapterViolations(files(231))).toEqual(['packages/koa/src has 381 lines of code; at most 380'])
  })

  it('counts neither comments nor blank lines', () => {
    const text =
      '/** A comment\n * of two lines. */\nexport const a = `1\n2`\n\n// more\n/* x */ export const b = 3 // y\n'
    expect(linesOfCode({ path: 'a.ts', text })).toBe(3)
  })
})

describe('promises', () => {
  it('are recognised by their then method, never by their class', () => {
    expect(newOnes(promiseClassChecks(repository), unconverted.promiseClass)).toEqual([])
  })

  it.each([
    'x instanceof Promise',
    '!(x instanceof Promise)',
    'x instanceof globalThis.Promise',
    'x instanceof (Promise)',
  ])('may not be recognised by %s', (expression) => {
    expect(promiseClassChecks([core('a.ts', `export const a = ${expression}`)])).toEqual([
      'packages/core/src/a.ts:1 checks for instanceof Promise; use isThenable',
    ])
  })

  it('may be named in types, strings and comments', () => {
    const text = "// instanceof Promise\nexport const a: Promise<void> = f('x instanceof Promise')\na instanceof Date"
    expect(promiseClassChecks([core('a.ts', text)])).toEqual([])
  })

  it('are discarded only where the called function cannot reject', () => {
    expect(newOnes(discardedPromises(repository), unconverted.discardedPromises)).toEqual([])
  })

  it.each([
    'void save()',
    'void this.#save()',
    'void store.save().finally(next)',
    'void (async () => {})()',
    'void saving',
    'const f = () => void save()',
  ])('may not be discarded as in %s', (statement) => {
    expect(discardedPromises([core('a.ts', statement)])).toHaveLength(1)
  })

  it.each([
    ['void saveInBackground()', ''],
    ['void this.#saveInBackground(1)', ''],
    ['void (store.saveInBackground())', ''],
    ['void save()', '/** Saves. Never rejects: failures are events. */\nasync function save() {}'],
    ['void this.#save()', 'class A {\n/** Never rejects. */\nasync #save() {}\n}'],
    ['void store.save()', 'interface A {\n/** Never rejects. */\nsave(): Promise<void>\n}'],
    ['void save()', '/** Never rejects. */\nconst save = async () => {}'],
  ])('may be discarded as in %s', (statement, declaration) => {
    expect(discardedPromises([core('a.ts', statement), core('b.ts', declaration)])).toEqual([])
  })
})

describe('export *', () => {
  it('is used by adapters for core alone', () => {
    expect(exportAllViolations(repository)).toEqual([])
  })

  it.each(["export * from './a.ts'", "export * as a from './a.ts'", "export type * from './a.ts'"])(
    'is found in %s',
    (text) => {
      expect(exportAllViolations([core('index.ts', text)])).toHaveLength(1)
    },
  )

  it('of core is for the entry point of an adapter', () => {
    const text = "export * from '@jwks-auth/core'"
    const inside = (path: string) => exportAllViolations([{ path: `packages/${path}`, text }])
    expect(inside('koa/src/index.ts')).toEqual([])
    expect(inside('koa/src/jwks-auth.ts')).toHaveLength(1)
    expect(inside('redis/src/index.ts')).toHaveLength(1)
    const other = { path: 'packages/koa/src/index.ts', text: "export * from '@jwks-auth/core/adapter'" }
    expect(exportAllViolations([other])).toHaveLength(1)
  })

  it('is not seen in a named export', () => {
    expect(exportAllViolations([core('index.ts', "export { a } from './a.ts'\nexport {}")])).toEqual([])
  })
})

describe('the repository', () => {
  it('refers to nothing outside of itself', () => {
    expect(outsideViolations(repository)).toEqual([])
  })

  const up = '../'
  const slash = '/'
  it.each([
    ['README.md', `see [notes](${up}notes.md)`],
    ['docs/a.md', `see ${up}${up}notes`],
    ['tsconfig.json', `{ "extends": "${up}base.json" }`],
    ['test/a.ts', `import { a } from '${up}${up}a.ts'`],
    ['test/a.ts', `const a = new URL('${up}${up}a', import.meta.url)`],
    ['packages/core/src/a.ts', `// tried in ${slash}home/me/notes`],
    ['.ci/run', `cd ${slash}work/clone`],
  ])('may not say in %s: %s', (path, text) => {
    expect(outsideViolations([{ path, text }])).toHaveLength(1)
  })

  it.each([
    ['docs/a.md', `see [contributing](${up}CONTRIBUTING.md)`],
    ['packages/core/src/registry/a.ts', `import { a } from '${up}jwks/a.ts'`],
    ['test/a.ts', `const traversal = '${up}${up}${up}etc/passwd'`],
    ['test/a.ts', `const url = 'https://example.com${slash}home/page'`],
  ])('may say in %s: %s', (path, text) => {
    expect(outsideViolations([{ path, text }])).toEqual([])
  })

  it('builds and checks every project in it', () => {
    expect(unbuiltProjects(repository)).toEqual([])
  })

  it('is not built whole when a project is missing from the solution', () => {
    const solution = (path: string, references: string[]) => ({
      path,
      text: JSON.stringify({ references: references.map((reference) => ({ path: reference })) }),
    })
    const files = [
      { path: 'packages/a/tsconfig.json', text: '{}' },
      { path: 'examples/b/tsconfig.json', text: '{}' },
    ]
    expect(unbuiltProjects([...files, solution('tsconfig.json', ['packages/a'])])).toEqual([
      'tsconfig.json does not reference examples/b',
      'tsconfig.tests.json does not reference packages/a',
    ])
  })
})
