/** A workflow file. */
export interface Workflow {
  readonly path: string
  readonly text: string
}

/** The packages of the repository's own `package.json` scripts, and its files. */
export interface Repository {
  readonly scripts: readonly string[]
  readonly files: ReadonlySet<string>
}

const PINNED = /^[\w.-]+\/[\w./-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/

/** Actions that are not pinned by a commit with its version beside it. */
export function unpinnedActions({ path, text }: Workflow): readonly string[] {
  return [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)]
    .map(([, action = '']) => action)
    .filter((action) => !PINNED.test(action) || !action.startsWith('actions/'))
    .map((action) => `${path}: ${action} is not an action of GitHub, pinned by commit`)
}

/** Workflows without read permission as their default, and jobs that may write repository contents. */
export function excessPermissions({ path, text }: Workflow): readonly string[] {
  const hasDefault = /^permissions:\n {2}contents: read\n(?! )/m.test(text)
  const writes = [...text.matchAll(/^\s+([\w-]+): write$/gm)].map(([, scope = '']) => scope)
  return [
    ...(hasDefault ? [] : [`${path}: the default permission is not "contents: read" alone`]),
    ...writes.filter((scope) => scope !== 'id-token').map((scope) => `${path}: ${scope}: write`),
  ]
}

/** Jobs without a time limit, and checkouts that leave credentials in the working copy. */
export function looseJobs({ path, text }: Workflow): readonly string[] {
  const count = (pattern: RegExp): number => [...text.matchAll(pattern)].length
  const jobs = count(/^ {4}runs-on: /gm)
  return [
    ...(count(/^ {4}timeout-minutes: \d+$/gm) === jobs ? [] : [`${path}: a job has no timeout-minutes`]),
    ...(count(/uses: actions\/checkout@/g) === count(/^ {10}persist-credentials: false$/gm)
      ? []
      : [`${path}: a checkout persists credentials`]),
  ]
}

/** Steps that are no script of this repository, so that they cannot be run locally. */
export function inlineSteps({ path, text }: Workflow, { scripts, files }: Repository): readonly string[] {
  return [...text.matchAll(/^\s*(?:- )?run: (.*)$/gm)]
    .map(([, command = '']) => command)
    .filter((command) => {
      const [, script] = /^npm (?:run )?([\w:]+)$/.exec(command) ?? []
      if (script !== undefined) return !scripts.includes(script)
      const [, file = ''] = /^(?:sudo env "PATH=\$PATH" )?(?:node|bash) ([\w./-]+)$/.exec(command) ?? []
      return !files.has(file)
    })
    .map((command) => `${path}: "${command}" is no script of this repository`)
}
