/** Ten thousand tokens with made-up `kid`s in ten seconds: what the issuer and honest clients notice of it. */
import { ours, startApp } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import { bogusKids } from '../harness/forged.mjs'
import * as format from '../harness/format.mjs'
import { median, ratioOf } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

/** Bogus tokens per second, and good ones beside them. */
const bogusRate = 1_000
const goodRate = 300
/** How often ours is flooded: a p99 is that of a few dozen requests, and one pause of the machine is enough for those. */
const floodsOfOurs = 4

const applications = [
  { framework: 'fastify', protection: ours },
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
  const plan = quick ? { bogus: 500, floods: 1 } : { bogus: 10_000, floods: floodsOfOurs }
  const bogus = bogusKids(good, plan.bogus * plan.floods)
  await clients.call('tokens', { name: 'good', tokens: good })
  for (let index = 0; index < plan.floods; index += 1) {
    const tokens = bogus.slice(index * plan.bogus, (index + 1) * plan.bogus)
    await attacker.call('tokens', { name: bogusName(index), tokens })
  }
  await attacker.call('tokens', { name: 'good', tokens: good })
  const past = Math.floor(Date.now() / 1000) - 7_200
  const expired = await signTokens(issuer, 200, { claims: () => ({ iat: past, exp: past + 3_600 }) })
  await attacker.call('tokens', { name: 'expired', tokens: expired })

  const measured = []
  for (const { framework, protection } of applications) {
    log(`${framework}, ${protection}`)
    // Whole floods for ours, whose target it is; a part of one shows what the others do.
    const whole = plan.bogus / bogusRate
    const [seconds, times] = protection === ours ? [whole, plan.floods] : [Math.min(4, whole), 1]
    const app = await startApp({ framework, protection, setting: issuer })
    const floods = await floodRepeatedly(app, { clients, attacker, seconds, issuer }, times)
    measured.push({ framework, protection, floods, ...summaryOf(floods) })
    await app.stop()
  }
  await Promise.all([clients.stop(), attacker.stop(), issuer.close()])

  const own = measured.filter(({ protection }) => protection === ours)
  const rival = measured.find(({ protection }) => protection !== ours)
  const requests = Math.max(...own.map((each) => each.requests))
  const refused = own.reduce((sum, each) => sum + each.refused, 0)
  /** @param {Phase} what @param {Phase} to */
  const factors = (what, to) =>
    own.map(({ framework, floods }) => `${framework} ${format.ratio(slowdown(floods, what, to))}`).join(', ')
  return {
    title: 'A flood of unknown kids',
    text: [
      `Clients with good tokens send ${goodRate} requests per second: first alone; then beside ${format.number(bogusRate)} ` +
        'more per second that are good, too; then beside as many from an attacker, each with another `kid` that does not ' +
        'exist. Latencies are those of the clients, the wait for a free connection included. Load generators, server and ' +
        'issuer share two cores, so that any crowd costs the clients something: what the crowd of good tokens costs them ' +
        'is what to compare an attack with. Before, the server has accepted good tokens and refused expired ones for a ' +
        'while, so that the flood is not the first thing that it ever refuses: the compiler would have its say.',
      `Ours is flooded ${plan.floods} times, each time with other \`kid\`s, in turn before its good crowd and after; the ` +
        'table has the middle of its p99s, and the most of its upstream requests for one flood.',
    ],
    tables: [
      {
        title: 'The flood',
        head: [
          '',
          'bogus tokens',
          'upstream requests',
          'good tokens refused',
          'p99 alone',
          'in a crowd',
          'in the flood',
        ],
        rows: measured.map((each) => [
          `${each.framework}: ${each.protection}`,
          format.number(each.bogusAnswers),
          format.number(each.requests),
          format.number(each.refused),
          ...[each.alone, each.crowded, each.during].map(format.duration),
        ]),
      },
    ],
    targets: [
      {
        what: `${format.number(plan.bogus)} distinct bogus kids in ${Math.round(plan.bogus / bogusRate)} s`,
        target: '≤ 2 upstream requests',
        measured: `${requests}`,
        limit: `jose, remote set, in 4 s: ${rival?.requests}`,
        met: requests <= 2,
      },
      {
        what: 'p99 of good tokens meanwhile, against the same crowd with good tokens',
        target: '≤ 2 ×, none refused',
        measured: `${factors('during', 'crowded')}; ${refused} refused`,
        limit: `against clients alone: ${factors('during', 'alone')}; the good crowd: ${factors('crowded', 'alone')}`,
        met: Math.max(...own.map(({ floods }) => slowdown(floods, 'during', 'crowded').median)) <= 2 && refused === 0,
      },
    ],
  }
}

