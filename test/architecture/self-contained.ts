import { posix } from 'node:path'
import ts from 'typescript-api'
import { importsOf, lineOf, parse, resolveRelative, type SourceFile } from './source-file.ts'

/** Where checkouts and home folders are on a developer's machine. */
const machinePath = /(?<![\w.:/*-])\/(?:home|Users|root|work|workspace)\/[\w.-]+/

/** No file refers to anything outside of the repository: it works in any clone. */
export function outsideViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => [
    ...(/\.[cm]?[jt]sx?$/.test(file.path) ? codeReferences(file) : textReferences(file)).flatMap(({ target, line }) => {
      const resolved = resolveRelative(file.path, target)
      return resolved?.startsWith('..') ? [`${file.path}:${line} points outside of the repository: ${target}`] : []
    }),
    ...file.text.split('\n').flatMap((text, index) => {
      const found = machinePath.exec(text)
      return found ? [`${file.path}:${index + 1} names a path of one machine: ${found[0]}`] : []
    }),
  ])
}

interface Reference {
  readonly target: string
  readonly line: number
}

/** Imports and `new URL(…, import.meta.url)`; other strings may hold anything, tests of path checks do. */
function codeReferences(file: SourceFile): Reference[] {
  const found = importsOf(file).map(({ specifier, line }) => ({ target: specifier, line }))
  const visit = (node: ts.Node): void => {
    const [target, base] = ts.isNewExpression(node) && node.expression.getText() === 'URL' ? (node.arguments ?? []) : []
    if (target && ts.isStringLiteralLike(target) && base?.getText() === 'import.meta.url') {
      found.push({ target: target.text, line: lineOf(target) })
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(file))
  return found
}

function textReferences(file: SourceFile): Reference[] {
  return file.text.split('\n').flatMap((text, index) =>
    [...text.matchAll(/(?<![\w./])(?:\.\.\/)+[\w./-]*/g)].map(([target]) => ({
      target: posix.normalize(target),
      line: index + 1,
    })),
  )
}
