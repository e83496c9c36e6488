import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compileExamples } from '../architecture/examples.ts'
import { sendRaw } from './raw-request.ts'
import { runExample, serveExample, takesOptions } from './readme-examples.ts'
import { bearing } from './refusals.ts'
import { contractOptions, createWorld, sign, type World } from './world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const adapters = ['express', 'koa', 'fastify', 'fetch'] as const

function examplesOf(path: string): readonly string[] {
  const text = readFileSync(`${root}${path}`, 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
}

describe.each(adapters)('the README of %s', (adapter) => {
  it('has examples, and all compile', () => {
    const examples = examplesOf(`packages/${adapter}/README.md`)
    expect(examples.length).toBeGreaterThanOrEqual(6)
    expect(compileExamples(examples, `packages/${adapter}/test`)).toEqual(examples.map(() => []))
  })
})

describe.each([
  ['the README of nestjs', 'packages/nestjs/README.md', 5],
  ['the page about NestJS', 'docs/nestjs.md', 2],
] as const)('%s', (_, path, count) => {
  it('has examples, and all compile', () => {
    const examples = examplesOf(path)
    expect(examples.length).toBeGreaterThanOrEqual(count)
    expect(compileExamples(examples, 'packages/nestjs/test')).toEqual(examples.map(() => []))
  })
})

describe('the README of mcp', () => {
  it('has examples, and all compile', () => {
    const examples = examplesOf('packages/mcp/README.md')
    expect(examples.length).toBeGreaterThanOrEqual(4)
    expect(compileExamples(examples, 'packages/mcp/test')).toEqual(examples.map(() => []))
  })
})

describe('an example that is wrong', () => {
  it('does not compile', () => {
    const misspelt = [
      "import { jwksAuth } from '@jwks-auth/express'\njwksAuth({ issuer: 'a', audience: 'b', realms: 'c' })",
      "import { jwksAuht } from '@jwks-auth/express'\njwksAuht()",
    ]
    expect(compileExamples(misspelt, 'packages/express/test')).toEqual([
      [expect.stringContaining('realms')],
      [expect.stringContaining('jwksAuht')],
    ])
  })
})

describe('an example that is run', () => {
  let world: World
  let options: JwksAuthOptions
  beforeAll(async () => {
    world = await createWorld()
    const { claims: _, ...others } = contractOptions(world)
    options = others
  })
  afterAll(async () => {
    await world.close()
  })

  const examples = [...adapters.map((adapter) => `packages/${adapter}/README.md`), 'README.md']
    .flatMap((path) => examplesOf(path).map((code, index) => ({ name: `${path}, example ${index + 1}`, code })))
    .filter(({ code }) => takesOptions(code))

  it('is found in every document', () => {
    const counts = adapters.map((adapter) => examples.filter(({ name }) => name.includes(`/${adapter}/`)).length)
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(2)
    expect(examples.map(({ name }) => name)).toContain('README.md, example 1')
  })

  it.each(examples)(
    'lets a good token pass, and does not tell known tenants from unknown ones: $name',
    async ({ code }) => {
      const { port, path, close } = await serveExample(await runExample(code, options), code)
      const ask = async (token: string, tenant: string): Promise<string> => {
        const { text } = await sendRaw(port, bearing(token, { target: path }, tenant))
        return text.replace(/^date: .*$/im, '')
      }
      try {
        const good = await sign(world.acme, { org_id: 'org_1', scope: 'orders:read' })
        expect(await ask(good, 'acme')).toMatch(/^HTTP\/1\.1 [24]0[04] /)
        const unknownTenant = await ask(good, 'initech')
        expect(unknownTenant).toMatch(/^HTTP\/1\.1 401 /)
        for (const [token, tenant] of [
          [await sign(world.stranger), 'acme'],
          [await sign(world.globex), 'acme'],
          [await sign(world.acme, {}, { kid: 'unknown' }), 'acme'],
          [await sign(world.acme, { aud: 'other' }), 'acme'],
          [await sign(world.stranger), 'initech'],
          [good, '../initech'],
        ] as const) {
          expect(await ask(token, tenant)).toBe(unknownTenant)
        }
      } finally {
        await close()
      }
    },
  )

  it('fails at start where the environment variable of the integrity key is missing', async () => {
    const code = examplesOf('README.md').find((example) => example.includes('publicKeyPath'))
    if (code === undefined) throw new Error('the README has no example with publicKeyPath')
    vi.stubEnv('JWKS_INTEGRITY_KEY', undefined)
    const folder = mkdtempSync(join(tmpdir(), 'jwks-auth-'))
    const inFolder = code.replace('/var/lib/my-api/keys', folder)
    expect(inFolder).toContain(folder)
    await expect(runExample(inFolder, options)).rejects.toThrow(/integrityKey/)
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })
})
