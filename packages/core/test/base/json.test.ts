import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJson } from '../../src/base/json.ts'
import { readKeySet } from '../../src/jwks/key-set.ts'
import { KEY_SET_MEMBERS } from '../../src/jwks/verification-key.ts'
import { samples } from '../jwks/sample-keys.ts'

const parts = { members: KEY_SET_MEMBERS, maxEntries: 1_000 }

/** The same document, longer than what is parsed on the event loop. */
const long = (text: string): string => text + ' '.repeat(65_537)

/** A document of 1 MiB, filled with one entry. */
function filled(entry: string, [before, after]: readonly [string, string] = ['{"keys":[', '0]}']): string {
  return before + `${entry},`.repeat(Math.floor(1_048_000 / (entry.length + 1))) + after
}

const nested = (depth: number): string => `{"keys":${'['.repeat(depth)}${']'.repeat(depth)}}`

describe('parseJson', () => {
  it.each([[''], ['{'], ['{"keys":[]}x'], ['{"a":01}'], ['\ufeff{}'], ['<!doctype html>']])(
    'returns undefined for %j, short or long',
    async (text) => {
      expect(await parseJson(text, parts)).toBeUndefined()
      expect(await parseJson(long(text), parts)).toBeUndefined()
    },
  )

  it.each([['null'], ['0'], ['"text"'], ['[]'], ['{}'], ['{"keys":[{"kid":null,"n":1e999}],"keys":[]}']])(
    'returns %s, short or long, as JSON.parse does',
    async (text) => {
      expect(await parseJson(text, parts)).toEqual(JSON.parse(text))
      expect(await parseJson(long(text), parts)).toEqual(JSON.parse(text))
    },
  )

  it('drops from a long text what is not read, and counts it', async () => {
    const text = '{"keys":[{"kid":"a","x5c":["b"],"key_ops":[["verify"],"sign"]},1,2],"other":[]}'
    const value = await parseJson(long(text), { ...parts, maxEntries: 2 })
    expect(value).toEqual({ keys: Object.assign([{ kid: 'a', key_ops: [null, 'sign'] }, 1], { length: 3 }) })
  })

  it('reads the same keys of a long text as of a short one', async () => {
    const { rsa, p256, ed25519 } = samples
    const name = fc.constantFrom(...KEY_SET_MEMBERS, '__proto__', 'x5c', 'constructor')
    const member = fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom('sig', ['verify'], 'RS256', 'EC', 'P-256'))
    const key = fc
      .tuple(fc.constantFrom({}, rsa, p256, ed25519), fc.dictionary(name, member, { maxKeys: 3 }))
      .map(([sample, change]) => ({ ...sample, ...change }))
    const keys = fc.array(fc.oneof({ arbitrary: key, weight: 4 }, fc.jsonValue()), { maxLength: 6 })
    let read = 0
    await fc.assert(
      fc.asyncProperty(keys, async (list) => {
        const text = JSON.stringify({ keys: list })
        const expected = readKeySet(JSON.parse(text), 4)
        expect(readKeySet(await parseJson(long(text), parts), 4)).toEqual(expected)
        if ((expected?.keySet.keys.length ?? 0) > 0) read += 1
      }),
      { numRuns: 100 },
    )
    // Otherwise nothing was tested.
    expect(read).toBeGreaterThan(10)
  })

  it.each([
    ['empty objects', filled('{}')],
    ['objects with a name each', filled('{"a":0}')],
    ['lists', filled('[]')],
    ['lists in one another', nested(520_000)],
    ['operations', filled('"a"', ['{"keys":[{"kty":"EC","key_ops":[', '"verify"]}]}'])],
    ['keys with many operations', filled(`{"key_ops":[${'0,'.repeat(900)}0]}`)],
    ['what is no JSON', filled('{}', ['{"keys":[', 'x'])],
  ])('lets others have their turn while it parses a megabyte of %s', async (_, text) => {
    let turns = 0
    const count = (): void => {
      turns += 1
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    await parseJson(text, parts)
    clearImmediate(next)
    expect(turns).toBeGreaterThan(20)
  })

  it('parses a long text where threads are not permitted', () => {
    const file = fileURLToPath(import.meta.resolve('../../dist/base/json.js'))
    const program = `
      const { parseJson } = await import(${JSON.stringify(file)})
      const value = await parseJson('[1]' + ' '.repeat(70_000), { members: [], maxEntries: 1 })
      console.log(JSON.stringify(value), process.permission.has('worker'))`
    const permission = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission'
    const output = execFileSync(
      process.execPath,
      [permission, '--no-warnings', '--allow-fs-read=*', '--input-type=module', '--eval', program],
      { encoding: 'utf8' },
    )
    expect(output).toBe('[1] false\n')
  })

  it("starts its thread without what the application's process was started with", () => {
    const file = fileURLToPath(import.meta.resolve('../../dist/base/json.js'))
    const preloaded = 'data:text/javascript,console.log("preloaded")'
    const program = `
      const { parseJson } = await import(${JSON.stringify(file)})
      console.log(JSON.stringify(await parseJson('[1]' + ' '.repeat(70_000), { members: [], maxEntries: 1 })))`
    const output = execFileSync(process.execPath, ['--import', preloaded, '--input-type=module', '--eval', program], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: `--import=${preloaded.replaceAll('"', "'")}` },
    })
    expect(output).toBe('preloaded\npreloaded\n[1]\n')
  })
})
