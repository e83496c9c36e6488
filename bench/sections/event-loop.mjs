/** Full load of bad tokens: how late does the event loop get? */
import { ours, startApp, unprotected } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import { bogusKids, wrongSignatures } from '../harness/forged.mjs'
import * as format from '../harness/format.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const longestDelay = 20
/** With as few as that, a server has no pause already. */
const fewConnections = 16
const manyConnections = 64

const names = { express: 'Express', koa: 'Koa', fastify: 'Fastify' }
/** @type {Record<string, readonly string[]>} */
const rivals = {
  express: ['jose, remote set', 'express-jwt + jwks-rsa'],
  koa: ['koa-jwt + jwks-rsa'],
  fastify: ['@fastify/jwt + get-jwks'],
}

/**
 * @typedef {{ p50: number, p99: number, max: number }} Delay in milliseconds
 * @typedef {{ rate: number, busy: number, delay: Delay }} Sample
 */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuer = await startIssuer()
  issuer.answerAlways('jwks', { kind: 'normal', delay: 20 })
  const attacker = await startChild('load')
  await attacker.call('tokens', { name: 'bad', tokens: await badTokens(issuer) })

  /** @type {(Sample & { framework: keyof typeof names, protection: string, connections: number })[]} */
  const measured = []
  for (const framework of /** @type {(keyof typeof names)[]} */ (Object.keys(names))) {
    log(framework)
    for (const protection of [unprotected, ours, ...(quick ? [] : (rivals[framework] ?? []))]) {
      const app = await startApp({ framework, protection, setting: issuer })
      for (const connections of [fewConnections, manyConnections]) {
        const result = await fullLoad(app, attacker, { connections, milliseconds: quick ? 300 : 2_000 })
        measured.push({ framework, protection, connections, ...result })
      }
      await app.stop()
    }
  }
  await Promise.all([attacker.stop(), issuer.close()])

  const few = measured.filter(({ connections }) => connections === fewConnections)
  const p99Of = (/** @type {string} */ of) =>
    few
      .filter(({ protection }) => protection === of)
      .map(({ framework, delay }) => `${names[framework]} ${format.duration(delay.p99)}`)
      .join(', ')
  return {
    title: 'The event loop under full load of bad tokens',
    text: [
      'A quarter each have an unknown `kid`, a wrong signature, an expiry in the past, and are no token but garbage. The ' +
        'delay is what `perf_hooks.monitorEventLoopDelay` saw, its sampling interval of 1 ms included. A turn of the loop ' +
        'answers what has come since the last one, so that the delay is the time that a request takes, times the number of ' +
        `connections: ${fewConnections} keep a server busy all the time already, ${manyConnections} only make turns longer, ` +
        'with protection or without. The unprotected application answers them all with 200.',
    ],
    tables: Object.entries(names).map(([framework, title]) => ({
      title,
      head: ['', 'connections', 'answers/s', 'busy', 'delay p50', 'p99', 'longest'],
      rows: measured
        .filter((row) => row.framework === framework)
        .map(({ protection, connections, rate, busy, delay }) => [
          protection,
          String(connections),
          format.perSecond(rate),
          format.percent(busy),
          ...[delay.p50, delay.p99, delay.max].map(format.duration),
        ]),
    })),
    targets: [
      {
        what: `event loop delay, p99, under full load of bad tokens, ${fewConnections} connections`,
        target: `< ${longestDelay} ms`,
        measured: p99Of(ours),
        limit: `unprotected: ${p99Of(unprotected)}`,
        met: few.every(({ protection, delay }) => protection !== ours || delay.p99 < longestDelay),
      },
    ],
  }
}

/**
 * @param {import('../harness/apps.mjs').App} app
 * @param {import('../harness/calls.mjs').Child} attacker
 * @param {{ connections: number, milliseconds: number }} load
 */
async function fullLoad({ port, call }, attacker, { connections, milliseconds }) {
  const plan = { port, tokens: 'bad', connections, milliseconds }
  await attacker.call('full', plan)
  await call('begin')
  /** @type {import('../harness/load.mjs').LoadResult} */
  const { rate } = await attacker.call('full', plan)
  /** @type {{ cpu: number, wall: number, delay: Delay }} */
  const { cpu, wall, delay } = await call('end')
  return { rate, busy: cpu / wall, delay }
}

/** @param {import('../harness/tokens.mjs').TestIssuer} issuer */
async function badTokens(issuer) {
  const past = Math.floor(Date.now() / 1000) - 7_200
  const good = await signTokens(issuer, 200)
  const expired = await signTokens(issuer, 200, { claims: () => ({ iat: past, exp: past + 3_600 }) })
  const forged = wrongSignatures(good)
  return bogusKids(good, 10_000).flatMap((token, index) => {
    const other = index % good.length
    return [token, forged[other] ?? '', expired[other] ?? '', Buffer.from(token).toString('base64url')]
  })
}
