/** What idle tenants and remembered tokens cost in memory. */
import * as format from '../harness/format.mjs'
import { bytesInUse, timersSet } from '../harness/heap.mjs'
import { createAuthenticator, createRegistry, optionsFor, requestWith } from '../harness/ours.mjs'
import { ratioBetween } from '../harness/result.mjs'
import { inTurn, interleave, throughput } from '../harness/rounds.mjs'
import { median } from '../harness/statistics.mjs'
import { authorizationBytes, signTokens, startIssuer } from '../harness/tokens.mjs'

const longestIdle = 1_024
const few = 10

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  log('tenants')
  const tenants = quick ? 10_000 : 100_000
  const idle = await idleTenants(tenants, quick)
  log('remembered tokens')
  const remembered = await rememberedTokens(quick ? 500 : 5_000)

  const [all, some] = [format.number(idle.tenants), format.number(idle.inUse)]
  const share = (/** @type {string} */ one, /** @type {string} */ other) =>
    format.share(ratioBetween(idle.figures, one, other))
  return {
    title: 'Memory',
    text: [
      `A registry with ${format.number(tenants)} registered tenants, of which one in a hundred is in use. What an idle ` +
        'one takes includes the strings it was registered with. Bytes are what is in use after a full collection, ' +
        'buffers outside of the heap included.',
    ],
    tables: [
      {
        title: 'Memory',
        head: ['', ''],
        rows: [
          ['an idle tenant', format.bytes(idle.each)],
          ['a tenant in use, its keys included', format.bytes(idle.eachInUse)],
          ['timers after registering', format.number(idle.timers)],
          [`a remembered token of ${Math.round(remembered.length)} characters`, format.bytes(remembered.each)],
        ],
      },
      {
        title: '`resolve`',
        head: ['', 'of its speed', 'with'],
        rows: [
          [`10 of ${all} tenants in turn`, share('few of many', 'few'), '10 of 10'],
          ['10 of 10', share('few, again', 'few'), '10 of 10'],
          [`${some} of ${all}`, share('in use of many', 'all in use'), `${some} of ${some}`],
          [`${some} of ${some}`, share('all in use', 'few'), '10 of 10'],
        ],
      },
    ],
    targets: targets(idle),
  }
}

/** @param {Awaited<ReturnType<typeof idleTenants>>} idle */
function targets(idle) {
  const speed = ratioBetween(idle.figures, 'few of many', 'few')
  const chance = ratioBetween(idle.figures, 'few, again', 'few')
  return [
    {
      what: `${format.number(idle.tenants)} registered tenants, 1 % in use: an idle one`,
      target: '≤ 1 KiB, no timer',
      measured: `${format.bytes(idle.each)}, ${idle.timers} timers`,
      limit: `one in use: ${format.bytes(idle.eachInUse)}`,
      met: idle.each <= longestIdle && idle.timers === 0,
    },
    {
      what: '`resolve` there, against a registry with 10',
      target: 'as fast',
      measured: format.share(speed),
      limit: `10 against 10: ${format.share(chance)}`,
      met: speed.high >= chance.low,
    },
  ]
}

/** @typedef {ReturnType<typeof createRegistry>} Registry */

/** @param {number} tenants @param {boolean} quick */
async function idleTenants(tenants, quick) {
  const inUse = tenants / 100
  const issuer = await startIssuer({ cacheControl: 'max-age=3600' })
  const create = () => createRegistry({ requireHttps: false, defaults: { network: 'any' } })
  const [small, smallAgain, medium, large] = [create(), create(), create(), create()]
  await registerTenants(small, issuer.jwksUri, few)
  await registerTenants(smallAgain, issuer.jwksUri, few)
  await registerTenants(medium, issuer.jwksUri, inUse)
  const timersBefore = timersSet()
  const empty = await bytesInUse()
  await registerTenants(large, issuer.jwksUri, tenants)
  const registered = await bytesInUse()
  const timers = timersSet() - timersBefore
  await useTenants(large, inUse)
  const used = await bytesInUse()
  await useTenants(medium, inUse)

  const figures = await interleave(
    Object.entries({
      few: resolver(small, few),
      'few, again': resolver(smallAgain, few),
      'few of many': resolver(large, few),
      'all in use': resolver(medium, inUse),
      'in use of many': resolver(large, inUse),
    }).map(([name, operation]) => ({ name, run: (milliseconds) => throughput(operation, { milliseconds }) })),
    quick ? { rounds: 3, milliseconds: 50 } : { rounds: 11, milliseconds: 120, warmUp: 300 },
  )
  await Promise.all([small, smallAgain, medium, large].map((registry) => registry.close()))
  await issuer.close()
  const each = (registered - empty) / tenants
  return { tenants, inUse, each, eachInUse: each + (used - registered) / inUse, timers, figures }
}

/** @param {Registry} registry @param {string} jwksUri @param {number} count */
async function registerTenants(registry, jwksUri, count) {
  for (let index = 0; index < count; index += 1) {
    const tenant = `tenant-${index}`
    const issuer = `https://${tenant}.example/`
    await registry.register({ tenant, provider: 'main', issuer, jwksUri: `${jwksUri}?tenant=${index}` })
  }
}

/** @param {Registry} registry @param {number} count of tenants, the first ones */
async function useTenants(registry, count) {
  for (let index = 0; index < count; index += few) {
    const some = Array.from({ length: few }, (_, offset) => `tenant-${index + offset}`)
    await Promise.all(some.map((tenant) => registry.resolve(tenant, 'main')))
  }
}

/** @param {Registry} registry @param {number} count of tenants that are asked for in turn */
function resolver(registry, count) {
  const next = inTurn(Array.from({ length: count }, (_, index) => `tenant-${index}`))
  return () => registry.resolve(next(), 'main')
}

/** @param {number} count */
async function rememberedTokens(count) {
  const issuer = await startIssuer()
  const headers = authorizationBytes(await signTokens(issuer, count + 1_000))
  const authenticator = createAuthenticator(optionsFor(issuer))
  // The first ones pay for compiled code and imported keys.
  await authenticateAll(authenticator, headers.slice(0, 1_000))
  const before = await bytesInUse()
  await authenticateAll(authenticator, headers.slice(1_000))
  const each = ((await bytesInUse()) - before) / count
  await Promise.all([authenticator.close(), issuer.close()])
  return { each, length: median(headers.map((header) => header.length - 'Bearer '.length)) }
}

/** @param {ReturnType<typeof createAuthenticator>} authenticator @param {readonly Buffer[]} headers */
async function authenticateAll(authenticator, headers) {
  let next = 0
  const lane = async () => {
    while (next < headers.length) {
      const bytes = headers[next]
      next += 1
      const outcome = await authenticator.authenticate(requestWith(bytes?.toString('latin1') ?? ''))
      if (!outcome.ok) throw outcome.error
    }
  }
  await Promise.all(Array.from({ length: 32 }, lane))
}
