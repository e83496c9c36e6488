import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-api'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

const { config } = ts.readConfigFile(`${root}tsconfig.base.json`, ts.sys.readFile)
const { options } = ts.convertCompilerOptionsFromJson(
  {
    ...config.compilerOptions,
    noEmit: true,
    composite: false,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    // An example shows what there is; not all of it is used.
    noUnusedLocals: false,
    // The application's own setting.
    skipLibCheck: true,
    typeRoots: [`${root}node_modules/@types`],
  },
  root,
)

/** Compiles modules as if they lay in a package's tests; says of each what is wrong with it. */
function compile(adapter: string, modules: readonly string[]): readonly (readonly string[])[] {
  const paths = modules.map((_, index) => `${root}packages/${adapter}/test/example-${index}.ts`)
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => paths.includes(name) || fileExists(name)
  host.getSourceFile = (name, ...rest) => {
    const code = modules[paths.indexOf(name)]
    return code === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, code, ts.ScriptTarget.ES2023)
  }
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram(paths, options, host))
  return paths.map((path) =>
    diagnostics
      .filter(({ file }) => file === undefined || file.fileName === path)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  )
}

function examplesOf(adapter: string): readonly string[] {
  const text = readFileSync(`${root}packages/${adapter}/README.md`, 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
}

describe.each(['express', 'koa', 'fastify'])('the README of %s', (adapter) => {
  it('has examples, and all compile', () => {
    const examples = examplesOf(adapter)
    expect(examples.length).toBeGreaterThanOrEqual(6)
    expect(compile(adapter, examples)).toEqual(examples.map(() => []))
  })
})

describe('an example that is wrong', () => {
  it('does not compile', () => {
    const misspelt = [
      "import { jwksAuth } from '@jwks-auth/express'\njwksAuth({ issuer: 'a', audience: 'b', realms: 'c' })",
      "import { jwksAuht } from '@jwks-auth/express'\njwksAuht()",
    ]
    expect(compile('express', misspelt)).toEqual([
      [expect.stringContaining('realms')],
      [expect.stringContaining('jwksAuht')],
    ])
  })
})
