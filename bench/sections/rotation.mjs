/** New signing keys under load: is a good token refused, and does a request wait? */
import { setTimeout as sleep } from 'node:timers/promises'
import { ours, startApp } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import * as format from '../harness/format.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

/** How long the issuer takes to answer, in milliseconds: whoever waits for it is seen to. */
const upstream = 400
const rate = 400
/** Keys are good for two seconds, so that many refreshes happen during the run. */
const cacheControl = 'max-age=2'

const applications = [
  { framework: 'fastify', protection: ours, options: { minTtl: 1_000, prefetchJitter: 100 } },
  { framework: 'express', protection: ours, options: { minTtl: 1_000, prefetchJitter: 100 } },
  { framework: 'express', protection: 'jose, remote set' },
  { framework: 'express', protection: 'express-jwt + jwks-rsa' },
]

/** @typedef {import('../harness/load.mjs').LoadResult} LoadResult */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const clients = await startChild('load')
  const phase = quick ? 1_500 : 2_500
  const measured = []
  for (const { framework, protection, options = {} } of applications) {
    if (quick && (framework !== 'fastify' || protection !== ours)) continue
    log(`${framework}, ${protection}`)
    measured.push({ framework, protection, ...(await rotate({ framework, protection, options, clients, phase })) })
  }
  await clients.stop()

  const own = measured.filter(({ protection }) => protection === ours)
  const refused = own.reduce((sum, { orderly }) => sum + orderly.refused, 0)
  const longest = Math.max(...own.map(({ orderly }) => orderly.longest))
  return {
    title: 'Rotation under load',
    text: [
      `${rate} requests per second with good tokens while the issuer, which takes ${upstream} ms to answer and allows ` +
        'its keys to be kept for two seconds, changes its signing key. In an orderly rotation the new key is published ' +
        'first, signs a time to live later, and the old one is withdrawn when its tokens are gone: no request should ' +
        'notice. In an abrupt one the new key signs as soon as it is published, so that the first requests have to ' +
        'wait for a refetch. The others have their default settings, under which they learn of a key when a ' +
        'token first names it.',
    ],
    tables: [
      {
        title: 'Rotation under load',
        head: ['', 'requests', 'refused', 'longest wait', 'abrupt: refused', 'longest wait', 'upstream requests'],
        rows: measured.map(({ framework, protection, orderly, abrupt, requests }) => [
          `${framework}: ${protection}`,
          format.number(orderly.answers + abrupt.answers),
          format.number(orderly.refused),
          format.duration(orderly.longest),
          format.number(abrupt.refused),
          format.duration(abrupt.longest),
          format.number(requests),
        ]),
      },
    ],
    targets: [
      {
        what: 'an orderly key rotation under load',
        target: 'no good token refused, no request waits on a refresh',
        measured: `${refused} refused, longest wait ${format.duration(longest)}`,
        limit: `a refresh takes ${upstream} ms`,
        met: refused === 0 && longest < upstream / 2,
      },
    ],
  }
}

/**
 * @param {object} plan
 * @param {string} plan.framework
 * @param {string} plan.protection
 * @param {Record<string, unknown>} plan.options
 * @param {import('../harness/calls.mjs').Child} plan.clients
 * @param {number} plan.phase milliseconds
 */
async function rotate({ framework, protection, options, clients, phase }) {
  const issuer = await startIssuer({ cacheControl })
  issuer.answerAlways('jwks', { kind: 'normal', delay: upstream })
  const { issuer: identifier, jwksUri } = issuer
  const app = await startApp({ framework, protection, setting: { issuer: identifier, jwksUri, options } })
  const name = `${framework} ${protection}`
  const load = async (/** @type {readonly string[]} */ tokens, /** @type {() => unknown} */ meanwhile) => {
    await clients.call('tokens', { name, tokens })
    const running = clients.call('steady', { port: app.port, tokens: name, rate, milliseconds: phase })
    await sleep(phase / 4)
    await meanwhile()
    return /** @type {LoadResult} */ (await running)
  }

  const first = issuer.signingKey
  const byFirst = await signTokens(issuer, 200)
  await clients.call('tokens', { name, tokens: byFirst })
  await clients.call('full', { port: app.port, tokens: name, connections: 32, milliseconds: phase / 2 })
  issuer.clearRequests()

  const second = await issuer.addKey({ kid: 'second' })
  const bySecond = await signTokens(issuer, 200, { key: second })
  const phases = [
    await load(byFirst, () => undefined),
    await load(
      byFirst.flatMap((token, index) => [token, bySecond[index] ?? '']),
      () => undefined,
    ),
    await load(bySecond, () => issuer.removeKey(first.kid)),
  ]
  const third = await issuer.addKey({ kid: 'third' })
  const abrupt = [await load(await signTokens(issuer, 200, { key: third }), () => undefined)]
  const requests = issuer.requestCount()
  await Promise.all([app.stop(), issuer.close()])
  return { orderly: summary(phases), abrupt: summary(abrupt), requests }
}

/** @param {readonly LoadResult[]} phases */
function summary(phases) {
  return {
    answers: phases.reduce((sum, { answers }) => sum + answers, 0),
    refused: phases.reduce((sum, { answers, statuses }) => sum + answers - (statuses[200] ?? 0), 0),
    longest: Math.max(...phases.map(({ latency }) => latency.max)),
  }
}
