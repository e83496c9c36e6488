import { chmod, chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canMount, mountSmallDisk } from '../../packages/core/test/stores/small-disk.ts'
import { temporaryDirectory } from '../../packages/core/test/stores/store-scene.ts'
import { type Member, startFleet } from '../fleet/fleet.ts'
import type { Deployment, Trouble } from './deployments.ts'

const nothing = async (): Promise<void> => undefined

/** Permissions do not bind root: where the tests run as root, the processes run as this user. */
const uid = process.geteuid?.() === 0 ? 65_534 : undefined

/** A directory on a disk of its own where this machine lets the tests mount one. */
export async function oneDirectory(): Promise<Deployment> {
  const disk = canMount ? mountSmallDisk('2m') : undefined
  const parent = disk?.directory ?? temporaryDirectory()
  const directory = join(parent, 'store')
  const away = join(parent, 'away')
  await mkdir(directory, { mode: 0o700 })
  if (uid !== undefined) for (const path of [parent, directory]) await chown(path, uid, uid)
  const address = { directory, uid }
  return {
    address,
    troubles: [
      ...(disk === undefined ? [] : [readOnly(disk), full(parent)]),
      {
        name: 'may not be written to',
        isReadable: true,
        begin: async () => await chmod(directory, 0o500),
        end: async () => await chmod(directory, 0o700),
      },
      {
        name: 'may not be read',
        isReadable: false,
        begin: async () => await chmod(directory, 0),
        end: async () => await chmod(directory, 0o700),
      },
      foreignFiles(directory, 'snapshot', true),
      foreignFiles(join(directory, 'revoked'), 'revocation', false),
      {
        name: 'is removed',
        isReadable: false,
        begin: async () => await rm(directory, { recursive: true, maxRetries: 10 }),
        end: nothing,
      },
      {
        name: 'is moved away and restored as it was',
        isReadable: false,
        async begin() {
          await rm(away, { recursive: true, force: true })
          await rename(directory, away)
        },
        async end() {
          // Processes have written to a new one meanwhile, which is lost.
          await rm(directory, { recursive: true, force: true, maxRetries: 10 })
          await rename(away, directory)
        },
      },
      otherApplication(address),
    ],
    prepare: nothing,
    stop: nothing,
  }
}

function readOnly({ remount }: ReturnType<typeof mountSmallDisk>): Trouble {
  return {
    name: 'is on a disk that is mounted read-only',
    isReadable: true,
    // A file that is open for writing at that moment keeps the disk busy.
    begin: async () => await repeated(() => remount('ro')),
    end: async () => remount('rw'),
  }
}

async function repeated(work: () => void, attempts = 50): Promise<void> {
  try {
    work()
  } catch (error) {
    if (attempts === 1) throw error
    await new Promise((resolve) => setTimeout(resolve, 20))
    await repeated(work, attempts - 1)
  }
}

function full(parent: string): Trouble {
  const filler = join(parent, 'filler')
  return {
    name: 'is on a disk without room',
    isReadable: true,
    begin: async () => await writeFile(filler, Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined),
    end: async () => await rm(filler, { force: true }),
  }
}

/** Files that only another user may read. */
function foreignFiles(folder: string, what: string, isReadable: boolean): Trouble {
  let files: readonly string[] = []
  return {
    name: `has a ${what} that only another user may read`,
    isReadable,
    async begin() {
      // There is no folder of revocations before the first one.
      const all = await readdir(folder).catch(() => [])
      const names = all.filter((name) => name.endsWith('.json'))
      files = names.slice(0, 1).map((name) => join(folder, name))
      for (const file of files) await chmod(file, 0)
    },
    async end() {
      // A save has replaced it if the directory may be written to.
      for (const file of files) await chmod(file, 0o600).catch(() => undefined)
    },
  }
}

/** Another application, with a secret of its own, uses the same directory. */
function otherApplication(address: { readonly directory: string; readonly uid: number | undefined }): Trouble {
  let other: Member | undefined
  return {
    name: 'is used by an application with another integrityKey',
    isReadable: true,
    async begin(_members, options) {
      const integrityKey = 'the key of another application'.padEnd(32, '!')
      const [member] = await startFleet(1, { ...address, integrityKey }, { ...options, prefetch: 'always' })
      other = member
      await other?.revoke('of the other application')
    },
    end: async () => await other?.kill(),
  }
}
