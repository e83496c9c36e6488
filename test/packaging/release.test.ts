import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Manifest, repository, run, temporaryFolder, tool } from './projects.ts'

const { workspace, packages, tag } = inject('release')

async function manifestsIn(root: string): Promise<readonly Manifest[]> {
  const groups = await Promise.all(
    ['packages', 'examples'].map(async (group) => (await readdir(join(root, group))).map((name) => `${group}/${name}`)),
  )
  const read = async (path: string): Promise<Manifest[]> => {
    const text = await readFile(join(root, path, 'package.json'), 'utf8').catch(() => undefined)
    return text === undefined ? [] : [JSON.parse(text) as Manifest]
  }
  return (await Promise.all(['.', 'test', ...groups.flat()].map(read))).flat()
}

describe('a release', () => {
  it('is the first release candidate of 1.0.0, of every package', async () => {
    const before = (await manifestsIn(repository)).filter((manifest) => manifest.private !== true)
    // In the commit of the release, and after it, the tree itself has such a version.
    const isFirst = before.every(({ version }) => version === '0.0.0')
    for (const { name, manifest, tags } of packages) {
      expect(manifest.version, name).toMatch(isFirst ? /^1\.0\.0-rc\.0$/ : /^1\.\d+\.\d+(?:-rc\.\d+)?$/)
      expect(tags[tag], name).toBe(manifest.version)
    }
    expect(packages.map(({ name }) => name).toSorted()).toEqual(before.map(({ name }) => name).toSorted())
  })

  it('leaves private packages as they are', async () => {
    const privates = (await manifestsIn(workspace)).filter((manifest) => manifest.private === true)
    expect(privates.length).toBeGreaterThan(9)
    for (const { name, version } of privates) expect(version, name).toBe('0.0.0')
  })

  it('has packages that depend on one another by caret ranges of their new versions', () => {
    const versions = new Map(packages.map(({ name, manifest }) => [name, manifest.version]))
    const ranges = packages.flatMap(({ manifest: { dependencies, peerDependencies } }) =>
      Object.entries({ ...dependencies, ...peerDependencies }).filter(([name]) => versions.has(name)),
    )
    expect(ranges.length).toBeGreaterThanOrEqual(packages.length - 1)
    for (const [name, range] of ranges) expect(range, name).toBe(`^${versions.get(name)}`)
  })

  it('has a changelog for each package', async () => {
    for (const { name, manifest } of packages) {
      const text = await readFile(join(workspace, name.replace('@jwks-auth', 'packages'), 'CHANGELOG.md'), 'utf8')
      expect(text, name).toMatch(new RegExp(`^# ${name}\n\n## ${manifest.version.replaceAll('.', '\\.')}\n`))
    }
  })
})

describe.runIf(tag === 'rc')('after a release candidate', () => {
  let folder: string
  const versions = async (): Promise<ReadonlyMap<string, string>> =>
    new Map((await manifestsIn(folder)).map(({ name, version }) => [name, version]))

  beforeAll(async () => {
    folder = await temporaryFolder()
    // With its links, node_modules is of no use here.
    const filter = (source: string): boolean => !/[/\\](?:node_modules|src|dist)$/.test(source)
    await cp(workspace, folder, { recursive: true, filter })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('comes the next one, and then the release itself', { timeout: 120_000 }, async () => {
    const core = '@jwks-auth/core'
    const [, base = '', number = ''] = /^(.*)-rc\.(\d+)$/.exec((await versions()).get(core) ?? '') ?? []
    await writeFile(join(folder, '.changeset/repair.md'), `---\n"${core}": patch\n---\n\nA repair.\n`)
    await run(folder, tool('changeset'), 'version')
    expect((await versions()).get(core)).toBe(`${base}-rc.${Number(number) + 1}`)
    await run(folder, tool('changeset'), 'pre', 'exit')
    await run(folder, tool('changeset'), 'version')
    const released = await versions()
    for (const { name } of packages) expect(released.get(name), name).toBe(base)
  })
})
