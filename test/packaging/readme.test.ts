import { spawn } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RedisServer, redisAvailable, startRedisServer } from '../../packages/redis/test/redis-server.ts'
import { freePort } from '../contract/protected-app.ts'
import { folders, packageNames, repository, run, temporaryFolder, tool } from './projects.ts'
import { createReadmeProject, exampleOf, installedBy, writeExamples } from './readme-projects.ts'

const release = inject('release')
const audience = 'https://api.example.com'
const resource = 'https://mcp.example.com/mcp'
/** The example of the README is a server, with this path. */
const servers: Readonly<Record<string, string>> = {
  core: '/',
  express: '/me',
  fastify: '/me',
  fetch: '/me',
  koa: '/',
  mcp: '/mcp',
  nestjs: '/me',
}
/** The example of the README is a program that prints this, with what a test adds at its end. */
const programs: Readonly<Record<string, string>> = {
  opentelemetry: 'recorded',
  prometheus: 'jwks_cache_refresh_total{tenant="acme",provider="test"} 1\n',
  ...(redisAvailable ? { redis: 'acme' } : {}),
}

let folder: string
let project: string
let issuer: TestIssuer
let redis: RedisServer | undefined
let token: string
let programsToCompile: readonly string[]

beforeAll(async () => {
  folder = await temporaryFolder()
  const names = folders.filter((name) => name !== 'cli')
  issuer = await createTestIssuer({ algorithm: 'ES256' })
  redis = redisAvailable ? await startRedisServer() : undefined
  token = await issuer.sign({ aud: [audience, resource], scope: 'mcp:use orders:read' })
  project = await createReadmeProject(folder, release, names)
  const examples = new Map(await Promise.all(names.map(async (name) => [name, await exampleOf(name)] as const)))
  programsToCompile = await writeExamples(project, examples, { issuer: issuer.issuer, redisPort: redis?.port ?? 0 })
})

afterAll(async () => {
  await issuer.close()
  await redis?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The status of the example's protected path, as soon as it listens. */
async function statusOf(port: number, path: string, authorization?: string): Promise<number> {
  const call = path === '/mcp' ? { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' } : {}
  const headers = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    ...(authorization === undefined ? {} : { authorization }),
  }
  for (let left = 300; ; left -= 1) {
    try {
      return (await fetch(`http://127.0.0.1:${port}${path}`, { ...call, headers })).status
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

describe('the READMEs', () => {
  it('have an example that is run, each', () => {
    const run = [...Object.keys(servers), ...Object.keys(programs), ...(redisAvailable ? [] : ['redis']), 'testing']
    expect(run.toSorted()).toEqual(folders.filter((name) => name !== 'cli').toSorted())
  })

  it('say how to install their package by its name', async () => {
    for (const name of folders) expect(await installedBy(name)).toContain(`@jwks-auth/${name}`)
  })

  it('have examples that compile as they are, libraries checked, as ESM and as CommonJS', async () => {
    expect(programsToCompile).toHaveLength(3)
    for (const file of programsToCompile) await expect(run(project, tool('tsc'), '-p', file)).resolves.toBe('')
  })
})

describe.each(['esm', 'cjs'])('the example of the README, compiled to %s,', (kind) => {
  it.each(Object.entries(servers))('serves good tokens only: %s', async (name, path) => {
    const port = await freePort()
    const server = spawn(process.execPath, [`dist/${kind}/${name}.js`], {
      cwd: project,
      env: { ...process.env, PORT: String(port), NODE_ENV: 'test' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    try {
      expect(await statusOf(port, path)).toBe(401)
      expect(await statusOf(port, path, `Bearer ${token}x`)).toBe(401)
      expect(await statusOf(port, path, `Bearer ${token}`)).toBe(200)
    } finally {
      server.kill('SIGKILL')
    }
  })

  it.each(Object.entries(programs))('runs to its end: %s', async (name, output) => {
    const key = 'JWKS_INTEGRITY_KEY=0123456789abcdef0123456789abcdef'
    await redis?.command('FLUSHALL')
    expect(await run(project, 'env', key, process.execPath, `dist/${kind}/${name}.js`)).toContain(output)
  })

  it('is a test that passes: testing', async () => {
    expect(await run(project, process.execPath, '--test', `dist/${kind}/testing.js`)).toMatch(/^. pass 4$/m)
  })
})

describe('Jest', () => {
  // Nest 12 is ESM: Jest cannot load it before Node 24.9. The application of Nest 11 is tested beside this file.
  const names = packageNames.filter((name) => !/nestjs|cli/.test(name))
  const tested = Object.entries(servers).filter(([name]) => name !== 'nestjs')

  /** A project of Jest in which every package and every server of a README is loaded by `load`. */
  async function createJestProject(name: string, settings: object, load: (path: string) => string): Promise<string> {
    const place = join(project, name)
    await mkdir(place)
    await writeFile(join(place, 'package.json'), JSON.stringify({ type: 'commonjs', ...settings }))
    const kind = name === 'jest-esm' ? 'esm' : 'cjs'
    const tests = await Promise.all(
      tested.map(async ([example, path]) => {
        const port = await freePort()
        return `test('${example}', async () => {
          process.env.PORT = '${port}'
          ${load(`../dist/${kind}/${example}.js`)}
          expect(await statusOf(${port}, '${path}')).toBe(401)
          expect(await statusOf(${port}, '${path}', 'Bearer ${token}')).toBe(200)
        })`
      }),
    )
    const loaded = names.map((name) => `test('${name}', async () => { expect(typeof ${load(name)}).toBe('object') })`)
    // Compiling takes longer than the five seconds that a test has.
    const lines = ['jest.setTimeout(60_000)', statusOf, ...tests, ...loaded]
    await writeFile(join(place, 'readme.test.js'), lines.join('\n'))
    return place
  }

  const jest = (place: string, ...flags: string[]): Promise<string> =>
    run(place, process.execPath, ...flags, '../node_modules/jest/bin/jest.js', '--forceExit')

  it('runs the examples with its default settings, in a CommonJS project, by import', async () => {
    const place = await createJestProject('jest-esm', {}, (path) => `await import('${path}')`)
    const output = await jest(place, '--no-warnings', '--experimental-vm-modules')
    expect(output).toContain(`${tested.length + names.length} passed`)
  })

  it('runs the examples with the settings of the documentation, by require', async () => {
    const page = await readFile(join(repository, 'docs/testing-your-api.md'), 'utf8')
    const [, settings = ''] = /^## Jest\n.*?^```json\n(.*?)^```$/ms.exec(page) ?? []
    const place = await createJestProject('jest-cjs', { jest: JSON.parse(settings) }, (path) => `require('${path}')`)
    expect(await jest(place)).toContain(`${tested.length + names.length} passed`)
  })
})

describe('npx @jwks-auth/cli', () => {
  const npx = (...args: string[]): Promise<string> => {
    const settings = ['--yes', `--registry=${release.registry}`, `--cache=${join(folder, 'npm')}`, '--loglevel=error']
    return run(folder, 'npx', ...settings, `@jwks-auth/cli@${release.tag}`, ...args)
  }

  it('installs itself and checks a provider, as the README says', async () => {
    expect(await npx('doctor', '--allow-http', issuer.issuer)).toContain('Nothing is wrong.')
    await expect(npx('doctor', issuer.issuer)).rejects.toThrow('error http (issuer)')
  })
})
