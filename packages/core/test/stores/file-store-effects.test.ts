import type { FileHandle } from 'node:fs/promises'
import { readdir, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { fileStore } from '../../src/index.ts'
import { acme, acmeFile, globex, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

/** What was asked of the system, in order, and what it is to fail with. A disk cannot be made to lose power. */
const system = vi.hoisted(() => ({
  log: [] as string[],
  failures: new Map<string, string>(),
  /** Directories are listed backwards. */
  isReversed: false,
  /** All files are of the same instant, as on a disk with a coarse clock. */
  hasStoppedClock: false,
}))

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>()
  const nameOf = (path: unknown): string => (String(path).endsWith('.tmp') ? 'temporary' : basename(String(path)))
  const does = (what: string): void => {
    system.log.push(what)
    const code = system.failures.get(what)
    if (code !== undefined) throw Object.assign(new Error(code), { code })
  }
  const modeName = (flags: string | number): string => {
    if (typeof flags === 'string') return flags
    return (flags & real.constants.O_SYNC) === real.constants.O_SYNC ? 'to write through' : 'to read'
  }
  return {
    ...real,
    open: async (path: string, flags: string | number = 'r', mode?: number): Promise<FileHandle> => {
      const name = nameOf(path)
      does(`open ${name} ${modeName(flags)}${mode === undefined ? '' : ` ${mode.toString(8)}`}`)
      const handle = await real.open(path, flags, mode)
      for (const method of ['sync', 'close', 'stat', 'read'] as const) {
        const original = handle[method].bind(handle) as (...values: unknown[]) => Promise<unknown>
        Object.assign(handle, {
          [method]: async (...values: unknown[]) => {
            // Closed even where that is to fail, or the test would leave it open.
            const done = method === 'close' ? await original() : undefined
            does(`${method} ${name}`)
            return method === 'close' ? done : original(...values)
          },
        })
      }
      return handle
    },
    readdir: async (path: string) => {
      const names = await real.readdir(path)
      return system.isReversed ? names.toReversed() : names
    },
    stat: async (path: string, options: { bigint: true }) => {
      const stats = await real.stat(path, options)
      return system.hasStoppedClock ? Object.assign(stats, { mtimeNs: 0n, ctimeNs: 0n }) : stats
    },
    rename: async (from: string, to: string) => {
      does(`rename ${nameOf(from)} to ${nameOf(to)}`)
      await real.rename(from, to)
    },
    unlink: async (path: string) => {
      does(`unlink ${nameOf(path)}`)
      await real.unlink(path)
    },
  }
})

async function storeWithSnapshot() {
  const directory = temporaryDirectory()
  const store = fileStore({ directory })
  await store.save(acme, snapshotOf('kept'))
  system.log.length = 0
  return { directory, store, folder: basename(directory) }
}

beforeEach(() => {
  system.log.length = 0
  system.failures.clear()
  system.isReversed = false
  system.hasStoppedClock = false
})

describe('a save', () => {
  it('syncs the new file before the rename, and the directory after it', async () => {
    const { store, folder } = await storeWithSnapshot()
    await store.save(acme, snapshotOf('next'))
    expect(system.log).toEqual([
      'open temporary wx 600',
      'sync temporary',
      'close temporary',
      `rename temporary to ${acmeFile}`,
      `open ${folder} r`,
      `sync ${folder}`,
      `close ${folder}`,
    ])
  })

  it('syncs the parents of directories that it makes', async () => {
    const parent = temporaryDirectory()
    await fileStore({ directory: join(parent, 'a', 'b') }).save(acme, snapshotOf('kept'))
    expect(system.log.filter((what) => what.startsWith('sync'))).toEqual([
      `sync ${basename(parent)}`,
      'sync a',
      'sync temporary',
      'sync b',
    ])
  })

  it.each([
    ['sync temporary', 'EIO'],
    ['close temporary', 'EDQUOT'],
    [`rename temporary to ${acmeFile}`, 'EIO'],
  ])('that fails at "%s" rejects with that, keeps the old file and leaves nothing', async (what, code) => {
    const { directory, store } = await storeWithSnapshot()
    system.failures.set(what, code)
    await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code })
    expect(await store.load(acme)).toEqual(snapshotOf('kept'))
    expect(await readdir(directory)).toEqual([acmeFile])
  })

  it('that fails does not prevent the next one', async () => {
    const { store } = await storeWithSnapshot()
    system.failures.set('sync temporary', 'EIO')
    const failed = store.save(acme, snapshotOf('failed')).catch(() => system.failures.clear())
    await store.save(acme, snapshotOf('next'))
    await failed
    expect(await store.load(acme)).toEqual(snapshotOf('next'))
  })

  it('rejects with the first error when the temporary file cannot be removed either', async () => {
    const { store } = await storeWithSnapshot()
    system.failures.set('sync temporary', 'EIO')
    system.failures.set('unlink temporary', 'EROFS')
    await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code: 'EIO' })
  })

  it('rejects when the directory cannot be synced, because the file may not survive a power failure', async () => {
    const { store, folder } = await storeWithSnapshot()
    system.failures.set(`sync ${folder}`, 'EIO')
    await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code: 'EIO' })
  })

  it.each(['EPERM', 'EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'ENOSYS'])(
    'ignores that a system cannot sync directories (%s)',
    async (code) => {
      const { store, folder } = await storeWithSnapshot()
      system.failures.set(`open ${folder} r`, code)
      await store.save(acme, snapshotOf('next'))
      system.failures.clear()
      system.failures.set(`sync ${folder}`, code)
      await store.save(acme, snapshotOf('last'))
      expect(await store.load(acme)).toEqual(snapshotOf('last'))
    },
  )

  it('does not touch a temporary file of the same name that another process made', async () => {
    const { store } = await storeWithSnapshot()
    system.failures.set('open temporary wx 600', 'EEXIST')
    await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code: 'EEXIST' })
    expect(system.log).toEqual(['open temporary wx 600'])
  })
})

