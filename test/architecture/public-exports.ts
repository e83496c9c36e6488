import ts from 'typescript-api'
import { lineOf, packageSources, parse, type SourceFile } from './source-file.ts'

/** Public names are exported by hand: `export *` is not used, under a name neither. */
export function exportAllViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files).flatMap((file) =>
    parse(file)
      .statements.filter(ts.isExportDeclaration)
      .filter((node) => node.exportClause === undefined || ts.isNamespaceExport(node.exportClause))
      .map((node) => `${file.path}:${lineOf(node)} exports everything of ${node.moduleSpecifier?.getText() ?? '?'}`),
  )
}
