import { chmod, readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fileStore } from '../../src/index.ts'
import { canMount, mountSmallDisk } from './small-disk.ts'
import { acme, acmeFile, asOrdinaryUser, globex, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const big = snapshotOf('x'.repeat(20_000))

describe.skipIf(!canMount)('a disk that is full', () => {
  it('rejects saves, keeps the old files and leaves no temporary files', async () => {
    const { directory } = mountSmallDisk()
    const store = fileStore({ directory })
    const { revocations, setAside } = partsOf(store)
    await store.save(acme, big)
    await revocations.save('0'.repeat(32), snapshotOf('revoked'))
    await writeFile(join(directory, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined)
    const names = await readdir(directory, { recursive: true })

    for (const text of ['x', 'y'.repeat(30_000)]) {
      await expect(store.save(acme, snapshotOf(text))).rejects.toMatchObject({ code: 'ENOSPC' })
      await expect(store.save(globex, snapshotOf(text))).rejects.toMatchObject({ code: 'ENOSPC' })
      await expect(revocations.save('0'.repeat(32), snapshotOf(text.slice(0, 6_000)))).rejects.toMatchObject({
        code: 'ENOSPC',
      })
    }
    await expect(setAside(acme)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await readdir(directory, { recursive: true })).toEqual(names)
    expect(await store.load(acme)).toEqual(big)
    expect(await store.load(globex)).toBeUndefined()
    expect(await revocations.load()).toEqual([snapshotOf('revoked')])

    await unlink(join(directory, 'filler'))
    await store.save(acme, snapshotOf('there is room again'))
    expect(await store.load(acme)).toEqual(snapshotOf('there is room again'))
  })

  it('keeps no file that fits only in part', async () => {
    const { directory } = mountSmallDisk()
    const store = fileStore({ directory })
    await store.save(acme, big)
    // Half of what is needed is free.
    await writeFile(join(directory, 'filler'), Buffer.alloc(28 * 1024))
    await expect(store.save(acme, snapshotOf('y'.repeat(20_000)))).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await store.load(acme)).toEqual(big)
    expect((await readdir(directory)).toSorted()).toEqual(['filler', acmeFile])
  })

  it('can be deleted from', async () => {
    const { directory } = mountSmallDisk()
    const store = fileStore({ directory })
    await store.save(acme, big)
    await writeFile(join(directory, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined)
    await store.delete(acme)
    expect(await store.load(acme)).toBeUndefined()
  })
})

describe.skipIf(!canMount)('a disk that is read-only', () => {
  it('rejects every change, is still read, and is written again once it can be', async () => {
    const { directory, remount } = mountSmallDisk()
    const store = fileStore({ directory })
    const { revocations, setAside } = partsOf(store)
    await store.save(acme, snapshotOf('kept'))
    await revocations.save('0'.repeat(32), snapshotOf('revoked'))

    remount('ro')
    await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code: 'EROFS' })
    await expect(store.delete(acme)).rejects.toMatchObject({ code: 'EROFS' })
    await expect(setAside(acme)).rejects.toMatchObject({ code: 'EROFS' })
    await expect(revocations.save('1'.repeat(32), snapshotOf('next'))).rejects.toMatchObject({ code: 'EROFS' })
    expect(await store.load(acme)).toEqual(snapshotOf('kept'))
    expect(await revocations.load()).toEqual([snapshotOf('revoked')])

    remount('rw')
    await store.save(acme, snapshotOf('next'))
    expect(await store.load(acme)).toEqual(snapshotOf('next'))
  })
})

describe('a directory that this user may not write to', () => {
  it('rejects every change, is still read, and is left without temporary files', async () => {
    const directory = temporaryDirectory()
    const store = fileStore({ directory })
    await store.save(acme, snapshotOf('kept'))
    await chmod(join(directory, acmeFile), 0o444)
    await chmod(directory, 0o555)
    await asOrdinaryUser(async () => {
      await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code: 'EACCES' })
      await expect(store.delete(acme)).rejects.toMatchObject({ code: 'EACCES' })
      await expect(partsOf(store).setAside(acme)).rejects.toMatchObject({ code: 'EACCES' })
      expect(await store.load(acme)).toEqual(snapshotOf('kept'))
    })
    expect(await readdir(directory)).toEqual([acmeFile])
    await chmod(directory, 0o755)
    await store.save(acme, snapshotOf('next'))
    expect(await store.load(acme)).toEqual(snapshotOf('next'))
  })

  it('rejects a save where the directory cannot be made', async () => {
    const parent = temporaryDirectory()
    await chmod(parent, 0o555)
    const store = fileStore({ directory: join(parent, 'store') })
    await asOrdinaryUser(async () => {
      await expect(store.save(acme, snapshotOf('x'))).rejects.toMatchObject({ code: 'EACCES' })
      expect(await store.load(acme)).toBeUndefined()
    })
  })
})
