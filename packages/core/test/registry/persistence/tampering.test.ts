import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fileStore, type SnapshotStore } from '../../../src/index.ts'
import {
  integrityKey,
  key,
  provider,
  registrationOf,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
} from '../process.ts'
import { registryOn } from './registry-on.ts'

/** A file as the file store has written it. */
async function writtenFile() {
  const issuer = await startIssuer()
  const directory = temporaryDirectory()
  await startProcessWithKeys({ issuer, registry: { publicKeyPath: directory, integrityKey } })
  issuer.clearRequests()
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.json'))
  const path = join(directory, name)
  const original = readFileSync(path)
  return {
    issuer,
    directory,
    length: original.length,
    /** Writes the file with some bits of one byte flipped. */
    flip(position: number, bits: number): void {
      const bytes = Buffer.from(original)
      bytes[position] = (bytes[position] ?? 0) ^ bits
      writeFileSync(path, bytes)
    },
    truncate: (length: number) => writeFileSync(path, original.subarray(0, length)),
    repair: () => writeFileSync(path, original),
  }
}

/** Reads as the file store does, and keeps nothing: thousands of copies would all be synced to the disk. */
function readOnly({ load }: SnapshotStore): SnapshotStore {
  return { load, save: async () => undefined, delete: async () => undefined }
}

// The lowest bit makes another digit or letter, the highest one breaks the text, the fifth changes case.
it.each([0x01, 0x20, 0x80])('refuses a file with any single byte changed: bits %d', async (bits) => {
  const { issuer, directory, length, flip, repair } = await writtenFile()
  const { registry, told } = registryOn({ store: readOnly(fileStore({ directory })), integrityKey })
  flip(0, bits)
  await registry.register(registrationOf(issuer))
  const taken: number[] = []
  for (let position = 0; position < length; position += 1) {
    flip(position, bits)
    const { refused } = await registry.restore()
    if (refused.length !== 1) taken.push(position)
  }
  expect(taken).toEqual([])
  expect(length).toBeGreaterThan(500)
  expect(told('snapshot-loaded')).toEqual([])
  // And it was the change that was refused.
  repair()
  expect(await registry.restore()).toMatchObject({ restored: [key] })
})

it('refuses a file that is cut off anywhere', async () => {
  const { issuer, directory, length, truncate } = await writtenFile()
  const { registry } = registryOn({ store: readOnly(fileStore({ directory })), integrityKey })
  truncate(0)
  await registry.register(registrationOf(issuer))
  for (let end = 0; end < length; end += 7) {
    truncate(end)
    expect(await registry.restore()).toMatchObject({ refused: [key] })
  }
})

it('asks the provider in the place of a file that was changed, and writes a good one', async () => {
  const { issuer, directory, length, flip } = await writtenFile()
  const registry = { publicKeyPath: directory, integrityKey }
  for (let position = 3; position < length; position += 97) {
    flip(position, 0x01)
    issuer.clearRequests()
    const restarted = await startProcess({ issuer, registry })
    expect(restarted.told('snapshot-refused')).toMatchObject([key])
    expect(await restarted.resolve()).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(1)
    await restarted.registry.close()
    const next = await startProcess({ issuer, registry })
    expect(next.registry.status(tenant, provider).source).toBe('store')
    await next.registry.close()
  }
})
