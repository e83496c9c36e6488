import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A package of the workspace, packed. */
export interface Tarball {
  readonly name: string
  readonly file: string
}

interface Manifest {
  readonly name: string
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const repository = fileURLToPath(new URL('../../', import.meta.url))
const folders = (await readdir(join(repository, 'packages'), { withFileTypes: true }))
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

/** Compiles a copy of the sources, so that no stale output is packed, and packs every package. */
export async function packPackages(folder: string): Promise<Tarball[]> {
  const copy = join(folder, 'workspace')
  await mkdir(copy)
  const files = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', 'tsconfig.base.json', 'LICENSE']
  await Promise.all(files.map((file) => cp(join(repository, file), join(copy, file))))
  await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'))
  await cp(join(repository, 'packages'), join(copy, 'packages'), {
    recursive: true,
    verbatimSymlinks: true, // links between the packages then point into the copy
    filter: (source) => basename(source) !== 'dist',
  })
  await run(copy, tool('tsc'), '-b', ...folders.map((name) => `packages/${name}`))
  return Promise.all(folders.map((name) => pack(join(copy, 'packages', name), folder)))
}

async function pack(source: string, destination: string): Promise<Tarball> {
  const output = await run(source, tool('pnpm'), 'pack', '--json', '--pack-destination', destination)
  const { name, filename } = JSON.parse(output) as { name: string; filename: string }
  return { name, file: join(destination, basename(filename)) }
}

/**
 * Makes a project that has the tarballs installed, and the frameworks that they are tried with. Nothing is
 * hoisted, so a package finds only the dependencies that it declares.
 */
export async function installTarballs(folder: string, tarballs: readonly Tarball[]): Promise<string> {
  const consumer = join(folder, 'consumer')
  await mkdir(consumer)
  const overrides = Object.fromEntries(tarballs.map(({ name, file }) => [name, `file:${file}`]))
  const schemas = { zod: await versionOf('test', 'zod'), valibot: await versionOf('test', 'valibot') }
  const types: Record<string, string> = {}
  for (const name of ['@types/node', '@types/express', '@types/koa']) types[name] = await versionOf('.', name)
  const dependencies = { ...overrides, ...(await peers()), ...types, ...schemas }
  await writeFile(join(consumer, 'package.json'), JSON.stringify({ private: true, dependencies }))
  // JSON is YAML too.
  await writeFile(join(consumer, 'pnpm-workspace.yaml'), JSON.stringify({ overrides, hoist: false }))
  await run(consumer, tool('pnpm'), 'install', '--prefer-offline', '--ignore-scripts', '--no-frozen-lockfile')
  return consumer
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

async function versionOf(workspace: string, name: string): Promise<string> {
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
