import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A manifest, or what a registry says about one version. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** What a rehearsal published, and where. */
export interface Release {
  readonly registry: string
  /** The tag that it was published under. */
  readonly tag: string
  /** The copy of the repository that it was published from, with the versions of the release. */
  readonly workspace: string
  readonly packages: readonly ReleasedPackage[]
}

/** A package as the registry has it. */
export interface ReleasedPackage {
  readonly name: string
  readonly manifest: Manifest
  readonly tags: Readonly<Record<string, string>>
  /** Its tarball, downloaded from the registry. */
  readonly file: string
}

export const repository: string = fileURLToPath(new URL('../../', import.meta.url))
/** The folders of the packages. */
export const folders: readonly string[] = (await readdir(join(repository, 'packages'), { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

/** The names of the packages, read from their manifests. */
export const packageNames: readonly string[] = await Promise.all(
  folders.map(async (folder) => (await readManifest(folder)).name),
)

/** Runs a command and returns what it said; rejects with that if it fails. */
export async function run(folder: string, command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: folder, env: plainEnvironment() })
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${basename(command)} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

/** The path of a tool that the repository installs. */
export function tool(name: string): string {
  return join(repository, 'node_modules/.bin', name)
}

/** A new folder that the caller removes. */
export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'jwks-auth-packaging-'))
}

/**
 * Makes a project that has the packages installed by name and tag, and the frameworks that they are tried with. Nothing is
 * hoisted, so a package finds only the dependencies that it declares.
 */
export async function installPackages(folder: string, release: Release): Promise<string> {
  const consumer = join(folder, 'consumer')
  const schemas = { zod: await versionOf('test', 'zod'), valibot: await versionOf('test', 'valibot') }
  const types: Record<string, string> = {}
  for (const name of ['@types/node', '@types/express', '@types/koa']) types[name] = await versionOf('.', name)
  const dependencies = { ...tagged(release), ...(await peers()), ...types, ...schemas }
  await mkdir(consumer)
  await writeFile(join(consumer, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await install(consumer, release, { hoist: false })
  return consumer
}

/** Our packages as dependencies of a project, by the tag of the release. */
export function tagged({ packages, tag }: Release): Record<string, string> {
  return Object.fromEntries(packages.map(({ name }) => [name, tag]))
}

/** Installs what a project's manifest says from the registry of the release, with these settings of pnpm. */
export async function install(project: string, { registry }: Release, settings: object): Promise<void> {
  await writeFile(join(project, '.npmrc'), `registry=${registry}\n`)
  // JSON is YAML too.
  await writeFile(join(project, 'pnpm-workspace.yaml'), JSON.stringify(settings))
  // Its own cache of metadata: another rehearsal may have had the same port.
  const cache = `--config.cache-dir=${join(project, '.cache')}`
  await run(project, tool('pnpm'), 'install', cache, '--ignore-scripts', '--no-frozen-lockfile')
}

/** The peers of our packages, in the versions that they are developed with. */
async function peers(): Promise<Record<string, string>> {
  const manifests = await Promise.all(folders.map(readManifest))
  return Object.fromEntries(
    manifests.flatMap(({ peerDependencies = {}, devDependencies = {} }) =>
      Object.entries(peerDependencies).map(([name, range]) => [name, devDependencies[name] ?? range]),
    ),
  )
}

/** The version of a development dependency. */
export async function versionOf(workspace: string, name: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(repository, workspace, 'package.json'), 'utf8')) as Manifest
  return manifest.devDependencies?.[name] ?? '*'
}

async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(repository, 'packages', folder, 'package.json'), 'utf8')) as Manifest
}

/** Without what vitest and an outer npm add, which would change how the commands behave. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env)
  const kept = entries.filter(([name]) => !/^(?:npm_|VITEST|NODE_ENV$|NODE_OPTIONS$|NODE_PATH$)/i.test(name))
  return { ...Object.fromEntries(kept), NO_COLOR: '1' }
}
