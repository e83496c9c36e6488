import { importsOf, packageOf, packageSources, resolveRelative, type SourceFile } from './source-file.ts'

/** The level of each folder in `packages/core/src`. Entry points, the files directly in `src`, are above all. */
const levels: Readonly<Record<string, number>> = {
  base: 0,
  jwks: 1,
  http: 1,
  stores: 1,
  'jwks-cache': 2,
  persistence: 3,
  registry: 4,
  tenants: 5,
  status: 5,
  auth: 6,
}
const coreSources = 'packages/core/src/'
const entryPoint = ''

/** Imports in core, type imports included, that point neither into their own folder nor to a lower level. */
export function levelViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files)
    .filter((file) => file.path.startsWith(coreSources))
    .flatMap((file) => {
      const from = folderOf(file.path)
      if (levelOf(from) === undefined) return [`${file.path}: the folder "${from}" has no level`]
      return importsOf(file).flatMap(({ specifier, line }) => {
        const target = resolveRelative(file.path, specifier)
        if (!target?.startsWith(coreSources)) return []
        return pointsDown(from, folderOf(target))
          ? []
          : [`${file.path}:${line} imports from the same or a higher level: ${specifier}`]
      })
    })
}

/** Relative imports that leave the sources of their own package. */
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

function levelOf(folder: string): number | undefined {
  return folder === entryPoint ? Number.POSITIVE_INFINITY : levels[folder]
}

function pointsDown(from: string, to: string): boolean {
  if (from === to) return true
  const [above, below] = [levelOf(from), levelOf(to)]
  return above !== undefined && below !== undefined && below < above
}
