import { importsOf, packageOf, packageSources, resolveRelative, type SourceFile } from './source-file.ts'

type Graph = ReadonlyMap<string, readonly string[]>

/** The import cycles among the files of the packages, type imports included, each as the paths along it. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const graph = importGraph(packageSources(files))
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

/**
 * The longest chain of imports within one package, type imports included: its files from the importer down.
 * Throws a `TypeError` where the imports have a cycle, which has no longest chain.
 */
export function longestImportChain(files: readonly SourceFile[], owner: string): readonly string[] {
  const graph = importGraph(packageSources(files).filter((file) => packageOf(file.path) === owner))
  const chains = new Map<string, readonly string[] | 'in progress'>()
  const chainFrom = (path: string): readonly string[] => {
    const known = chains.get(path)
    if (known === 'in progress') throw new TypeError(`import cycle through ${path}`)
    if (known !== undefined) return known
    chains.set(path, 'in progress')
    const chain = [path, ...longest((graph.get(path) ?? []).map(chainFrom))]
    chains.set(path, chain)
    return chain
  }
  return longest([...graph.keys()].map(chainFrom))
}

function longest(chains: readonly (readonly string[])[]): readonly string[] {
  return chains.reduce((best, chain) => (chain.length > best.length ? chain : best), [])
}

/** The files that each of these files imports, as far as they are among them. */
function importGraph(sources: readonly SourceFile[]): Graph {
  const known = new Set(sources.map((file) => file.path))
  return new Map(sources.map((file) => [file.path, targetsOf(file, known)]))
}

function targetsOf(file: SourceFile, known: ReadonlySet<string>): string[] {
  return importsOf(file).flatMap(({ specifier }) => {
    const target = resolveRelative(file.path, specifier)
    if (target === undefined) return []
    const source = target.replace(/\.(?:d\.ts|[cm]?js)$/, '.ts')
    return known.has(source) ? [source] : []
  })
}
