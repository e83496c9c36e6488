/**
 * Counts the files and functions of core that a request executes, by V8's precise coverage of the compiled packages:
 * `node scripts/count-files.mjs`; `--list` names the files, `--check` fails above a target.
 */
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'
import { createAuthenticator, createRegistry } from '../packages/core/dist/index.js'
import { createManualClock, createTestIssuer } from '../packages/testing/dist/index.js'

const core = new URL('../packages/core/dist/', import.meta.url).href
const audience = 'https://api.example'
const second = 1_000
/** The most files that a newcomer should have to follow. */
const targets = { 'a first-time token': 20, 'a cached token': 8, 'a refresh that gets 304': 12 }

const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })

/**
 * The functions of core that run while `work` does, by file. What ran before does not count, loading modules included.
 *
 * @param {() => unknown} work
 */
async function executedBy(work) {
  await session.post('Profiler.takePreciseCoverage')
  await work()
  const { result } = await session.post('Profiler.takePreciseCoverage')
  /** @type {Map<string, number>} */
  const functions = new Map()
  for (const script of result) {
    if (!script.url.startsWith(core)) continue
    const count = script.functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0).length
    if (count > 0) functions.set(script.url.slice(core.length), count)
  }
  return functions
}

/** @param {string} token */
function requestWith(token) {
  return { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } }
}

/** An authenticator with keys in memory, which has verified other tokens: what a running service does. */
async function tokens() {
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  const authenticator = createAuthenticator({ issuer: issuer.issuer, audience, requireHttps: false })
  /** @param {string} token */
  async function accept(token) {
    const outcome = await authenticator.authenticate(requestWith(token))
    if (!outcome.ok) throw outcome.error
  }

  for (let index = 0; index < 3; index += 1) await accept(await issuer.sign({ jti: `earlier-${index}` }))
  const token = await issuer.sign({ jti: 'counted' })
  const first = await executedBy(() => accept(token))
  const cached = await executedBy(() => accept(token))
  await authenticator.close()
  await issuer.close()
  return { first, cached }
}

/** A refresh ahead of expiry whose answer is 304. */
async function notModified() {
  const clock = createManualClock()
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience, clock })
  const registry = createRegistry({ requireHttps: false, clock, defaults: { prefetch: 'always' } })
  issuer.setHeaders('jwks', { 'cache-control': 'max-age=600' })
  const { issuer: name, jwksUri } = issuer
  await registry.register({ tenant: 'acme', provider: 'main', issuer: name, jwksUri, network: 'any' })
  await registry.resolve('acme', 'main')

  /** @returns {Promise<boolean>} whether the key set had changed */
  function nextRefresh() {
    return new Promise((resolve, reject) => {
      registry.on('refresh', ({ modified }) => resolve(modified))
      registry.on('refresh-failed', ({ error }) => reject(error))
    })
  }

  const refresh = nextRefresh()
  const functions = await executedBy(async () => {
    const before = issuer.requestCount()
    // In small steps, so that the clock stands still while the request is on its way.
    while (issuer.requestCount() === before) await clock.advance(second)
    if (await refresh) throw new Error('the issuer sent its key set again instead of 304')
  })
  await registry.close()
  await issuer.close()
  return functions
}

const { first, cached } = await tokens()
const measured = {
  'a first-time token': first,
  'a cached token': cached,
  'a refresh that gets 304': await notModified(),
}

let failed = false
for (const [name, functions] of Object.entries(measured)) {
  const target = targets[/** @type {keyof typeof targets} */ (name)]
  const calls = [...functions.values()].reduce((sum, count) => sum + count, 0)
  failed ||= functions.size > target
  console.log(`${name}: ${functions.size} files (target ${target}), ${calls} functions`)
  if (process.argv.includes('--list')) for (const path of [...functions.keys()].toSorted()) console.log(`  ${path}`)
}
session.disconnect()
if (failed && process.argv.includes('--check')) {
  console.error(`${fileURLToPath(core)} needs more files than it should`)
  process.exitCode = 1
}
