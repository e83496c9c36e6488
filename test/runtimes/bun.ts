import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The version that is tested; it comes from the npm registry, through npx. */
const bunPackage = 'bun@1.4.5'

/** How a program ended. */
export interface Exit {
  readonly code: number | null
  readonly output: string
}

/**
 * The path of Bun's executable, or undefined where npx cannot get it. With BUN_REQUIRED=1 in the environment, which
 * `.ci/run` sets, that is an error instead, so that a missing Bun cannot pass for a green run.
 */
export function findBun(): string | undefined {
  const parameters = ['--yes', `--package=${bunPackage}`, '--', 'bun', '--print', 'process.execPath']
  const env = { ...process.env, npm_config_loglevel: 'error', npm_config_prefer_offline: 'true' }
  const { status, stdout, stderr } = spawnSync('npx', parameters, { encoding: 'utf8', env, timeout: 120_000 })
  if (status === 0) return stdout.trim()
  if (process.env['BUN_REQUIRED'] === '1') throw new Error(`npx cannot get ${bunPackage}: ${stderr}`)
  return undefined
}

/** Runs a program on Bun, with the compiled packages. */
export function runOnBun(bun: string, program: string, environment: Readonly<Record<string, string>>): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const child = spawn(bun, ['--eval', program], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, ...environment, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
