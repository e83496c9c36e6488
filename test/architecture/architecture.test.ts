import { describe, expect, it } from 'vitest'
import { importCycles } from './cycles.ts'
import { dependencyViolations } from './dependencies.ts'
import { escapeViolations, floorViolations } from './floors.ts'
import { exportAllViolations } from './public-exports.ts'
import { outsideViolations } from './self-contained.ts'
import { adapterViolations, lengthViolations, linesOfCode } from './size.ts'
import { importsOf, packageSources, readRepository, type SourceFile } from './source-file.ts'
import { unbuiltProjects } from './workspace.ts'

const repository = readRepository()

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

describe('floors of core', () => {
  it('are kept', () => {
    expect(floorViolations(repository)).toEqual([])
  })

  it.each([
    ['base/clock.ts', "import { a } from '../keys/a.ts'"],
    ['keys/parse.ts', "import type { A } from '../http/a.ts'"],
    ['http/fetch.ts', "export { a } from '../keys/a.ts'"],
    ['http/fetch.ts', "const a = await import('../cache/a.ts')"],
    ['cache/entry.ts', "type A = import('../registry/a.ts').A"],
    ['registry/registry.ts', "import '../tenants/a.ts'"],
    ['tenants/stores/deep.ts', "import { a } from '../../auth/a.ts'"],
    ['auth/guard.ts', "import { a } from '../index.ts'"],
  ])('forbid %s to say %s', (path, text) => {
    expect(floorViolations([core(path, text)])).toHaveLength(1)
  })

  it('forbid a folder that has none', () => {
    expect(floorViolations([core('other/a.ts', '')])).toEqual([
      'packages/core/src/other/a.ts: the folder "other" has no floor',
    ])
    expect(floorViolations([core('index.ts', "import './other/a.ts'")])).toHaveLength(1)
  })

  it('allow imports downwards, within a folder, and from an entry point', () => {
    const files = [
      core('auth/guard.ts', "import { a } from '../base/a.ts'\nimport { b } from './deep/b.ts'"),
      core('auth/deep/b.ts', "import { c } from '../c.ts'\nimport { d } from '../../keys/d.ts'"),
      core('index.ts', "export { a } from './auth/a.ts'\nexport { b } from './entry.ts'"),
    ]
    expect(floorViolations(files)).toEqual([])
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
  it('of a file is 250 lines at most', () => {
    expect(lengthViolations(repository)).toEqual([])
  })

  it('of 251 lines is too much for a file', () => {
    expect(lengthViolations([core('a.ts', linesOf(250))])).toEqual([])
    expect(lengthViolations([core('a.ts', linesOf(251))])).toEqual([
      'packages/core/src/a.ts has 251 lines; at most 250',
    ])
  })

  it('of an adapter is 180 lines of code at most', () => {
    expect(adapterViolations(repository)).toEqual([])
  })

  it('of 181 lines of code over all its files is too much for an adapter', () => {
    const files = (count: number) => [
      { path: 'packages/koa/src/a.ts', text: linesOf(100) },
      { path: 'packages/koa/src/b.ts', text: linesOf(count) },
    ]
    expect(adapterViolations(files(80))).toEqual([])
    expect(adapterViolations(files(81))).toEqual(['packages/koa/src has 181 lines of code; at most 180'])
  })

  it('counts neither comments nor blank lines', () => {
    const text =
      '/** A comment\n * of two lines. */\nexport const a = `1\n2`\n\n// more\n/* x */ export const b = 3 // y\n'
    expect(linesOfCode({ path: 'a.ts', text })).toBe(3)
  })
})

describe('export *', () => {
  const adapter = (path: string, text: string): SourceFile => ({ path: `packages/koa/src/${path}`, text })

  it('is used only by adapters, for core', () => {
    expect(exportAllViolations(repository)).toEqual([])
  })

  it.each([
    core('index.ts', "export * from './a.ts'"),
    core('index.ts', "export * as a from './a.ts'"),
    core('index.ts', "export type * from './a.ts'"),
    core('index.ts', "export * from '@jwks-auth/core'"),
    adapter('index.ts', "export * from './jwks-auth.ts'"),
    adapter('index.ts', "export * from '@jwks-auth/core/adapter'"),
    adapter('index.ts', "export * as core from '@jwks-auth/core'"),
    adapter('jwks-auth.ts', "export * from '@jwks-auth/core'"),
  ])('is found in $path: $text', (file) => {
    expect(exportAllViolations([file])).toHaveLength(1)
  })

  it('is allowed for core in the entry point of an adapter', () => {
    expect(exportAllViolations([adapter('index.ts', "export * from '@jwks-auth/core'")])).toEqual([])
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
    ['packages/core/src/cache/a.ts', `import { a } from '${up}keys/a.ts'`],
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
