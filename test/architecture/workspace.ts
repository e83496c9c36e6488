import type { SourceFile } from './source-file.ts'

/** Every package and example that has a TypeScript project is built by `tsc -b`, and the tests' project knows it. */
export function unbuiltProjects(files: readonly SourceFile[]): string[] {
  const projects = files.flatMap(({ path }) => /^((?:packages|examples)\/[^/]+)\/tsconfig\.json$/.exec(path)?.[1] ?? [])
  return [
    ...missing('tsconfig.json', projects),
    ...missing(
      'tsconfig.tests.json',
      projects.filter((project) => project.startsWith('packages/')),
    ),
  ]

  function missing(solution: string, wanted: readonly string[]): string[] {
    const text = files.find((file) => file.path === solution)?.text ?? '{}'
    const { references = [] } = JSON.parse(text) as { references?: { path: string }[] }
    const built = new Set(references.map(({ path }) => path.replace(/^\.\//, '')))
    return wanted.filter((project) => !built.has(project)).map((project) => `${solution} does not reference ${project}`)
  }
}
