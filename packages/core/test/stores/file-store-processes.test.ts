import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fileStore } from '../../src/index.ts'
import { LONGEST_SNAPSHOT, readJson } from '../../src/stores/file-folder.ts'
import { acme, isWhole, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const program = fileURLToPath(new URL('file-writer.mjs', import.meta.url))

/** Starts a process that saves to the directory, with the compiled package. */
function startWriter(directory: string, name: string, rounds = Number.POSITIVE_INFINITY): ChildProcess {
  const child = spawn(process.execPath, [program, directory, name, `${rounds}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const sharedKeys = ['p0', 'p1', 'p2'].map((provider) => ({ tenant: 'acme', provider }))

interface Files {
  /** What is half-written, or not what any process has saved. */
  readonly broken: readonly string[]
  readonly whole: number
  /** What was never finished. */
  readonly temporary: readonly string[]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Reads everything in the directory, as a store would. */
async function readAll(directory: string): Promise<Files> {
  const paths = (await readdir(directory, { recursive: true })).map((name) => join(directory, name))
  const files = paths.filter((path) => path.endsWith('.json'))
  const broken: string[] = []
  for (const file of files) if (!isWhole(await readJson(file, directory, LONGEST_SNAPSHOT))) broken.push(file)
  for (const path of paths.filter((name) => name.endsWith('.refused'))) {
    const copy = await readFile(path, 'utf8')
    // The first 64 KiB of a snapshot.
    const isCopy = copy.length === 65_536 ? copy.startsWith('{"version":1,"payload":') : isWhole(parse(copy))
    if (!isCopy) broken.push(path)
  }
  return { broken, whole: files.length - broken.length, temporary: paths.filter((path) => path.endsWith('.tmp')) }
}

describe('processes that share a directory', () => {
  it('leave a whole snapshot under every key and lose no revocation', async () => {
    const directory = temporaryDirectory()
    const writers = ['w1', 'w2', 'w3', 'w4'].map((name) => startWriter(directory, name, 40))
    const codes = await Promise.all(writers.map(async (writer) => (await once(writer, 'close'))[0]))
    expect(codes).toEqual([0, 0, 0, 0])
    // Three keys of all, one of each, and five revocations of each.
    expect(await readAll(directory)).toEqual({ broken: [], whole: 3 + 4 + 20, temporary: [] })
  })

  it('never read half of a snapshot of another process', async () => {
    const directory = temporaryDirectory()
    const writers = ['w1', 'w2'].map((name) => startWriter(directory, name, 60))
    const store = fileStore({ directory })
    const { revocations } = partsOf(store)
    const revisions = new Set<string>()
    while (writers.some(({ exitCode }) => exitCode === null)) {
      for (const key of sharedKeys) {
        const loaded = await store.load(key)
        expect(loaded === undefined || isWhole(loaded)).toBe(true)
      }
      revisions.add(await revocations.revision())
      expect((await revocations.load()).every(isWhole)).toBe(true)
    }
    expect(writers.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(revisions.size).toBeGreaterThan(10)
  })
})

describe('processes that are killed while they write', () => {
  // A Node process takes a tenth of a second of processor time to start. How many are killed, to try it with fewer.
  const kills = Number(process.env['FILE_STORE_KILLS'] ?? 1_000)
  const rounds = 20
  const timeout = 30_000 + kills * 500

  it('leave every file whole, and only temporary files, which are removed later', { timeout }, async () => {
    const directory = temporaryDirectory()
    const store = fileStore({ directory })
    let killed = 0

    const writeAndDie = async (name: string): Promise<void> => {
      const child = startWriter(directory, name)
      if (child.stdout === null) throw new Error('no output')
      await once(child.stdout, 'data')
      await sleep(Math.random() * 12)
      child.kill('SIGKILL')
      const [code, signal]: unknown[] = await once(child, 'close')
      expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' })
      killed += 1
      expect(isWhole(await store.load({ tenant: name, provider: 'own' }))).toBe(true)
      for (const key of sharedKeys) {
        const loaded = await store.load(key)
        expect(loaded === undefined || isWhole(loaded), key.provider).toBe(true)
      }
    }

    for (let round = 0; round < rounds; round += 1) {
      // Few at a time: one that waits for a processor is not in the middle of anything.
      const turns = Array.from({ length: kills / rounds }, (_, index) => index).values()
      const lane = async (_: unknown, index: number): Promise<void> => {
        for (const turn of turns) await writeAndDie(`lane-${index}-${turn % 2}`)
      }
      await Promise.all(Array.from({ length: 3 }, lane))
      expect((await readAll(directory)).broken).toEqual([])
    }
    expect(killed).toBe(kills)

    const { whole, temporary } = await readAll(directory)
    // Else they were not killed in the middle of writes, and this would prove nothing.
    expect(temporary.length).toBeGreaterThan(kills / 10)
    for (const path of temporary) await utimes(path, 0, 0)
    await store.save(acme, snapshotOf('after'))
    await partsOf(store).revocations.save('0'.repeat(32), snapshotOf('after'))
    expect(await readAll(directory)).toEqual({ broken: [], whole: whole + 2, temporary: [] })
  })
})
