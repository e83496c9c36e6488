import { lstat, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fileStore, type Snapshot } from '../../src/index.ts'
import { snapshotName } from '../../src/stores/file-names.ts'
import { acme, acmeFile, globex, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

async function makeOld(path: string, age: number): Promise<void> {
  const time = (Date.now() - age) / 1_000
  await utimes(path, time, time)
}

function keptUntil(keepUntil: string | null): Snapshot {
  return { ...snapshotOf('x'), keepUntil }
}

/** Writes a snapshot file of that age, saves another one, and returns what is left of the first. */
async function isRemoved(content: unknown, age: number): Promise<boolean> {
  const directory = temporaryDirectory()
  await writeFile(join(directory, acmeFile), JSON.stringify(content))
  await makeOld(join(directory, acmeFile), age)
  await fileStore({ directory }).save(globex, snapshotOf('next'))
  return !(await readdir(directory)).includes(acmeFile)
}

describe('a snapshot file', () => {
  const past = new Date(Date.now() - HOUR).toISOString()
  const future = new Date(Date.now() + HOUR).toISOString()

  it.each<[string, unknown, number]>([
    ['was written 25 hours ago', keptUntil(past), 25 * HOUR],
    ['is a year old', keptUntil(new Date(Date.now() - 300 * DAY).toISOString()), 365 * DAY],
  ])('is removed by a save when its keepUntil is over and it %s', async (_, content, age) => {
    expect(await isRemoved(content, age)).toBe(true)
  })

  it.each<[string, unknown, number]>([
    ['its keepUntil is not over', keptUntil(future), 25 * HOUR],
    ['it is kept without limit', keptUntil(null), 365 * DAY],
    ['it was written within a day', keptUntil(past), 23 * HOUR],
    ['its keepUntil is no time', keptUntil('soon'), 25 * HOUR],
    ['it is no snapshot', 'damaged', 365 * DAY],
    ['it is a list', [], 365 * DAY],
  ])('stays when %s', async (_, content, age) => {
    expect(await isRemoved(content, age)).toBe(false)
  })

  it('is not removed among revocations', async () => {
    const directory = temporaryDirectory()
    const { revocations } = partsOf(fileStore({ directory }))
    await revocations.save('0'.repeat(32), keptUntil(past))
    await makeOld(join(directory, 'revoked', `${'0'.repeat(32)}.json`), 365 * DAY)
    await partsOf(fileStore({ directory })).revocations.save('1'.repeat(32), snapshotOf('x'))
    expect(await readdir(join(directory, 'revoked'))).toHaveLength(2)
  })

  it('is searched for among a hundred files at once, so that a save does not wait for thousands', async () => {
    const directory = temporaryDirectory()
    const names = Array.from({ length: 150 }, (_, index) => snapshotName({ tenant: `t${index}`, provider: 'p' }))
    for (const name of names) {
      await writeFile(join(directory, name), JSON.stringify(keptUntil(past)))
      await makeOld(join(directory, name), 2 * DAY)
    }
    await fileStore({ directory }).save(acme, snapshotOf('next'))
    expect(await readdir(directory)).toHaveLength(51)
  })
})

describe('a file that was set aside', () => {
  it.each([
    ['is removed after thirty days', 31 * DAY, 1],
    ['stays until then', 29 * DAY, 2],
  ])('%s', async (_, age, count) => {
    const directory = temporaryDirectory()
    const store = fileStore({ directory })
    await store.save(acme, snapshotOf('refused'))
    await partsOf(store).setAside(acme)
    const copy = join(directory, acmeFile.replace(/json$/, 'refused'))
    expect((await lstat(copy)).isFile()).toBe(true)
    await makeOld(copy, age)
    await fileStore({ directory }).save(acme, snapshotOf('next'))
    expect(await readdir(directory)).toHaveLength(count)
  })
})
