/** Ten thousand tokens with made-up `kid`s in ten seconds: what the issuer and honest clients notice of it. */
import { ours, startApp, unprotected } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import { bogusKids, wrongSignatures } from '../harness/forged.mjs'
import * as format from '../harness/format.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

/** Bogus tokens per second, and good ones beside them. */
const bogusRate = 1_000
const goodRate = 300
const longestDelay = 20

const applications = [
  { framework: 'express', protection: ours },
  { framework: 'express', protection: 'jose, remote set' },
  { framework: 'express', protection: 'express-jwt + jwks-rsa' },
  { framework: 'fastify', protection: '@fastify/jwt + get-jwks' },
]

/** @typedef {import('../harness/load.mjs').LoadResult} LoadResult */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuer = await startIssuer()
  issuer.answerAlways('jwks', { kind: 'normal', delay: 20 })
  const good = await signTokens(issuer, 200)
  const [clients, attacker] = await Promise.all([startChild('load'), startChild('load')])
  const bogus = bogusKids(good, quick ? 500 : 10_000)
  await clients.call('tokens', { name: 'good', tokens: good })
  await attacker.call('tokens', { name: 'bogus', tokens: bogus })
  await attacker.call('tokens', { name: 'mixed', tokens: await mixedTokens(issuer, good, bogus) })

  const floods = []
  for (const { framework, protection } of applications) {
    log(`${framework}, ${protection}`)
    // The whole flood for ours, whose target it is; a part of it shows what the others do.
    const seconds = protection === ours ? bogus.length / bogusRate : Math.min(4, bogus.length / bogusRate)
    const app = await startApp({ framework, protection, setting: issuer })
    floods.push({ framework, protection, ...(await flood(app, { clients, attacker, seconds, issuer })) })
    await app.stop()
  }
  const delays = []
  const rivals = quick ? [] : ['jose, remote set', 'express-jwt + jwks-rsa']
  for (const protection of [unprotected, ours, ...rivals]) {
    const app = await startApp({ framework: 'express', protection, setting: issuer })
    delays.push({ protection, ...(await fullOfBogus(app, attacker, quick ? 400 : 2_000)) })
    await app.stop()
  }
  await Promise.all([clients.stop(), attacker.stop(), issuer.close()])

  const [own] = floods
  if (own === undefined) throw new Error('no flood')
  const ownDelay = delays.find(({ protection }) => protection === ours)?.delay
  const idle = delays.find(({ protection }) => protection === unprotected)?.delay
  const slower = own.during.latency.p99 / own.before.latency.p99
  const chance = own.after.latency.p99 / own.before.latency.p99
  return {
    title: 'A flood of unknown kids',
    text: [
      `Clients with good tokens send ${goodRate} requests per second, first alone, then beside an attacker who sends ` +
        `${format.number(bogusRate)} tokens per second, each with another \`kid\` that does not exist, then alone again. ` +
        'Latencies are theirs, the wait for a free connection included. Load generators, server and issuer share the ' +
        'machine, so that the attack costs honest clients something even where the server does nothing about it.',
      'Below that: the event loop under full load of bad tokens, 64 connections, a quarter each with an unknown `kid`, ' +
        'a wrong signature, an expiry in the past, and no token but garbage. The delay is what ' +
        '`perf_hooks.monitorEventLoopDelay` saw, its sampling interval of 1 ms included.',
    ],
    tables: [
      {
        title: 'The flood',
        head: ['', 'bogus tokens', 'upstream requests', 'good tokens refused', 'p99 before', 'during', 'after'],
        rows: floods.map(({ framework, protection, bogusAnswers, requests, refused, before, during, after }) => [
          `${framework}: ${protection}`,
          format.number(bogusAnswers),
          format.number(requests),
          format.number(refused),
          ...[before, during, after].map(({ latency }) => format.duration(latency.p99)),
        ]),
      },
      {
        title: 'The event loop under full load of bad tokens, in Express',
        head: ['', 'refusals/s', 'delay p50', 'p99', 'longest'],
        rows: delays.map(({ protection, rate, delay }) => [
          protection === unprotected ? 'unprotected (answers all)' : protection,
          format.perSecond(rate),
          ...[delay.p50, delay.p99, delay.max].map(format.duration),
        ]),
      },
    ],
    targets: [
      {
        what: `${format.number(own.bogusAnswers)} distinct bogus kids in ${Math.round(own.bogusAnswers / bogusRate)} s`,
        target: '≤ 2 upstream requests',
        measured: `${own.requests}`,
        limit: `jose, remote set, in 4 s: ${floods[1]?.requests}`,
        met: own.requests <= 2,
      },
      {
        what: 'p99 of good tokens meanwhile, against before',
        target: '≤ 2 ×, none refused',
        measured: `${slower.toFixed(2)} ×, ${own.refused} refused`,
        limit: `after, against before: ${chance.toFixed(2)} ×`,
        met: slower <= 2 && own.refused === 0,
      },
      {
        what: 'event loop delay, p99, under full load of bad tokens',
        target: `< ${longestDelay} ms`,
        measured: format.duration(ownDelay?.p99 ?? Number.NaN),
        limit: `unprotected, same load: ${format.duration(idle?.p99 ?? Number.NaN)}`,
        met: (ownDelay?.p99 ?? Number.NaN) < longestDelay,
      },
    ],
  }
}

