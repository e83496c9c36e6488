import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../contract/protected-app.ts'

const program = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))
const audience = 'https://api.example.com'
const minute = 60_000

interface Phase {
  readonly name: string
  readonly passed: boolean
  readonly statuses: Readonly<Record<string, number>>
  readonly upstreamRequests: number
  readonly problems: readonly string[]
}

interface Result {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Starts one of the apps as a process; returns its port. */
async function startApp(name: string, issuer: string): Promise<number> {
  const child = fork(fileURLToPath(new URL(`apps/${name}.mjs`, import.meta.url)), [issuer, audience], { silent: true })
  onTestFinished(() => {
    child.kill()
  })
  const [port] = (await once(child, 'message')) as [number]
  return port
}

function runDrill(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'drill', ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code)
      resolve({ code, stdout, stderr })
    })
  })
}

/** The drill against an app, both as processes. */
async function drillAgainst(name: string): Promise<Result & { readonly phases: ReadonlyMap<string, Phase> }> {
  const port = await freePort()
  const appPort = await startApp(name, `http://127.0.0.1:${port}`)
  const url = `http://127.0.0.1:${appPort}/orders`
  const result = await runDrill('--json', '--url', url, '--audience', audience, '--port', String(port), '--outage', '2')
  const { phases } = JSON.parse(result.stdout) as { phases: readonly Phase[] }
  return { ...result, phases: new Map(phases.map((phase) => [phase.name, phase])) }
}

describe('drill', () => {
  it('shows no failure of an app with jwksAuth', { timeout: 2 * minute }, async () => {
    const { code, phases, stderr } = await drillAgainst('jwks-auth')
    expect([...phases.values()].flatMap(({ problems }) => problems)).toEqual([])
    expect(code).toBe(0)
    expect([...phases.keys()]).toEqual([
      'steady',
      'rotation',
      'outage',
      'recovery',
      'flood',
      'rotation after the flood',
    ])
    expect(phases.get('outage')?.statuses).toMatchObject({ 503: 3 })
    expect(phases.get('flood')?.statuses).toEqual({ 200: 20, 401: 201 })
    expect(phases.get('flood')?.upstreamRequests).toBeLessThanOrEqual(3)
    expect(stderr).toContain('Stopping the issuer for 2 s')
  })

  it('shows the failures of an app with express-jwt and jwks-rsa', { timeout: 2 * minute }, async () => {
    const { code, phases } = await drillAgainst('express-jwt')
    expect(code).toBe(1)
    expect(phases.get('steady')?.problems).toEqual([])
    expect(phases.get('rotation')?.problems).toEqual([])
    expect(phases.get('outage')?.problems).toEqual([
      expect.stringContaining('A good token whose key cannot be fetched gets 500'),
    ])
    expect(phases.get('flood')?.problems).toContainEqual(
      expect.stringMatching(/with an unknown kid got 500 instead of 401/),
    )
  })

  it('ends with 2 where the API accepts no token of its issuer', async () => {
    const appPort = await startApp('jwks-auth', 'http://127.0.0.1:1')
    const args = ['--audience', audience, '--port', String(await freePort()), '--wait', '1']
    const { code, stderr } = await runDrill('--url', `http://127.0.0.1:${appPort}/orders`, ...args)
    expect(code).toBe(2)
    expect(stderr).toContain('The API responds with 401 to a good token of the drill')
  })

  it('ends with 2 where the API does not respond', async () => {
    const args = ['--audience', audience, '--port', String(await freePort()), '--wait', '1']
    const { code, stderr } = await runDrill('--url', 'http://127.0.0.1:1/', ...args)
    expect(code).toBe(2)
    expect(stderr).toContain('The API does not respond to a good token of the drill')
  })
})
