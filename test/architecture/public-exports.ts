import ts from 'typescript-api'
import { lineOf, packageSources, parse, type SourceFile } from './source-file.ts'

/** The one package of which adapters export everything, so that one import serves an application. */
const core = "'@jwks-auth/core'"

/**
 * Public names are exported by hand: `export *` is not used, under a name neither. The exception is the entry point of
 * an adapter, which exports everything of core, so that the lists cannot drift.
 */
export function exportAllViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files).flatMap((file) =>
    parse(file)
      .statements.filter(ts.isExportDeclaration)
      .filter((node) => node.exportClause === undefined || ts.isNamespaceExport(node.exportClause))
      .filter((node) => !(isEntryPointOfAdapter(file) && isEverythingOfCore(node)))
      .map((node) => `${file.path}:${lineOf(node)} exports everything of ${node.moduleSpecifier?.getText() ?? '?'}`),
  )
}

function isEntryPointOfAdapter({ path }: SourceFile): boolean {
  return /^packages\/(?:express|koa|fastify)\/src\/index\.ts$/.test(path)
}

function isEverythingOfCore(node: ts.ExportDeclaration): boolean {
  return node.exportClause === undefined && !node.isTypeOnly && node.moduleSpecifier?.getText() === core
}