/**
 * @param {import('../harness/apps.mjs').App} app
 * @param {object} parties
 * @param {import('../harness/calls.mjs').Child} parties.clients
 * @param {import('../harness/calls.mjs').Child} parties.attacker
 * @param {number} parties.seconds
 * @param {import('../harness/tokens.mjs').TestIssuer} parties.issuer
 */
async function flood({ port }, { clients, attacker, seconds, issuer }) {
  const calm = { port, tokens: 'good', rate: goodRate, milliseconds: Math.min(3_000, seconds * 1_000) }
  await clients.call('full', { port, tokens: 'good', connections: 32, milliseconds: Math.min(2_000, seconds * 1_000) })
  /** @type {LoadResult} */
  const before = await clients.call('steady', calm)
  issuer.clearRequests()
  /** @type {LoadResult[]} */
  const [during, attack] = await Promise.all([
    clients.call('steady', { ...calm, milliseconds: seconds * 1_000 }),
    attacker.call('steady', { port, tokens: 'bogus', rate: bogusRate, milliseconds: seconds * 1_000 }),
  ])
  const requests = issuer.requestCount()
  /** @type {LoadResult} */
  const after = await clients.call('steady', calm)
  if (during === undefined || attack === undefined) throw new Error('no load')
  if ((attack.statuses[200] ?? 0) > 0) throw new Error('a bogus token was let in')
  const refused = during.answers - (during.statuses[200] ?? 0)
  return { before, during, after, requests, refused, bogusAnswers: attack.answers }
}

/** @param {import('../harness/apps.mjs').App} app @param {import('../harness/calls.mjs').Child} attacker @param {number} milliseconds */
async function fullOfBogus({ port, call }, attacker, milliseconds) {
  const plan = { port, tokens: 'mixed', connections: 64 }
  await attacker.call('full', { ...plan, milliseconds })
  await call('begin')
  /** @type {LoadResult} */
  const { rate } = await attacker.call('full', { ...plan, milliseconds })
  /** @type {{ delay: { p50: number, p99: number, max: number } }} */
  const { delay } = await call('end')
  return { rate, delay }
}

/** @param {import('../harness/tokens.mjs').TestIssuer} issuer @param {readonly string[]} good @param {readonly string[]} bogus */
async function mixedTokens(issuer, good, bogus) {
  const past = Math.floor(Date.now() / 1000) - 7_200
  const expired = await signTokens(issuer, 200, { claims: () => ({ iat: past, exp: past + 3_600 }) })
  const forged = wrongSignatures(good)
  return bogus.flatMap((token, index) => {
    const other = index % good.length
    return [token, forged[other] ?? '', expired[other] ?? '', Buffer.from(token).toString('base64url')]
  })
}
