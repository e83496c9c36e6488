/**
 * Rehearses a release before the tests of this folder: copies the tree, gives it the versions of the next release,
 * compiles it, and publishes it by the script of the release to a registry on loopback.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import {
  folders,
  type Manifest,
  packageNames,
  type Release,
  type ReleasedPackage,
  repository,
  run,
  temporaryFolder,
  tool,
} from './projects.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    release: Release
  }
}

interface Packument {
  readonly 'dist-tags': Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, Manifest & { readonly dist: { readonly tarball: string } }>>
}

export default async function rehearse({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await temporaryFolder()
  const registry = await startRegistry(folder)
  const end = async (): Promise<void> => {
    registry.process.kill()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const workspace = await copyWorkspace(folder)
    await run(workspace, tool('changeset'), 'version')
    await run(workspace, tool('tsc'), '-b', ...folders.map((name) => `packages/${name}`))
    await publish(workspace, registry.url)
    const tag = await tagOf(workspace)
    const packages = await Promise.all(packageNames.map((name) => download(registry.url, name, tag, folder)))
    provide('release', { registry: registry.url, tag, workspace, packages })
    return end
  } catch (error) {
    await end()
    throw error
  }
}

async function startRegistry(folder: string): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const upstream = (await run(folder, 'npm', 'config', 'get', 'registry')).trim()
  const script = fileURLToPath(new URL('registry.mjs', import.meta.url))
  const process = fork(script, [folder, upstream], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const failed = once(process, 'exit').then(() => {
    throw new Error('the registry did not start')
  })
  const [port] = await Promise.race([once(process, 'message'), failed])
  failed.catch(() => undefined)
  return { process, url: `http://127.0.0.1:${port}/` }
}

/** What a release needs of the tree: no compiled code, so that nothing stale is published, and no history. */
async function copyWorkspace(folder: string): Promise<string> {
  const copy = join(folder, 'workspace')
  await mkdir(copy)
  const files = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', 'tsconfig.base.json', 'LICENSE']
  const privates = (await readdir(join(repository, 'examples'), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `examples/${name}/package.json`)
  const whole = ['.changeset', 'scripts', 'packages', 'test/package.json', 'test-support/package.json', ...privates]
  await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'))
  for (const path of [...files, ...whole]) {
    await cp(join(repository, path), join(copy, path), {
      recursive: true,
      verbatimSymlinks: true, // links between the packages then point into the copy
      filter: (source) => basename(source) !== 'dist',
    })
  }
  return copy
}

async function publish(workspace: string, url: string): Promise<void> {
  // npm refuses to publish without a token; this registry takes any.
  await writeFile(join(workspace, '.npmrc'), `registry=${url}\n${url.replace('http:', '')}:_authToken=none\n`)
  await run(workspace, process.execPath, 'scripts/publish.mjs')
}

async function tagOf(workspace: string): Promise<string> {
  const pre = await readFile(join(workspace, '.changeset/pre.json'), 'utf8').catch(() => '{}')
  const { mode, tag = '' } = JSON.parse(pre) as { mode?: string; tag?: string }
  return mode === 'pre' ? tag : 'latest'
}

async function download(registry: string, name: string, tag: string, folder: string): Promise<ReleasedPackage> {
  const response = await fetch(registry + name.replace('/', '%2f'))
  if (!response.ok) throw new Error(`${name} was not published: ${response.status}`)
  const { 'dist-tags': tags, versions } = (await response.json()) as Packument
  const manifest = versions[tags[tag] ?? '']
  if (!manifest) throw new Error(`${name} has nothing under the tag ${tag}`)
  const file = join(folder, basename(manifest.dist.tarball))
  await writeFile(file, Buffer.from(await (await fetch(manifest.dist.tarball)).arrayBuffer()))
  return { name, manifest, tags, file }
}
