import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { snapshotStoreContract } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fileStore } from '../../src/index.ts'
import { acme, acmeFile, asOrdinaryUser, globex, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const refusedFile = acmeFile.replace(/json$/, 'refused')
const temporaryFile = `.jwks-${'0'.repeat(32)}.tmp`
const MINUTE = 60_000

/** A store that holds one snapshot. */
async function storeWithSnapshot(text = 'kept') {
  const directory = temporaryDirectory()
  const store = fileStore({ directory })
  await store.save(acme, snapshotOf(text))
  return { directory, store, file: join(directory, acmeFile), ...partsOf(store) }
}

async function modeOf(path: string): Promise<string> {
  return ((await lstat(path)).mode & 0o7777).toString(8)
}

async function makeOld(path: string, age: number): Promise<void> {
  const time = (Date.now() - age) / 1_000
  await utimes(path, time, time)
}

describe('the file store', () => {
  const contract = snapshotStoreContract(
    () => {
      const directory = temporaryDirectory()
      return { open: () => fileStore({ directory }) }
    },
    { parts: ['setAside', 'revocations'] },
  )
  it.each(contract)('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})

describe('options of fileStore', () => {
  it.each([
    [undefined, 'options of fileStore must be an object'],
    ['/tmp', 'options of fileStore must be an object'],
    [{}, 'directory must be a non-empty string'],
    [{ directory: '' }, 'directory must be a non-empty string'],
    [{ directory: 1 }, 'directory must be a non-empty string'],
    [{ directory: '~' }, 'directory must not begin with "~", which Node does not expand: use os.homedir()'],
    [{ directory: '~/keys' }, 'directory must not begin with "~", which Node does not expand: use os.homedir()'],
    [{ directory: '~alice/keys' }, 'directory must not begin with "~", which Node does not expand: use os.homedir()'],
    [{ directory: '/proc/keys' }, 'directory must not be in /proc, a special file system'],
    [{ directory: '/proc' }, 'directory must not be in /proc, a special file system'],
    [{ directory: '/tmp/../sys/keys' }, 'directory must not be in /sys, a special file system'],
    [{ directory: '/dev/keys' }, 'directory must not be in /dev, a special file system'],
    [{ directory: 'a\0b' }, 'directory must not contain a null character'],
    [{ directory: 'a', mode: 0o644 }, 'fileStore has no option "mode"; it takes directory'],
    [{ direktory: 'a' }, 'fileStore has no option "direktory"; did you mean "directory"?'],
  ])('are refused when they are %j', (options, message) => {
    expect(() => Reflect.apply(fileStore, undefined, [options])).toThrow(new TypeError(message))
  })

  it('are refused when a link leads to a special file system', async () => {
    const directory = temporaryDirectory()
    await symlink('/proc', join(directory, 'link'))
    expect(() => fileStore({ directory: join(directory, 'link', 'keys') })).toThrow(
      new TypeError('directory must not be in /proc, a special file system'),
    )
  })

  it.each(['/dev/shm/keys', '/process', 'a~b', './~keys', '..keys'])('may be %s', (directory) => {
    expect(() => fileStore({ directory })).not.toThrow()
  })

  it('reject where a directory cannot be made, and do not spin', async () => {
    const directory = temporaryDirectory()
    const store = fileStore({ directory: join(directory, 'link', 'a', 'b') })
    await symlink('/proc', join(directory, 'link'))
    await expect(store.save(acme, snapshotOf('x'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('do not make the directory at creation', async () => {
    const directory = join(temporaryDirectory(), 'later')
    fileStore({ directory })
    await expect(lstat(directory)).rejects.toThrow('ENOENT')
  })

  it('are relative to the working directory at creation', async () => {
    const start = process.cwd()
    const directory = temporaryDirectory()
    onTestFinished(() => process.chdir(start))
    process.chdir(directory)
    const store = fileStore({ directory: 'relative' })
    process.chdir(start)
    await store.save(acme, snapshotOf('kept'))
    expect(await readdir(join(directory, 'relative'))).toEqual([acmeFile])
  })
})

describe('a saved snapshot', () => {
  it('is one file of plain JSON', async () => {
    const { directory, file } = await storeWithSnapshot('é')
    expect(await readdir(directory)).toEqual([acmeFile])
    expect(await readFile(file, 'utf8')).toBe(JSON.stringify(snapshotOf('é')))
  })

  it('is readable by its owner only, and so are the directories that are made for it', async () => {
    const directory = join(temporaryDirectory(), 'a', 'b')
    const umask = process.umask(0)
    onTestFinished(() => void process.umask(umask))
    const store = fileStore({ directory })
    await store.save(acme, snapshotOf('kept'))
    await partsOf(store).revocations.save('0'.repeat(32), snapshotOf('revoked'))
    await partsOf(store).setAside(acme)
    for (const path of ['..', '.', 'revoked']) expect(await modeOf(join(directory, path))).toBe('700')
    for (const path of [acmeFile, refusedFile, `revoked/${'0'.repeat(32)}.json`]) {
      expect(await modeOf(join(directory, path))).toBe('600')
    }
  })

  it('is readable by its owner only, even if it replaces a file that others could read', async () => {
    const { store, file } = await storeWithSnapshot()
    await chmod(file, 0o666)
    await store.save(acme, snapshotOf('next'))
    expect(await modeOf(file)).toBe('600')
  })

  it('can be saved again after the directory was removed', async () => {
    const { directory, store } = await storeWithSnapshot()
    await rm(directory, { recursive: true })
    expect(await store.load(acme)).toBeUndefined()
    await store.delete(acme)
    await store.save(acme, snapshotOf('again'))
    expect(await store.load(acme)).toEqual(snapshotOf('again'))
  })

  it('is loaded again after the directory was moved away and restored', async () => {
    const { directory, store, revocations } = await storeWithSnapshot()
    await revocations.save('0'.repeat(32), snapshotOf('revoked'))
    const revision = await revocations.revision()
    await rename(directory, `${directory}.away`)
    expect(await store.load(acme)).toBeUndefined()
    expect(await revocations.load()).toEqual([])
    expect(await revocations.revision()).not.toBe(revision)
    await rename(`${directory}.away`, directory)
    expect(await store.load(acme)).toEqual(snapshotOf('kept'))
    expect(await revocations.load()).toEqual([snapshotOf('revoked')])
  })

  it('replaces a link and leaves its target alone', async () => {
    const { directory, store, file } = await storeWithSnapshot()
    const target = join(directory, 'target')
    await writeFile(target, 'untouched')
    await unlink(file)
    await symlink(target, file)
    await store.save(acme, snapshotOf('next'))
    expect(await readFile(target, 'utf8')).toBe('untouched')
    expect((await lstat(file)).isFile()).toBe(true)
  })

  it('is that of the last call, also where calls do not wait for each other', async () => {
    const { store } = await storeWithSnapshot()
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([
        store.save(acme, snapshotOf('long'.repeat(50_000))),
        store.save(globex, snapshotOf('other')),
        store.delete(acme),
        store.save(acme, snapshotOf(`last ${round}`)),
      ])
      expect(await store.load(acme)).toEqual(snapshotOf(`last ${round}`))
    }
  })

  it('can be replaced after a save that failed', async () => {
    const { store, file } = await storeWithSnapshot()
    await unlink(file)
    await mkdir(file)
    const failed = store.save(acme, snapshotOf('failed'))
    const deleted = rename(file, `${file}.old`)
    await Promise.allSettled([failed, deleted])
    await store.save(acme, snapshotOf('next'))
    expect(await store.load(acme)).toEqual(snapshotOf('next'))
  })

  it('is refused when it is longer than can be read again, and the old one stays', async () => {
    const { directory, store } = await storeWithSnapshot()
    await expect(store.save(acme, snapshotOf('x'.repeat(16 * 1024 * 1024)))).rejects.toThrow(RangeError)
    expect(await store.load(acme)).toEqual(snapshotOf('kept'))
    expect(await readdir(directory)).toEqual([acmeFile])
  })

  it('may be as long as can be read again', async () => {
    const { store } = await storeWithSnapshot()
    const snapshot = snapshotOf('x'.repeat(16 * 1024 * 1024 - JSON.stringify(snapshotOf('')).length))
    expect(JSON.stringify(snapshot)).toHaveLength(16 * 1024 * 1024)
    await store.save(acme, snapshot)
    expect(await store.load(acme)).toEqual(snapshot)
  })
})

describe('a damaged file', () => {
  it('is loaded as text, whichever byte has its highest bit flipped', async () => {
    const { store, file } = await storeWithSnapshot('é')
    const bytes = await readFile(file)
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0x80
      await writeFile(file, damaged)
      expect(await store.load(acme), `byte ${at}`).toBe(damaged.toString())
    }
  })

  it('is loaded as text, wherever it is cut off', async () => {
    const { store, file } = await storeWithSnapshot('é')
    for (let length = (await readFile(file)).length - 1; length >= 0; length -= 1) {
      await truncate(file, length)
      expect(await store.load(acme), `${length} bytes`).toBe((await readFile(file)).toString())
    }
  })

  const text = JSON.stringify(snapshotOf('kept'))
  it.each([
    ['a line end', `${text}\n`],
    ['a byte order mark', `\ufeff${text}`],
    ['white space', text.replace(':', ': ')],
    ['a member twice', text.replace('{', '{"version":1,')],
    ['a needless escape', text.replace('kept', '\\u006bept')],
    ['a number in another form', text.replace('1', '1.0')],
    ['another document after it', text + text],
    ['nulls after it', `${text}${'\0'.repeat(100)}`],
    ['nothing but nulls', '\0'.repeat(text.length)],
    ['a web page instead', '<!doctype html>'],
    ['lists without end', '['.repeat(1_000_000)],
    ['a hundred thousand lists in one another', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['a member more, and a long one', text.replace('{', `{"other":[${'{},'.repeat(50_000)}0],`)],
    ['a list around it, and a long one', `[${text},${'{},'.repeat(50_000)}0]`],
  ])('is loaded as text when it has %s', async (_, content) => {
    const { store, file } = await storeWithSnapshot()
    await writeFile(file, content)
    expect(await store.load(acme)).toBe(content)
  })

  it('is loaded safely when lists nest too deeply for some versions of Node', async () => {
    const { store, file } = await storeWithSnapshot()
    const content = '['.repeat(30_000) + ']'.repeat(30_000)
    await writeFile(file, content)
    const loaded = await store.load(acme)
    // As text by Node 20, which cannot read it; as what it is by Node 26. Both are refused.
    expect(typeof loaded === 'string' ? loaded : JSON.stringify(loaded)).toBe(content)
  })

  it('is loaded as text when it is not UTF-8', async () => {
    const { store, file } = await storeWithSnapshot()
    await writeFile(file, Buffer.from(text.replace('kept', '\u00ff'), 'latin1'))
    expect(await store.load(acme)).toBe(text.replace('kept', '\ufffd'))
  })

  it('is loaded as what was saved when it is long', async () => {
    const { store } = await storeWithSnapshot()
    const long = snapshotOf('["é\\"]'.repeat(50_000))
    await store.save(acme, long)
    expect(await store.load(acme)).toEqual(long)
  })

  it('is not read when it is too long', async () => {
    const { store, file } = await storeWithSnapshot()
    await truncate(file, 1024 ** 4)
    expect(await store.load(acme)).toBe('longer than 16777216 bytes')
  })

  it('is replaced by the next save', async () => {
    const { store, file } = await storeWithSnapshot()
    await writeFile(file, 'damaged')
    await store.save(acme, snapshotOf('next'))
    expect(await store.load(acme)).toEqual(snapshotOf('next'))
  })

  it('does not affect other files', async () => {
    const { store, file } = await storeWithSnapshot()
    await store.save(globex, snapshotOf('other'))
    await writeFile(file, 'damaged')
    expect(await store.load(globex)).toEqual(snapshotOf('other'))
  })
})

describe('a directory entry that is not a regular file', () => {
  it.each<[string, (file: string) => unknown]>([
    ['a directory', (file) => mkdir(file)],
    ['a link to itself', (file) => symlink(file, file)],
    ['a link to nowhere', (file) => symlink('nowhere', file)],
    ['a pipe', (file) => execFileSync('mkfifo', [file])],
    [
      'a socket',
      async (file) => {
        const server = createServer()
        onTestFinished(() => void server.close())
        await new Promise<void>((resolve) => void server.listen(file, resolve))
      },
    ],
  ])('is neither followed nor waited for: %s', async (_, make) => {
    const { store, file, setAside } = await storeWithSnapshot()
    await rename(file, `${file}.old`)
    await make(file)
    expect(await store.load(acme)).toBe('not a regular file')
    await setAside(acme)
    await expect(lstat(file.replace(/json$/, 'refused'))).rejects.toThrow('ENOENT')
  })

  it('leaves no descriptor open', async () => {
    const { store, file } = await storeWithSnapshot()
    await unlink(file)
    await mkdir(file)
    const before = (await readdir('/dev/fd')).length
    for (let round = 0; round < 50; round += 1) await store.load(acme)
    expect((await readdir('/dev/fd')).length).toBeLessThan(before + 25)
  })
})

describe('a file that may not be read', () => {
  it('rejects with the system’s error, which does not show the content', async () => {
    const { store, file } = await storeWithSnapshot('secret')
    await chmod(file, 0)
    const loaded = asOrdinaryUser(() => store.load(acme))
    await expect(loaded).rejects.toMatchObject({ code: 'EACCES', path: file })
    await expect(loaded).rejects.not.toThrow('secret')
  })

  it('rejects when the directory is a file', async () => {
    const directory = join(temporaryDirectory(), 'file')
    await writeFile(directory, '')
    const store = fileStore({ directory })
    await expect(store.load(acme)).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(store.save(acme, snapshotOf('x'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })
})

describe('a copy that is set aside', () => {
  it('has the same bytes, in a file that is never loaded', async () => {
    const { directory, store, file, setAside } = await storeWithSnapshot()
    const garbage = Buffer.from([0, 255, 13, 10, 34, 192])
    await writeFile(file, garbage)
    await setAside(acme)
    expect(await readFile(join(directory, refusedFile))).toEqual(garbage)
    expect(await readFile(file)).toEqual(garbage)
    await store.save(acme, snapshotOf('next'))
    expect(await readFile(join(directory, refusedFile))).toEqual(garbage)
    expect((await readdir(directory)).toSorted()).toEqual([acmeFile, refusedFile])
  })

  it('is of the file at the time of the call, not of the next save', async () => {
    const { directory, store, file, setAside } = await storeWithSnapshot()
    await writeFile(file, 'damaged')
    await Promise.all([setAside(acme), store.save(acme, snapshotOf('next'))])
    expect(await readFile(join(directory, refusedFile), 'utf8')).toBe('damaged')
  })

  it.each([70_000, 400 * 1024 * 1024])('is the first 64 KiB of a file of %d bytes', async (length) => {
    const { directory, file, setAside } = await storeWithSnapshot()
    await truncate(file, length)
    await setAside(acme)
    const { size, blocks } = await stat(join(directory, refusedFile))
    expect(size).toBe(64 * 1024)
    expect(blocks * 512).toBeLessThanOrEqual(128 * 1024)
    expect(await readFile(join(directory, refusedFile), 'utf8')).toContain('kept')
  })

  it('replaces the previous copy', async () => {
    const { directory, file, setAside } = await storeWithSnapshot()
    await writeFile(file, 'first and longer')
    await setAside(acme)
    await writeFile(file, 'second')
    await setAside(acme)
    expect(await readFile(join(directory, refusedFile), 'utf8')).toBe('second')
  })
})

describe('a temporary file of a process that died', () => {
  it('is removed after ten minutes, at the first save', async () => {
    const directory = temporaryDirectory()
    await mkdir(join(directory, 'revoked'))
    for (const folder of ['.', 'revoked']) {
      await writeFile(join(directory, folder, temporaryFile), 'half')
      await makeOld(join(directory, folder, temporaryFile), 11 * MINUTE)
    }
    const store = fileStore({ directory })
    await store.load(acme)
    expect(await readdir(directory)).toContain(temporaryFile)
    await store.save(acme, snapshotOf('kept'))
    await partsOf(store).revocations.save('0'.repeat(32), snapshotOf('revoked'))
    expect((await readdir(directory)).toSorted()).toEqual([acmeFile, 'revoked'])
    expect(await readdir(join(directory, 'revoked'))).toEqual([`${'0'.repeat(32)}.json`])
  })

  it('stays while another process may still be writing it', async () => {
    const directory = temporaryDirectory()
    await writeFile(join(directory, temporaryFile), 'half')
    await makeOld(join(directory, temporaryFile), 9 * MINUTE)
    await fileStore({ directory }).save(acme, snapshotOf('kept'))
    expect((await readdir(directory)).toSorted()).toEqual([temporaryFile, acmeFile])
  })

  it('is recognised by its whole name', async () => {
    const directory = temporaryDirectory()
    const others = ['.tmp', `${temporaryFile}~`, `x${temporaryFile}`, temporaryFile.replaceAll('0', 'g'), refusedFile]
    for (const name of others) {
      await writeFile(join(directory, name), '')
      await makeOld(join(directory, name), 100 * MINUTE)
    }
    await fileStore({ directory }).save(acme, snapshotOf('kept'))
    expect((await readdir(directory)).toSorted()).toEqual([...others, acmeFile].toSorted())
  })

  it('does not prevent a save when it cannot be removed', async () => {
    const directory = temporaryDirectory()
    await mkdir(join(directory, temporaryFile))
    await makeOld(join(directory, temporaryFile), 11 * MINUTE)
    const store = fileStore({ directory })
    await store.save(acme, snapshotOf('kept'))
    expect(await store.load(acme)).toEqual(snapshotOf('kept'))
  })
})

describe('revocations', () => {
  const [one, two] = ['1'.repeat(32), '2'.repeat(32)] as const

  /** A store with two revocations. */
  async function storeWithRevocations() {
    const directory = temporaryDirectory()
    const { revocations } = partsOf(fileStore({ directory }))
    await revocations.save(one, snapshotOf('one'))
    await revocations.save(two, snapshotOf('two'))
    return { directory, revocations, folder: join(directory, 'revoked') }
  }

  it('are one file each, in a directory of their own', async () => {
    const { directory, folder } = await storeWithRevocations()
    expect(await readdir(directory)).toEqual(['revoked'])
    expect((await readdir(folder)).toSorted()).toEqual([`${one}.json`, `${two}.json`])
    expect(await readFile(join(folder, `${one}.json`), 'utf8')).toBe(JSON.stringify(snapshotOf('one')))
  })

  it.each<[string, (file: string) => unknown, string]>([
    ['is damaged', (file) => writeFile(file, 'damaged'), 'damaged'],
    ['is too long', (file) => truncate(file, 8193), 'longer than 8192 bytes'],
    ['is half', (file) => truncate(file, 10), '{"version"'],
    ['is empty', (file) => truncate(file), ''],
    ['is a directory', (file) => unlink(file).then(() => mkdir(file)), 'not a regular file'],
    ['is a pipe', (file) => unlink(file).then(() => execFileSync('mkfifo', [file])), 'not a regular file'],
    ['may not be read', (file) => chmod(file, 0), 'not readable'],
  ])('do not hide each other when one %s', async (_, damage, seen) => {
    const { revocations, folder } = await storeWithRevocations()
    await chmod(folder, 0o755)
    for (const id of [one, two]) await chmod(join(folder, `${id}.json`), 0o644)
    await damage(join(folder, `${one}.json`))
    const records = await asOrdinaryUser(() => revocations.load())
    expect(records).toHaveLength(2)
    expect(records).toEqual(expect.arrayContaining([seen, snapshotOf('two')]))
  })

  it('are read from files of their own only', async () => {
    const { revocations, folder } = await storeWithRevocations()
    const revision = await revocations.revision()
    for (const name of [temporaryFile, `${one}.json~`, `${'A'.repeat(32)}.json`, 'notes.txt']) {
      await writeFile(join(folder, name), JSON.stringify(snapshotOf('made up')))
    }
    expect(await revocations.load()).toHaveLength(2)
    expect(await revocations.revision()).toBe(revision)
  })

  it('are read with little memory although twelve files have 128 MiB each', async () => {
    const { revocations, folder } = await storeWithRevocations()
    for (let index = 0; index < 12; index += 1) {
      const file = join(folder, `${index.toString(16).padStart(32, '0')}.json`)
      await writeFile(file, '')
      await truncate(file, 128 * 1024 * 1024)
    }
    const before = process.memoryUsage().arrayBuffers
    const records = await revocations.load()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
    expect(records.filter((record) => record === 'longer than 8192 bytes')).toHaveLength(12)
    expect(records).toEqual(expect.arrayContaining([snapshotOf('one'), snapshotOf('two')]))
  })

  it('are refused when they are longer than can be read again, and the old one stays', async () => {
    const { revocations } = await storeWithRevocations()
    await expect(revocations.save(one, snapshotOf('x'.repeat(8192)))).rejects.toThrow(RangeError)
    expect(await revocations.load()).toEqual(expect.arrayContaining([snapshotOf('one')]))
  })

  it('are read up to 20 000, and a record says that there are more', async () => {
    const { revocations, folder } = await storeWithRevocations()
    const text = JSON.stringify(snapshotOf('x'))
    for (let index = 0; index < 20_000; index += 1) {
      writeFileSync(join(folder, `f${index.toString(16).padStart(31, '0')}.json`), text)
    }
    const records = await revocations.load()
    expect(records).toHaveLength(20_001)
    expect(records).toContain('more than 20000 records: the rest was not read')
    expect(records).toEqual(expect.arrayContaining([snapshotOf('one'), snapshotOf('two')]))
  })

  it('are all read below that', async () => {
    const { revocations, folder } = await storeWithRevocations()
    for (let index = 0; index < 300; index += 1) {
      await writeFile(
        join(folder, `${index.toString(16).padStart(32, '0')}.json`),
        JSON.stringify(snapshotOf(`${index}`)),
      )
    }
    expect(await revocations.load()).toHaveLength(302)
  })

  it('have another revision when one is replaced by one of the same length in the same instant', async () => {
    const { revocations } = await storeWithRevocations()
    const revisions = new Set([await revocations.revision()])
    for (let round = 0; round < 50; round += 1) {
      await revocations.save(one, snapshotOf(round % 2 === 0 ? 'yes' : 'one'))
      revisions.add(await revocations.revision())
    }
    expect(revisions.size).toBe(51)
  })

  it('have another revision when they are lost, and when a file is replaced by an older one', async () => {
    const { revocations, folder } = await storeWithRevocations()
    const revision = await revocations.revision()
    await writeFile(join(folder, 'older'), JSON.stringify(snapshotOf('one')))
    await makeOld(join(folder, 'older'), 100 * MINUTE)
    await rename(join(folder, 'older'), join(folder, `${one}.json`))
    const afterRestore = await revocations.revision()
    await rm(folder, { recursive: true })
    const afterLoss = await revocations.revision()
    expect(new Set([revision, afterRestore, afterLoss]).size).toBe(3)
    expect(await revocations.load()).toEqual([])
  })

  it('reject when the directory may not be listed, because the known ones may not be all', async () => {
    const { revocations, folder } = await storeWithRevocations()
    await chmod(folder, 0)
    await expect(asOrdinaryUser(() => revocations.load())).rejects.toMatchObject({ code: 'EACCES' })
    await expect(asOrdinaryUser(() => revocations.revision())).rejects.toMatchObject({ code: 'EACCES' })
  })
})