describe('a delete', () => {
  it('syncs the directory', async () => {
    const { store, folder } = await storeWithSnapshot()
    await store.delete(acme)
    expect(system.log).toEqual([`unlink ${acmeFile}`, `open ${folder} r`, `sync ${folder}`, `close ${folder}`])
  })

  it('rejects with the system’s error', async () => {
    const { store } = await storeWithSnapshot()
    system.failures.set(`unlink ${acmeFile}`, 'EBUSY')
    await expect(store.delete(acme)).rejects.toMatchObject({ code: 'EBUSY' })
  })
})

describe('a file that the disk cannot read', () => {
  it.each([`open ${acmeFile} to read`, `stat ${acmeFile}`, `read ${acmeFile}`])(
    'rejects with the system’s error, and leaves nothing open: %s',
    async (what) => {
      const { store } = await storeWithSnapshot()
      system.failures.set(what, 'EIO')
      await expect(store.load(acme)).rejects.toMatchObject({ code: 'EIO' })
      const count = (kind: string): number => system.log.filter((entry) => entry.startsWith(kind)).length
      expect(count('close')).toBe(what.startsWith('open') ? 0 : count('open'))
    },
  )

  it.each(['EIO', 'EMFILE', 'ESTALE'])(
    'does not hide the other revocations, and is read again by the next poll: %s',
    async (code) => {
      const { store } = await storeWithSnapshot()
      const { revocations } = partsOf(store)
      await revocations.save('0'.repeat(32), snapshotOf('revoked'))
      await revocations.save('1'.repeat(32), snapshotOf('other'))
      const revision = await revocations.revision()
      system.failures.set(`open ${'0'.repeat(32)}.json to read`, code)
      expect(await revocations.load()).toEqual(expect.arrayContaining(['not readable', snapshotOf('other')]))
      // The next poll has to load again, since nothing else will change once the file can be read.
      const [one, other] = [await revocations.revision(), await revocations.revision()]
      expect(new Set([revision, one, other]).size).toBe(3)
      system.failures.clear()
      expect(await revocations.load()).toEqual(expect.arrayContaining([snapshotOf('revoked'), snapshotOf('other')]))
      expect(await revocations.revision()).toBe(revision)
    },
  )

  it('is skipped when it is removed between listing and reading', async () => {
    const { store } = await storeWithSnapshot()
    const { revocations } = partsOf(store)
    await revocations.save('0'.repeat(32), snapshotOf('revoked'))
    system.failures.set(`open ${'0'.repeat(32)}.json to read`, 'ENOENT')
    expect(await revocations.load()).toEqual([])
  })
})

describe('the revision of revocations', () => {
  it('differs after each save, even if the clock of the disk stands still', async () => {
    const { revocations } = partsOf((await storeWithSnapshot()).store)
    system.hasStoppedClock = true
    await revocations.save('0'.repeat(32), snapshotOf('one'))
    const revision = await revocations.revision()
    await revocations.save('0'.repeat(32), snapshotOf('two'))
    expect(await revocations.revision()).not.toBe(revision)
  })

  it('does not depend on the order in which the disk lists files', async () => {
    const { revocations } = partsOf((await storeWithSnapshot()).store)
    for (const digit of ['0', '1', '2']) await revocations.save(digit.repeat(32), snapshotOf(digit))
    const revision = await revocations.revision()
    system.isReversed = true
    expect(await revocations.revision()).toBe(revision)
  })
})

