import ts from 'typescript-api'
import { packageOf, packageSources, parse, type SourceFile } from './source-file.ts'

const longestFile = 250
const longestAdapter = 180
const adapters: readonly string[] = ['express', 'koa', 'fastify']

/** A file past the limit is two files. */
export function lengthViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files).flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, '').split('\n').length
    return lines > longestFile ? [`${path} has ${lines} lines; at most ${longestFile}`] : []
  })
}

/** An adapter only translates, so it stays small. What it passes on of the core, name by name, does not count. */
export function adapterViolations(files: readonly SourceFile[]): string[] {
  return adapters.flatMap((adapter) => {
    const sources = packageSources(files).filter((file) => packageOf(file.path) === adapter)
    const lines = sources.reduce((sum, file) => sum + linesOfCode(file), 0)
    return lines > longestAdapter
      ? [`packages/${adapter}/src has ${lines} lines of code; at most ${longestAdapter}`]
      : []
  })
}

function isReExport(node: ts.Node): boolean {
  return ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined
}

/** The lines that hold something other than comments, white space and re-exports. */
export function linesOfCode(file: SourceFile): number {
  const tree = parse(file)
  const lines = new Set<number>()
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node) || isReExport(node)) return
    const children = node.getChildren(tree)
    if (children.length > 0) {
      for (const child of children) visit(child)
      return
    }
    if (node.getEnd() === node.getStart(tree)) return
    const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line
    const last = tree.getLineAndCharacterOfPosition(node.getEnd()).line
    for (let line = first; line <= last; line += 1) lines.add(line)
  }
  visit(tree)
  return lines.size
}
