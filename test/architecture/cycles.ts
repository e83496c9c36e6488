import { importsOf, packageSources, resolveRelative, type SourceFile } from './source-file.ts'

/** The import cycles among the files of the packages, each as the paths along it. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const sources = packageSources(files)
  const known = new Set(sources.map((file) => file.path))
  const graph = new Map(sources.map((file) => [file.path, targetsOf(file, known)]))
  const cycles: string[] = []
  const finished = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start !== -1) {
      cycles.push([...trail.slice(start), path].join(' → '))
      return
    }
    if (finished.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    finished.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return cycles
}

function targetsOf(file: SourceFile, known: ReadonlySet<string>): string[] {
  return importsOf(file).flatMap(({ specifier }) => {
    const target = resolveRelative(file.path, specifier)
    if (target === undefined) return []
    const source = target.replace(/\.(?:d\.ts|[cm]?js)$/, '.ts')
    return known.has(source) ? [source] : []
  })
}
