import ts from 'typescript-api'
import { packageOf, packageSources, parse, type SourceFile } from './source-file.ts'

/** Lines that a file, or a function with all that is nested in it, may have without a reason. */
const longestFile = 400
const longestFunction = 100
/** Lines of code in all files of an adapter: it translates and decides nothing. */
const longestAdapter = 380
const adapters: readonly string[] = ['express', 'koa', 'fastify', 'fetch', 'nestjs', 'mcp']

/** Something longer than the limit: `path`, or `path#function`. */
export interface LongItem {
  readonly name: string
  readonly lines: number
}

/** Files of more than 400 lines, and functions of more than 100. */
export function longItems(files: readonly SourceFile[]): LongItem[] {
  return packageSources(files).flatMap((file) => [
    ...[{ name: file.path, lines: file.text.replace(/\n$/, '').split('\n').length }].filter(
      ({ lines }) => lines > longestFile,
    ),
    ...functionsOf(file).filter(({ lines }) => lines > longestFunction),
  ])
}

/** Long items without a reason, and reasons that no long item needs any more. */
export function lengthViolations(files: readonly SourceFile[], reasons: Readonly<Record<string, string>>): string[] {
  const items = longItems(files)
  const names = new Set(items.map(({ name }) => name))
  return [
    ...items
      .filter(({ name }) => !Object.hasOwn(reasons, name))
      .map(({ name, lines }) => `${name} has ${lines} lines; give a reason or divide it by ideas`),
    ...Object.keys(reasons)
      .filter((name) => !names.has(name))
      .map((name) => `${name} is short enough; remove its reason`),
  ]
}

/** Adapters with more code than translating takes. */
export function adapterViolations(files: readonly SourceFile[]): string[] {
  return adapters.flatMap((adapter) => {
    const sources = packageSources(files).filter((file) => packageOf(file.path) === adapter)
    const lines = sources.reduce((sum, file) => sum + linesOfCode(file), 0)
    return lines > longestAdapter
      ? [`packages/${adapter}/src has ${lines} lines of code; at most ${longestAdapter}`]
      : []
  })
}

function functionsOf(file: SourceFile): LongItem[] {
  const found: LongItem[] = []
  const tree = parse(file)
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line
      const last = tree.getLineAndCharacterOfPosition(node.getEnd()).line
      found.push({ name: `${file.path}#${nameOf(node)}`, lines: last - first + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if (node.name !== undefined) return node.name.getText()
  const { parent } = node
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : 'anonymous'
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
