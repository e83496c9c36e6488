import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createAuthenticator } from '@jwks-auth/core'
import { installDefaultExporter } from '@jwks-auth/prometheus'
import { Registry as PrometheusRegistry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { configuration, prometheusAvailable } from './prometheus.ts'

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8')

const files = ['grafana/jwks-auth.json', 'prometheus/jwks-auth.rules.yml', 'prometheus/jwks-auth.test.yml']

/** The names that an exporter serves, histograms with their parts. */
async function served(): Promise<Set<string>> {
  const authenticator = createAuthenticator({ issuer: 'https://issuer.example', audience: 'api' })
  onTestFinished(() => authenticator.close())
  const exporter = installDefaultExporter(authenticator.registry, { register: new PrometheusRegistry() })
  const types = [...(await exporter.metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  )
}

describe.each(files)('%s', (file) => {
  it('uses only metrics that exist', async () => {
    const used = new Set(read(file).match(/\bjwks_(?:cache|auth)_\w+/g))
    expect(used.size).toBeGreaterThan(3)
    const names = await served()
    expect([...used].filter((name) => !names.has(name))).toEqual([])
  })
})

describe('the dashboard', () => {
  it('shows every metric', async () => {
    const text = read('grafana/jwks-auth.json')
    const unused = [...(await served())].filter((name) => !/_(?:count|sum)$/.test(name) && !text.includes(name))
    expect(unused).toEqual([])
  })
})

describe('every alert', () => {
  const alerts = [...read('prometheus/jwks-auth.rules.yml').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name)

  it.each(alerts)('%s fires in a test, and is explained in docs/operations.md', (name) => {
    const tests = read('prometheus/jwks-auth.test.yml')
    expect(tests).toMatch(new RegExp(`alertname: ${name}\\n\\s+exp_alerts:\\n\\s+- exp_labels`))
    expect(read('../../docs/operations.md')).toContain(`### ${name}\n`)
  })
})

describe.skipIf(!prometheusAvailable)('promtool', () => {
  it.each([
    ['check', 'rules', 'jwks-auth.rules.yml'],
    ['check', 'config', 'prometheus.yml'],
    ['test', 'rules', 'jwks-auth.test.yml'],
  ])('passes %s %s %s', (...command) => {
    const { status, stdout, stderr } = spawnSync('promtool', command, { cwd: configuration, encoding: 'utf8' })
    expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') })
  })
})
