import { lstat, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fileStore } from '../../src/index.ts'
import { acme, acmeFile, globex, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const revocation = `${'0'.repeat(32)}.json`
const text = (content: string): string => JSON.stringify(snapshotOf(content))

/** Lays out a directory as Kubernetes does for a ConfigMap or Secret: `name` → `..data/name`, `..data` → a version. */
async function mountVolume(directory: string): Promise<{ publish(version: string): Promise<void> }> {
  async function publish(version: string): Promise<void> {
    const versioned = join(directory, `..${version}`)
    await mkdir(join(versioned, 'revoked'), { recursive: true })
    await writeFile(join(versioned, acmeFile), text(version))
    await writeFile(join(versioned, 'revoked', revocation), text(`revoked ${version}`))
    await symlink(`..${version}`, join(directory, '..data_tmp'))
    await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  await publish('1')
  await symlink(join('..data', acmeFile), join(directory, acmeFile))
  await symlink(join('..data', 'revoked'), join(directory, 'revoked'))
  return { publish }
}

describe('a ConfigMap or Secret volume', () => {
  it('is read through its links, also through a link to the directory itself', async () => {
    const directory = temporaryDirectory()
    await mountVolume(directory)
    const link = join(temporaryDirectory(), 'keys')
    await symlink(directory, link)
    for (const path of [directory, link]) {
      const store = fileStore({ directory: path })
      expect(await store.load(acme)).toEqual(snapshotOf('1'))
      expect(await store.load(globex)).toBeUndefined()
      expect(await partsOf(store).revocations.load()).toEqual([snapshotOf('revoked 1')])
    }
  })

  it('shows the next version, with another revision of revocations', async () => {
    const directory = temporaryDirectory()
    const { publish } = await mountVolume(directory)
    const store = fileStore({ directory })
    const { revocations } = partsOf(store)
    const revision = await revocations.revision()
    expect(await revocations.revision()).toBe(revision)
    await publish('2')
    expect(await store.load(acme)).toEqual(snapshotOf('2'))
    expect(await revocations.load()).toEqual([snapshotOf('revoked 2')])
    expect(await revocations.revision()).not.toBe(revision)
  })

  it('is read when each revocation is a link', async () => {
    const directory = temporaryDirectory()
    await mkdir(join(directory, '..data'))
    await mkdir(join(directory, 'revoked'))
    await writeFile(join(directory, '..data', 'x'), text('revoked'))
    await symlink(join('..', '..data', 'x'), join(directory, 'revoked', revocation))
    expect(await partsOf(fileStore({ directory })).revocations.load()).toEqual([snapshotOf('revoked')])
  })
})

describe('a link out of the directory', () => {
  const refused = 'a symbolic link that leads out of the directory'

  it.each<[string, (outside: string, directory: string) => Promise<void>]>([
    ['to a file', (outside, directory) => symlink(join(outside, acmeFile), join(directory, acmeFile))],
    [
      'to a file, by way of a link to a directory',
      async (outside, directory) => {
        await symlink(outside, join(directory, '..data'))
        await symlink(join('..data', acmeFile), join(directory, acmeFile))
      },
    ],
    [
      'to a directory whose name begins like that of the store',
      async (_, directory) => {
        await mkdir(`${directory}-other`)
        await writeFile(join(`${directory}-other`, acmeFile), text('outside'))
        await symlink(join(`${directory}-other`, acmeFile), join(directory, acmeFile))
      },
    ],
  ])('is refused: %s', async (_, make) => {
    const [outside, parent] = [temporaryDirectory(), temporaryDirectory()]
    const directory = join(parent, 'store')
    await mkdir(directory)
    await writeFile(join(outside, acmeFile), text('outside'))
    await make(outside, directory)
    const store = fileStore({ directory })
    expect(await store.load(acme)).toBe(refused)
    await partsOf(store).setAside(acme)
    expect((await readdir(directory)).filter((name) => name.endsWith('.refused'))).toEqual([])
  })

  it('is one refused record among the revocations', async () => {
    const [outside, directory] = [temporaryDirectory(), temporaryDirectory()]
    const { revocations } = partsOf(fileStore({ directory }))
    await revocations.save('1'.repeat(32), snapshotOf('one'))
    await writeFile(join(outside, 'x'), text('outside'))
    await symlink(join(outside, 'x'), join(directory, 'revoked', revocation))
    expect(await revocations.load()).toEqual(expect.arrayContaining([refused, snapshotOf('one')]))
  })

  it('rejects where it is the directory of revocations, and nothing is written there', async () => {
    const [outside, directory] = [temporaryDirectory(), temporaryDirectory()]
    await symlink(outside, join(directory, 'revoked'))
    const { revocations } = partsOf(fileStore({ directory }))
    await expect(revocations.load()).rejects.toThrow('leads out of')
    await expect(revocations.revision()).rejects.toThrow('leads out of')
    await expect(revocations.save('0'.repeat(32), snapshotOf('x'))).rejects.toThrow('leads out of')
    expect(await readdir(outside)).toEqual([])
    await rm(join(directory, 'revoked'))
    await revocations.save('0'.repeat(32), snapshotOf('x'))
    expect((await lstat(join(directory, 'revoked'))).isDirectory()).toBe(true)
  })
})