describe('a rename or unlink that fails for a moment', () => {
  const unlinkFile = `unlink ${acmeFile}`
  const renameFile = `rename temporary to ${acmeFile}`

  function onPlatform(platform: string): void {
    const real = Object.getOwnPropertyDescriptor(process, 'platform')
    Object.defineProperty(process, 'platform', { ...real, value: platform })
    onTestFinished(() => void Object.defineProperty(process, 'platform', { ...real }))
  }

  it.each([
    ['win32', 'EPERM'],
    ['win32', 'EACCES'],
    ['win32', 'EBUSY'],
    ['linux', 'EBUSY'],
  ])('is repeated on %s after %s', async (platform, code) => {
    const { directory, store } = await storeWithSnapshot()
    onPlatform(platform)
    system.failures.set(renameFile, code)
    const saved = store.save(acme, snapshotOf('next'))
    await vi.waitFor(() => expect(system.log.filter((what) => what === renameFile).length).toBeGreaterThan(1))
    system.failures.clear()
    await saved
    expect(await store.load(acme)).toEqual(snapshotOf('next'))

    system.log.length = 0
    system.failures.set(unlinkFile, code)
    const deleted = store.delete(acme)
    await vi.waitFor(() => expect(system.log.filter((what) => what === unlinkFile).length).toBeGreaterThan(1))
    system.failures.clear()
    await deleted
    expect(await readdir(directory)).toEqual([])
  })

  it.each(['EPERM', 'EACCES'])('is not repeated on Linux after %s, which is permanent there', async (code) => {
    const { store } = await storeWithSnapshot()
    onPlatform('linux')
    system.failures.set(renameFile, code)
    await expect(store.save(acme, snapshotOf('next'))).rejects.toMatchObject({ code })
    expect(system.log.filter((what) => what === renameFile)).toHaveLength(1)
  })

  it('delays no other file, and rejects after a bounded number of attempts', async () => {
    const { store } = await storeWithSnapshot()
    const { revocations } = partsOf(store)
    system.failures.set(renameFile, 'EBUSY')
    const failed = store.save(acme, snapshotOf('next')).catch((error: unknown) => error)
    await vi.waitFor(() => expect(system.log).toContain(renameFile))
    await store.save(globex, snapshotOf('other'))
    await revocations.save('0'.repeat(32), snapshotOf('revoked'))
    expect(system.log.filter((what) => what === renameFile).length).toBeLessThan(9)
    expect(await failed).toMatchObject({ code: 'EBUSY' })
    expect(system.log.filter((what) => what === renameFile)).toHaveLength(9)
    expect(await store.load(acme)).toEqual(snapshotOf('kept'))
  })
})

describe("a save under Node's permission model", () => {
  it('writes the file once more, synced by the system, where syncing is forbidden', async () => {
    const { directory, store, folder } = await storeWithSnapshot()
    system.failures.set('sync temporary', 'ERR_ACCESS_DENIED')
    system.failures.set(`sync ${folder}`, 'ERR_ACCESS_DENIED')
    await store.save(acme, snapshotOf('next'))
    expect(system.log.slice(0, 5)).toEqual([
      'open temporary wx 600',
      'sync temporary',
      'close temporary',
      'open temporary to write through',
      'close temporary',
    ])
    expect(await store.load(acme)).toEqual(snapshotOf('next'))
    expect(await readdir(directory)).toEqual([acmeFile])
    expect(await partsOf(store).warnings()).toEqual([
      "Node's permission model forbids fsync: the name of a new file may be lost if the machine fails right after a save.",
    ])
  })
})

describe('the search for files to remove', () => {
  it('runs once every ten minutes', async () => {
    const { directory, store } = await storeWithSnapshot()
    const now = vi.spyOn(Date, 'now')
    try {
      const { writeFile, utimes } = await import('node:fs/promises')
      const abandoned = join(directory, `.jwks-${'0'.repeat(32)}.tmp`)
      const start = Date.now()
      const isThereAfterSave = async (time: number): Promise<boolean> => {
        now.mockReturnValue(time)
        await store.save(acme, snapshotOf(`${time}`))
        return (await readdir(directory)).length === 2
      }
      await writeFile(abandoned, 'half')
      await utimes(abandoned, 0, 0)
      expect(await isThereAfterSave(start + 540_000)).toBe(true)
      expect(await isThereAfterSave(start + 660_000)).toBe(false)
      await writeFile(abandoned, 'half')
      await utimes(abandoned, 0, 0)
      expect(await isThereAfterSave(start + 1_200_000)).toBe(true)
      // A clock that was set back must not put it off for as long.
      expect(await isThereAfterSave(start)).toBe(false)
      await unlink(abandoned).catch(() => undefined)
    } finally {
      now.mockRestore()
    }
  })
})
