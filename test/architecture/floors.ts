import { importsOf, packageOf, packageSources, resolveRelative, type SourceFile } from './source-file.ts'

/** The folders of `packages/core/src` by floor. Entry points, the files beside them, stand above all. */
const floors: Readonly<Record<string, number>> = {
  base: 0,
  jwks: 1,
  http: 1,
  stores: 1,
  cache: 2,
  registry: 3,
  tenants: 4,
  auth: 5,
}
const coreSources = 'packages/core/src/'
const entryPoint = ''

/** Core's imports stay in their folder or go to a lower floor. */
export function floorViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files)
    .filter((file) => file.path.startsWith(coreSources))
    .flatMap((file) => {
      const from = folderOf(file.path)
      if (heightOf(from) === undefined) return [`${file.path}: the folder "${from}" has no floor`]
      return importsOf(file).flatMap(({ specifier, line }) => {
        const target = resolveRelative(file.path, specifier)
        if (!target?.startsWith(coreSources)) return []
        return goesDown(from, folderOf(target))
          ? []
          : [`${file.path}:${line} imports upwards or sideways: ${specifier}`]
      })
    })
}

/** A relative import stays among the sources of its own package. */
export function escapeViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files).flatMap((file) =>
    importsOf(file).flatMap(({ specifier, line }) => {
      const target = resolveRelative(file.path, specifier)
      if (target === undefined || packageOf(target) === packageOf(file.path)) return []
      return [`${file.path}:${line} leaves the sources of its package: ${specifier}`]
    }),
  )
}

function folderOf(path: string): string {
  const [folder, ...rest] = path.slice(coreSources.length).split('/')
  return folder === undefined || rest.length === 0 ? entryPoint : folder
}

function heightOf(folder: string): number | undefined {
  return folder === entryPoint ? Number.POSITIVE_INFINITY : floors[folder]
}

function goesDown(from: string, to: string): boolean {
  if (from === to) return true
  const [above, below] = [heightOf(from), heightOf(to)]
  return above !== undefined && below !== undefined && below < above
}
