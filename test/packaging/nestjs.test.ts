import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { install, run, tagged, temporaryFolder } from './projects.ts'

const fixture = fileURLToPath(new URL('fixtures/nest-app', import.meta.url))
const readme = fileURLToPath(new URL('../../packages/nestjs/README.md', import.meta.url))

/** A project as `nest new` of Nest 11 creates it: CommonJS, decorator metadata, Jest. */
let app: string
let folder: string
let manifest: { dependencies: object; jest: object }

beforeAll(async () => {
  folder = await temporaryFolder()
  app = join(folder, 'nest-app')
  await cp(fixture, app, { recursive: true })
  manifest = JSON.parse(await readFile(join(app, 'package.json'), 'utf8'))
  const release = inject('release')
  const ours = Object.entries(tagged(release)).filter(([name]) => /nestjs|testing/.test(name))
  manifest.dependencies = { ...manifest.dependencies, ...Object.fromEntries(ours) }
  await writeFile(join(app, 'package.json'), JSON.stringify(manifest))
  await install(app, release, {})
})

afterAll(() => rm(folder, { recursive: true, force: true }))

function jest(...flags: string[]): Promise<string> {
  return run(app, process.execPath, ...flags, 'node_modules/jest/bin/jest.js')
}

describe('a CommonJS project of Nest 11', () => {
  it('compiles, runs with plain Node and closes on SIGTERM', async () => {
    await expect(run(app, 'node_modules/.bin/tsc', '-p', '.')).resolves.toBe('')
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example.com' })
    const api = spawn(process.execPath, ['dist/main.js'], {
      cwd: app,
      env: { ...process.env, ISSUER: issuer.issuer },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [url] = await once(api.stdout, 'data')
      const statusOf = async (path: string, token = ''): Promise<number> => {
        const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` }
        return (await fetch(String(url).trim() + path, { headers })).status
      }
      expect(await statusOf('/health')).toBe(200)
      expect(await statusOf('/orders')).toBe(401)
      expect(await statusOf('/orders', await issuer.sign())).toBe(403)
      expect(await statusOf('/orders', await issuer.sign({ scope: 'orders:read' }))).toBe(200)
      api.kill('SIGTERM')
      expect(await once(api, 'exit')).toEqual([null, 'SIGTERM'])
    } finally {
      api.kill('SIGKILL')
      await issuer.close()
    }
  })

  it("is tested by Jest with the README's settings, on every version of Node", { timeout: 180_000 }, async () => {
    const [, settings = ''] = /^```json\n(\{\n {2}"transform".*?)^```$/ms.exec(await readFile(readme, 'utf8')) ?? []
    const changed = { ...manifest, jest: { ...manifest.jest, ...JSON.parse(settings) } }
    await writeFile(join(app, 'package.json'), JSON.stringify(changed))
    await expect(jest()).resolves.toContain('1 passed')
  })

  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const requiresEsm = major > 24 || (major === 24 && minor >= 9)
  const withNestSettings = async (): Promise<string> => {
    await writeFile(join(app, 'package.json'), JSON.stringify(manifest))
    return jest('--experimental-vm-modules')
  }

  it.runIf(requiresEsm)("is tested by Jest with Nest's settings, from Node 24.9", { timeout: 180_000 }, async () => {
    await expect(withNestSettings()).resolves.toContain('1 passed')
  })

  it.skipIf(requiresEsm)("needs other settings than Nest's for Jest, before Node 24.9", async () => {
    await expect(withNestSettings()).rejects.toThrow('Must use import to load ES Module')
  })
})
