import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-api'

/** What every rule takes: a file by its path from the repository's root, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** A module specifier and the line it stands on. */
export interface Import {
  readonly specifier: string
  readonly line: number
}

const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url))
const generatedFolders = new Set(['.git', 'node_modules', 'dist', 'coverage'])
const generatedFiles = /\.(?:tgz|tsbuildinfo)$|^(?:package-lock\.json|pnpm-lock\.yaml)$/

/** Every file of the repository under a folder, except for what is installed or generated. */
export function readRepository(folder = ''): SourceFile[] {
  return readdirSync(repositoryRoot + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return generatedFolders.has(entry.name) ? [] : readRepository(path)
    if (!entry.isFile() || generatedFiles.test(entry.name)) return []
    return [{ path, text: readFileSync(repositoryRoot + path, 'utf8') }]
  })
}

/** The name of the folder under `packages/` whose sources hold this path; undefined for any other path. */
export function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\/src\//.exec(path)?.[1]
}

/** The TypeScript sources of the packages. */
export function packageSources(files: readonly SourceFile[]): SourceFile[] {
  return files.filter((file) => packageOf(file.path) !== undefined && /\.[cm]?tsx?$/.test(file.path))
}

/** The syntax tree of a file; parents are set. */
export function parse(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
}

/** The 1-based line of a node. */
export function lineOf(node: ts.Node): number {
  const source = node.getSourceFile()
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
}

/** Every module a file names: static, `import type`, `export … from`, `import()`, types, `require`. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier && ts.isStringLiteralLike(specifier)) {
      found.push({ specifier: specifier.text, line: lineOf(specifier) })
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(file))
  return found
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
  if (!ts.isCallExpression(node)) return undefined
  const callee = node.expression
  const loads = callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  return loads ? node.arguments[0] : undefined
}

/** The path that a relative specifier means, from the root; undefined for the name of a package. */
export function resolveRelative(from: string, specifier: string): string | undefined {
  if (!/^\.{1,2}(?:\/|$)/.test(specifier)) return undefined
  return posix.join(posix.dirname(from), specifier)
}

/** The package that a bare specifier names: `@a/b/c` → `@a/b`, `a/b` → `a`. */
export function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
