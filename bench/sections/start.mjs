/** What starting costs: the import, and a process from its start to its first verified token. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import * as format from '../harness/format.mjs'
import { audience } from '../harness/ours.mjs'
import { median, present, ratioOf } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const core = new URL('../../packages/core/dist/index.js', import.meta.url).href
const express = new URL('../../packages/express/dist/index.js', import.meta.url).href
const folder = fileURLToPath(new URL('..', import.meta.url))

const ours = 'jwks-auth, core'
const oursExpress = 'jwks-auth, Express adapter'
const peer = 'express-oauth2-jwt-bearer'
const nothing = 'limit: Node and an empty module'

/** Programs that import, and nothing else. @type {Readonly<Record<string, string>>} */
const imports = {
  [ours]: `import '${core}'`,
  [oursExpress]: `import '${express}'`,
  [peer]: `import 'express-oauth2-jwt-bearer'`,
  [nothing]: '',
}

const settings = `const { issuer, jwksUri, audience, token, directory } = JSON.parse(process.env.SETTING)\n`

/** Programs that verify one token and end; each fails where it is refused. @type {Readonly<Record<string, string>>} */
const verifications = {
  [ours]: `import { createAuthenticator } from '${core}'
    ${settings}
    const authenticator = createAuthenticator({ issuer, jwksUri, audience, requireHttps: false })
    const request = { method: 'GET', url: '/', headers: { authorization: 'Bearer ' + token } }
    process.exit((await authenticator.authenticate(request)).ok ? 0 : 1)`,
  'jwks-auth, core, keys on disk': `import { createAuthenticator } from '${core}'
    ${settings}
    const options = { issuer, jwksUri, audience, requireHttps: false, publicKeyPath: directory, integrityKey: false }
    const authenticator = createAuthenticator(options)
    const request = { method: 'GET', url: '/', headers: { authorization: 'Bearer ' + token } }
    const { ok } = await authenticator.authenticate(request)
    if (process.env.SAVE === 'yes') await authenticator.close()
    process.exit(ok ? 0 : 1)`,
  [peer]: `import { auth } from 'express-oauth2-jwt-bearer'
    ${settings}
    const middleware = auth({ issuer, jwksUri, audience, tokenSigningAlg: 'RS256' })
    const headers = { host: 'api.example', authorization: 'Bearer ' + token }
    const given = { method: 'GET', protocol: 'https', originalUrl: '/', url: '/', headers, query: {}, body: {} }
    const request = { ...given, is: () => false, get: (name) => headers[name.toLowerCase()], app: { get: () => false } }
    middleware(request, {}, (error) => process.exit(error === undefined ? 0 : 1))`,
}

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuer = await startIssuer()
  const [token = ''] = await signTokens(issuer, 1)
  const directory = `${folder}dist/start-keys`
  const setting = { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience, token, directory }
  const environment = { SETTING: JSON.stringify(setting) }
  const rounds = quick ? 2 : 21
  log('imports')
  const importing = await inRounds(imports, rounds, environment)
  log('first tokens')
  for (const program of Object.values(verifications)) await start(program, { ...environment, SAVE: 'yes' })
  const verifying = await inRounds(verifications, rounds, environment)
  await issuer.close()

  const importRatio = ratioOf(importing.get(ours) ?? [], importing.get(peer) ?? [])
  const onDisk = ratioOf(verifying.get('jwks-auth, core, keys on disk') ?? [], verifying.get(peer) ?? [])
  const fetched = ratioOf(verifying.get(ours) ?? [], verifying.get(peer) ?? [])
  const bareImport = format.duration(median(present(importing.get(nothing) ?? [])))
  return {
    title: 'Starting',
    text: [
      'The time that a process takes from its start to its end, in turn with the others: with the import alone, and until ' +
        'it has verified its first token, with keys from the issuer or from a directory.',
    ],
    tables: [tableOf('Import', importing), tableOf('From the start to the first verified token', verifying)],
    targets: [
      {
        what: `import, against ${peer}`,
        target: '≤ 1 ×',
        measured: format.ratio(importRatio),
        limit: `an empty module: ${bareImport}`,
        met: importRatio.median <= 1,
      },
      {
        what: `process start to the first verified token with keys on disk, against ${peer}`,
        target: '≤ 1 ×',
        measured: format.ratio(onDisk),
        limit: `with keys fetched: ${format.ratio(fetched)}`,
        met: onDisk.median <= 1,
      },
    ],
  }
}

/** @typedef {Map<string, (number | undefined)[]>} Figures milliseconds by name, one for each round */

/**
 * @param {Readonly<Record<string, string>>} programs
 * @param {number} rounds
 * @param {Readonly<Record<string, string>>} environment
 */
async function inRounds(programs, rounds, environment) {
  const names = Object.keys(programs)
  /** @type {Figures} */
  const figures = new Map(names.map((name) => [name, []]))
  for (const name of names) await start(programs[name] ?? '', environment)
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? names : names.toReversed()
    for (const name of order) figures.get(name)?.push(await start(programs[name] ?? '', environment))
  }
  return figures
}

/** @param {string} title @param {Figures} figures */
function tableOf(title, figures) {
  const rows = [...figures].map(([name, values]) => [name, format.duration(median(present(values)))])
  return { title, head: ['', 'milliseconds of a process'], rows }
}

/**
 * The milliseconds that a program takes, its process included.
 *
 * @param {string} program
 * @param {Readonly<Record<string, string>>} environment
 */
async function start(program, environment) {
  const began = performance.now()
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: folder,
    env: { ...process.env, ...environment, NODE_OPTIONS: '', NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`exit code ${code} of\n${program}`)
  return performance.now() - began
}
