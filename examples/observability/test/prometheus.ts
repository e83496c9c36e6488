import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Whether tests with Prometheus run. Where it is required they do even if it is missing, and fail. */
export const prometheusAvailable: boolean =
  process.env['PROMETHEUS_REQUIRED'] === '1' || spawnSync('promtool', ['--version']).status === 0

/** The folder with the configuration of the example. */
export const configuration: string = fileURLToPath(new URL('../prometheus/', import.meta.url))

/** A Prometheus server that is a child of the test process and does not outlive it. */
export interface PrometheusServer {
  /** The samples of an instant query: labels and value. */
  query(expression: string): Promise<(readonly [Readonly<Record<string, string>>, number])[]>
  stop(): Promise<void>
}

/** Starts Prometheus with the alert rules of the example; it scrapes one target four times a second. */
export async function startPrometheus(target: string): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'jwks-auth-prometheus-'))
  const config = {
    global: { scrape_interval: '250ms', scrape_timeout: '250ms', evaluation_interval: '250ms' },
    rule_files: [join(configuration, 'jwks-auth.rules.yml')],
    scrape_configs: [{ job_name: 'api', static_configs: [{ targets: [target] }] }],
  }
  // JSON is YAML.
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const port = await freePort()
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const exited = once(child, 'close')
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  const url = `http://127.0.0.1:${port}`
  await untilReady(`${url}/-/ready`, child, () => output)
  return {
    async query(expression) {
      const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`)
      const { data, error } = (await response.json()) as {
        readonly data?: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] }
        readonly error?: string
      }
      if (data === undefined) throw new Error(`${expression}: ${error}`)
      return data.result.map(({ metric, value }) => [metric, Number(value[1])] as const)
    },
    async stop() {
      kill()
      await exited
      process.off('exit', kill)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function untilReady(url: string, child: ChildProcess, output: () => string): Promise<void> {
  for (let attempt = 0; attempt < 150; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`prometheus has ended: ${output()}`)
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok === true) return
    await sleep(100)
  }
  throw new Error(`prometheus is not ready: ${output()}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
