import { describe, expect, it } from 'vitest'
import { undocumentedExports } from './public-docs.ts'
import { readRepository, type SourceFile } from './source-file.ts'

/** The names without a comment, of a package whose only entry point is `index.ts`. */
function undocumented(...texts: readonly [index: string, ...others: [path: string, text: string][]]): string[] {
  const [index, ...others] = texts
  const files: SourceFile[] = [
    { path: 'packages/a/src/index.ts', text: index },
    ...others.map(([path, text]) => ({ path: `packages/a/src/${path}`, text })),
  ]
  return undocumentedExports(files).map((line) => line.replace(/^\S+ (\S+) has no TSDoc comment$/, '$1'))
}

describe('public names', () => {
  it('all have a TSDoc comment', () => {
    expect(undocumentedExports(readRepository('packages'))).toEqual([])
  })

  it('are reported by file and line', () => {
    const files = [
      { path: 'packages/a/src/index.ts', text: '/** One. */\nexport const one = 1\nexport const two = 2\n' },
    ]
    expect(undocumentedExports(files)).toEqual(['packages/a/src/index.ts:3 two has no TSDoc comment'])
  })

  it.each([
    'export const a = 1',
    'export function a(): void {}',
    'export class a {}',
    'export interface a {}',
    'export type a = string',
    'const a = 1\nexport { a }',
    '// A line comment is no TSDoc.\nexport const a = 1',
    '/** */\nexport const a = 1',
    '/** @internal */\nexport const a = 1',
  ])('are missed without one: %s', (text) => {
    expect(undocumented(text)).toEqual(['a'])
  })

  it('are followed through re-exports, imports and other names', () => {
    const index =
      "import { b } from './b.ts'\nexport { a as c } from './a.ts'\nexport { b }\nexport { d } from './b.ts'"
    const a: [string, string] = ['deep/a.ts', 'export const a = 1']
    const b: [string, string] = ['b.ts', "export const b = 1\nexport { a as d } from './deep/a.ts'"]
    expect(undocumented(index, ['a.ts', "export { a } from './deep/a.ts'"], a, b)).toEqual(['b', 'c'])
  })

  it('need no comment when no entry point exports them', () => {
    expect(undocumented('/** A. */\nexport const a = 1\nconst b = 2', ['deep/c.ts', 'export const c = 3'])).toEqual([])
  })

  it('of another package are documented there', () => {
    expect(undocumented("export { a } from '@jwks-auth/core'")).toEqual([])
  })

  it('need one comment for all overloads', () => {
    const overloads = 'export function a(x: 1): void\nexport function a(x: 2): void\nexport function a(): void {}'
    expect(undocumented(`/** A. */\n${overloads}`)).toEqual([])
    expect(undocumented(overloads)).toEqual(['a'])
  })
})

describe('public members', () => {
  it.each([
    ['an interface', '/** A. */\nexport interface a { b: string; c(): void; readonly d?: number }'],
    ['a type literal', '/** A. */\nexport type a = { b: string; c(): void; readonly d?: number }'],
    ['a union of type literals', '/** A. */\nexport type a = { b: string } | ({ c: string } & { d: string })'],
    ['a class', '/** A. */\nexport class a { b = 1; c(): void {}; static get d(): number { return 1 } }'],
    ['a nested type literal', '/** A. */\nexport interface a {\n/** B. */\nb: { b: 1 }; c: string; d: string }'],
  ])('of %s need a comment', (_, text) => {
    expect(undocumented(text).map((name) => name.at(-1))).toEqual(['b', 'c', 'd'])
  })

  it('of an interface that an exported one extends need a comment', () => {
    const index = "import type { B } from './b.ts'\n/** A. */\nexport interface A extends B {}"
    expect(undocumented(index, ['b.ts', '/** B. */\nexport interface B { b: string }'])).toEqual(['B.b'])
  })

  it('that are private, overridden or constructors need none', () => {
    const text =
      '/** A. */\nexport class A extends Error {\n#a = 1\nprivate b = 2\noverride name = "A"\nconstructor() { super() } }'
    expect(undocumented(text)).toEqual([])
  })

  it('with a comment are fine', () => {
    expect(undocumented('/** A. */\nexport interface A {\n/** B. */\nb: string }')).toEqual([])
  })
})