/** The name of the tokens of one flood. @param {number} index */
function bogusName(index) {
  return `bogus ${index}`
}

/** How much slower the slowest of a hundred are, flood by flood. @param {readonly Flood[]} floods @param {Phase} what @param {Phase} to */
function slowdown(floods, what, to) {
  const p99 = (/** @type {Phase} */ phase) => floods.map((each) => each[phase].latency.p99)
  return ratioOf(p99(what), p99(to))
}

/** @param {readonly Flood[]} floods */
function summaryOf(floods) {
  const p99 = (/** @type {Phase} */ phase) => median(floods.map((each) => each[phase].latency.p99))
  return {
    alone: p99('alone'),
    crowded: p99('crowded'),
    during: p99('during'),
    requests: Math.max(...floods.map((each) => each.requests)),
    refused: floods.reduce((sum, each) => sum + each.refused, 0),
    bogusAnswers: floods.reduce((sum, each) => sum + each.bogusAnswers, 0),
  }
}

/** @typedef {'alone' | 'crowded' | 'during'} Phase */
/** @typedef {Record<Phase, LoadResult> & { requests: number, refused: number, bogusAnswers: number }} Flood */

/**
 * @typedef {object} Parties
 * @property {import('../harness/calls.mjs').Child} clients
 * @property {import('../harness/calls.mjs').Child} attacker
 * @property {number} seconds
 * @property {import('../harness/tokens.mjs').TestIssuer} issuer
 */

/**
 * @param {import('../harness/apps.mjs').App} app
 * @param {Parties} parties
 * @param {number} times
 */
async function floodRepeatedly(app, parties, times) {
  const { clients, attacker, seconds } = parties
  const warmUp = { port: app.port, connections: 32, milliseconds: Math.min(2_000, seconds * 1_000) }
  await clients.call('full', { ...warmUp, tokens: 'good' })
  await attacker.call('full', { ...warmUp, tokens: 'expired' })
  const floods = []
  while (floods.length < times) floods.push(await flood(app, parties, floods.length))
  return floods
}

/**
 * @param {import('../harness/apps.mjs').App} app
 * @param {Parties} parties
 * @param {number} index an odd one has the flood before the crowd
 * @returns {Promise<Flood>}
 */
async function flood({ port }, { clients, attacker, seconds, issuer }, index) {
  const milliseconds = seconds * 1_000
  const honest = { port, tokens: 'good', rate: goodRate, milliseconds }
  const beside = async (/** @type {string} */ tokens) => {
    issuer.clearRequests()
    const [good, others] = await Promise.all([
      clients.call('steady', honest),
      attacker.call('steady', { port, tokens, rate: bogusRate, milliseconds }),
    ])
    return { good, others, requests: issuer.requestCount() }
  }
  /** @type {LoadResult} */
  const alone = await clients.call('steady', honest)
  const names = ['good', bogusName(index)]
  const [first, second] = index % 2 === 0 ? names : names.toReversed()
  const [one, two] = [await beside(first ?? ''), await beside(second ?? '')]
  const [crowd, attack] = index % 2 === 0 ? [one, two] : [two, one]
  if ((attack.others.statuses[200] ?? 0) > 0) throw new Error('a bogus token was let in')
  return {
    alone,
    crowded: crowd.good,
    during: attack.good,
    requests: attack.requests,
    refused: attack.good.answers - (attack.good.statuses[200] ?? 0),
    bogusAnswers: attack.others.answers,
  }
}
