import ts from 'typescript-api'
import { lineOf, packageOf, packageSources, parse, type SourceFile } from './source-file.ts'

/** The one module that adapters re-export whole, so that one import serves and the lists cannot drift. */
const core = '@jwks-auth/core'
const adapters: ReadonlySet<string> = new Set(['express', 'koa', 'fastify', 'fetch', 'nestjs', 'mcp'])

/** Uses of `export *`, other than an adapter's entry point re-exporting core. */
export function exportAllViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files).flatMap((file) =>
    parse(file)
      .statements.filter(ts.isExportDeclaration)
      .filter((node) => node.exportClause === undefined || ts.isNamespaceExport(node.exportClause))
      .filter((node) => !reExportsCore(file, node))
      .map((node) => `${file.path}:${lineOf(node)} exports everything of ${node.moduleSpecifier?.getText() ?? '?'}`),
  )
}

function reExportsCore(
  { path }: SourceFile,
  { exportClause, isTypeOnly, moduleSpecifier }: ts.ExportDeclaration,
): boolean {
  const isEntryPoint = adapters.has(packageOf(path) ?? '') && path.endsWith('/src/index.ts')
  const specifier = moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : ''
  return isEntryPoint && exportClause === undefined && !isTypeOnly && specifier === core
}
