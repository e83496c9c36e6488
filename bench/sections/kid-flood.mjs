/** Ten thousand tokens with made-up `kid`s in ten seconds: what the issuer and honest clients notice of it. */
import { ours, startApp } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import { bogusKids } from '../harness/forged.mjs'
import * as format from '../harness/format.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

/** Bogus tokens per second, and good ones beside them. */
const bogusRate = 1_000
const goodRate = 300

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
  const bogus = bogusKids(good, quick ? 500 : 10_000)
  await clients.call('tokens', { name: 'good', tokens: good })
  await attacker.call('tokens', { name: 'bogus', tokens: bogus })
  await attacker.call('tokens', { name: 'good', tokens: good })
  const past = Math.floor(Date.now() / 1000) - 7_200
  const expired = await signTokens(issuer, 200, { claims: () => ({ iat: past, exp: past + 3_600 }) })
  await attacker.call('tokens', { name: 'expired', tokens: expired })

  const floods = []
  for (const { framework, protection } of applications) {
    log(`${framework}, ${protection}`)
    // The whole flood for ours, whose target it is; a part of it shows what the others do.
    const seconds = protection === ours ? bogus.length / bogusRate : Math.min(4, bogus.length / bogusRate)
    const app = await startApp({ framework, protection, setting: issuer })
    floods.push({ framework, protection, ...(await flood(app, { clients, attacker, seconds, issuer })) })
    await app.stop()
  }
  await Promise.all([clients.stop(), attacker.stop(), issuer.close()])

  const own = floods.filter(({ protection }) => protection === ours)
  const rival = floods.find(({ protection }) => protection !== ours)
  const requests = Math.max(...own.map((each) => each.requests))
  const refused = own.reduce((sum, each) => sum + each.refused, 0)
  const slower = own.map(({ during, crowded }) => during.latency.p99 / crowded.latency.p99)
  const factors = (/** @type {typeof own} */ of, /** @type {'during' | 'crowded'} */ what) =>
    of.map((each) => `${each.framework} ${(each[what].latency.p99 / each.alone.latency.p99).toFixed(2)} ×`).join(', ')
  return {
    title: 'A flood of unknown kids',
    text: [
      `Clients with good tokens send ${goodRate} requests per second: first alone; then beside ${format.number(bogusRate)} ` +
        'more per second that are good, too; then beside as many from an attacker, each with another `kid` that does not ' +
        'exist. Latencies are those of the clients, the wait for a free connection included. Load generators, server and ' +
        'issuer share two cores, so that any crowd costs the clients something: what the crowd of good tokens costs them ' +
        'is what to compare an attack with. Before, the server has accepted good tokens and refused expired ones for a ' +
        'while, so that the flood is not the first thing that it ever refuses: the compiler would have its say.',
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
        rows: floods.map((each) => [
          `${each.framework}: ${each.protection}`,
          format.number(each.bogusAnswers),
          format.number(each.requests),
          format.number(each.refused),
          ...[each.alone, each.crowded, each.during].map(({ latency }) => format.duration(latency.p99)),
        ]),
      },
    ],
    targets: [
      {
        what: `${format.number(bogus.length)} distinct bogus kids in ${Math.round(bogus.length / bogusRate)} s`,
        target: '≤ 2 upstream requests',
        measured: `${requests}`,
        limit: `jose, remote set, in 4 s: ${rival?.requests}`,
        met: requests <= 2,
      },
      {
        what: 'p99 of good tokens meanwhile, against the same crowd with good tokens',
        target: '≤ 2 ×, none refused',
        measured: `${own.map(({ framework }, index) => `${framework} ${slower[index]?.toFixed(2)} ×`).join(', ')}; ${refused} refused`,
        limit: `against clients alone: ${factors(own, 'during')}; the good crowd: ${factors(own, 'crowded')}`,
        met: Math.max(...slower) <= 2 && refused === 0,
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
  const milliseconds = seconds * 1_000
  const honest = { port, tokens: 'good', rate: goodRate, milliseconds }
  const warmUp = { port, connections: 32, milliseconds: Math.min(2_000, milliseconds) }
  await clients.call('full', { ...warmUp, tokens: 'good' })
  await attacker.call('full', { ...warmUp, tokens: 'expired' })
  /** @type {(tokens: string) => Promise<LoadResult[]>} */
  const beside = (tokens) =>
    Promise.all([
      clients.call('steady', honest),
      attacker.call('steady', { port, tokens, rate: bogusRate, milliseconds }),
    ])
  /** @type {LoadResult} */
  const alone = await clients.call('steady', honest)
  const [crowded] = await beside('good')
  issuer.clearRequests()
  const [during, attack] = await beside('bogus')
  const requests = issuer.requestCount()
  if (crowded === undefined || during === undefined || attack === undefined) throw new Error('no load')
  if ((attack.statuses[200] ?? 0) > 0) throw new Error('a bogus token was let in')
  const refused = during.answers - (during.statuses[200] ?? 0)
  return { alone, crowded, during, requests, refused, bogusAnswers: attack.answers }
}
