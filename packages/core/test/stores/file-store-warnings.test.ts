import { chmod, chown, lchown, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fileStore } from '../../src/index.ts'
import { acme, acmeFile, asOrdinaryUser, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const isRoot = process.geteuid?.() === 0
const stranger = 65_534
const consequence = 'can make this process trust any key, unless integrityKey is set.'
const revocation = `${'0'.repeat(32)}.json`

/** A store with a snapshot and a revocation, and what it warns of. */
async function storeWithFiles() {
  const parent = temporaryDirectory()
  const directory = join(parent, 'store')
  const store = fileStore({ directory })
  const { revocations, warnings } = partsOf(store)
  await store.save(acme, snapshotOf('kept'))
  await revocations.save('0'.repeat(32), snapshotOf('revoked'))
  return { parent, directory, revoked: join(directory, 'revoked'), warnings: () => warnings.call(store) }
}

const writable = (path: string): string =>
  `The directory ${path} is writable by other users: whoever can write there ${consequence}`
const foreign = (path: string): string => `The directory ${path} belongs to another user, who ${consequence}`
const files = (directory: string, which: string): string =>
  `In ${directory}, ${which} can be written by other users: whoever can write there ${consequence}`

describe('a store warns of', () => {
  it('nothing where only its user can write', async () => {
    const { warnings } = await storeWithFiles()
    expect(await warnings()).toEqual([])
  })

  it.each([0o777, 0o1777, 0o770, 0o720, 0o702])('its directory, when it has mode %o', async (mode) => {
    const { directory, warnings } = await storeWithFiles()
    await chmod(directory, mode)
    expect(await warnings()).toEqual([writable(directory)])
  })

  it('nothing, where others may read', async () => {
    const { directory, warnings } = await storeWithFiles()
    await chmod(directory, 0o755)
    await chmod(join(directory, acmeFile), 0o644)
    expect(await warnings()).toEqual([])
  })

  it('the directory of revocations', async () => {
    const { revoked, warnings } = await storeWithFiles()
    await chmod(revoked, 0o770)
    expect(await warnings()).toEqual([writable(revoked)])
  })

  it('a directory above it that other users could use to replace it', async () => {
    const { parent, warnings } = await storeWithFiles()
    await chmod(parent, 0o775)
    expect(await warnings()).toEqual([writable(parent)])
  })

  it('no directory above it that has the sticky bit', async () => {
    const { parent, warnings } = await storeWithFiles()
    await chmod(parent, 0o1777)
    expect(await warnings()).toEqual([])
  })

  it('the directory in which it will be made, even with the sticky bit, because others could make it first', async () => {
    const parent = temporaryDirectory()
    await chmod(parent, 0o1777)
    const { warnings } = partsOf(fileStore({ directory: join(parent, 'a', 'b') }))
    expect(await warnings()).toEqual([writable(parent)])
  })

  it('the directories above a link to it and above the target of the link', async () => {
    const { directory } = await storeWithFiles()
    const [links, target] = [temporaryDirectory(), join(directory, '..')]
    await symlink(target, join(links, 'link'))
    const { warnings } = partsOf(fileStore({ directory: join(links, 'link', 'store') }))
    expect(await warnings()).toEqual([])
    await chmod(links, 0o777)
    await chmod(target, 0o777)
    expect((await warnings()).toSorted()).toEqual([writable(links), writable(target)].toSorted())
  })

  it('files that others may write, by name and number', async () => {
    const { directory, revoked, warnings } = await storeWithFiles()
    await chmod(join(directory, acmeFile), 0o620)
    await chmod(join(revoked, revocation), 0o602)
    expect(await warnings()).toEqual([files(directory, acmeFile), files(revoked, revocation)])
    for (const digit of ['b', 'c']) {
      const name = `jwks-x-y-${digit.repeat(32)}.json`
      await writeFile(join(directory, name), '')
      await chmod(join(directory, name), 0o666)
    }
    expect((await warnings())[0]).toBe(files(directory, `${acmeFile} and 2 more`))
  })

  it('no files that it does not read', async () => {
    const { directory, revoked, warnings } = await storeWithFiles()
    for (const path of [join(directory, 'notes.txt'), join(directory, 'x.refused'), join(revoked, 'x.json')]) {
      await writeFile(path, '')
      await chmod(path, 0o666)
    }
    expect(await warnings()).toEqual([])
  })

  it.runIf(isRoot)('directories and files of another user', async () => {
    const { parent, directory, revoked, warnings } = await storeWithFiles()
    for (const path of [parent, directory, revoked, join(directory, acmeFile), join(revoked, revocation)]) {
      await chown(path, stranger, stranger)
    }
    expect((await warnings()).toSorted()).toEqual(
      [
        foreign(directory),
        foreign(revoked),
        foreign(parent),
        files(directory, acmeFile),
        files(revoked, revocation),
      ].toSorted(),
    )
  })

  it.runIf(isRoot)('a link of another user', async () => {
    const { directory } = await storeWithFiles()
    const link = join(temporaryDirectory(), 'link')
    await symlink(directory, link)
    await lchown(link, stranger, stranger)
    expect(await partsOf(fileStore({ directory: link })).warnings()).toEqual([foreign(link)])
  })

  it.runIf(isRoot)('nothing of root, who can write everywhere', async () => {
    const { directory, revoked, warnings } = await storeWithFiles()
    for (const path of [directory, revoked]) await chmod(path, 0o755)
    expect(await asOrdinaryUser(warnings)).toEqual([])
  })

  it.runIf(isRoot)('nothing of its own user', async () => {
    const { directory, revoked, warnings } = await storeWithFiles()
    for (const path of [directory, revoked, join(directory, acmeFile)]) await chown(path, stranger, stranger)
    expect(await asOrdinaryUser(warnings)).toEqual([])
  })

  it('nothing where it cannot find out, and rejects', async () => {
    const { directory, warnings } = await storeWithFiles()
    await chmod(directory, 0)
    await expect(asOrdinaryUser(warnings)).rejects.toMatchObject({ code: 'EACCES' })
    await chmod(directory, 0o700)
    await mkdir(join(directory, 'unrelated'))
    expect(await warnings()).toEqual([])
  })
})
