/** The price of protection, beside what others cost: requests per second of one application, protected and not. */
import { ours, startApp, unprotected } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import * as format from '../harness/format.mjs'
import { hasTokenCache, tokenCacheOf } from '../harness/ours.mjs'
import { barChart } from '../harness/plot.mjs'
import { ratioBetween } from '../harness/result.mjs'
import { interleave } from '../harness/rounds.mjs'
import { sampleOf } from '../harness/sample.mjs'
import { median, present } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const again = 'unprotected, again'
const oursLarge = 'jwks-auth, tokenCache.max 25 000'
const connections = 50
/** Two processes of one program differ more than two rounds of one process do. */
const processesOfEach = 3
const warmUpMilliseconds = 500

const peersOf = {
  express: ['jose, remote set', 'express-oauth2-jwt-bearer', 'express-jwt + jwks-rsa'],
  koa: ['koa-jwt + jwks-rsa'],
  fastify: ['@fastify/jwt + get-jwks', '@fastify/jwt + get-jwks, cache'],
}
const names = { express: 'Express', koa: 'Koa', fastify: 'Fastify' }

/**
 * @typedef {import('../harness/sample.mjs').Sample} Sample
 * @typedef {import('../harness/calls.mjs').Child} Child
 * @typedef {import('../harness/apps.mjs').App} App
 * @typedef {{ name: string, apps: App[], samples: Sample[] }} Runner `apps`: the processes that take turns
 */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuer = await startIssuer({ cacheControl: 'max-age=3600' })
  const load = await startChild('load')
  const many = quick ? 200 : 20_000
  log(`signing ${many} tokens`)
  const tokens = await signTokens(issuer, many)
  for (const count of [1, 200, many]) {
    await load.call('tokens', { name: String(count), tokens: tokens.slice(0, count) })
  }

  const tables = []
  const plots = []
  for (const framework of /** @type {(keyof typeof peersOf)[]} */ (Object.keys(peersOf))) {
    log(framework)
    const start = async (/** @type {string} */ name, { processes = 1, options = {} } = {}) => {
      const protection = name === again ? unprotected : name === oursLarge ? ours : name
      const { issuer: identifier, jwksUri } = issuer
      /** @type {Runner} */
      const runner = { name, apps: [], samples: [] }
      while (runner.apps.length < processes) {
        runner.apps.push(await startApp({ framework, protection, setting: { issuer: identifier, jwksUri, options } }))
      }
      return runner
    }
    const several = { processes: quick ? 1 : processesOfEach }
    const own = [await start(unprotected, several), await start(ours, several)]
    const itself = await start(again, several)
    const large = hasTokenCache ? [await start(oursLarge, { options: tokenCacheOf(25_000) })] : []
    const peers = await Promise.all(peersOf[framework].map((name) => start(name)))

    await warmUp(load, [...own, itself, ...large, ...peers], quick ? 1 : 7)
    const seen = await measure(
      load,
      [...own, itself, ...peers],
      '200',
      planFor(quick, { rounds: 12 * processesOfEach, peersEvery: 3 }),
    )
    tables.push(table(`${names[framework]}, 200 tokens in turn`, seen, [...own, itself, ...peers]))
    plots.push(plotFor(framework, seen))

    for (const count of quick ? [] : [1, many]) {
      const runners = count === many ? [...own, ...large, ...peers] : [...own, ...peers]
      if (count === many) await fillCaches(load, [...own, ...large], String(many))
      const plan = planFor(quick, { rounds: 8 * processesOfEach, peersEvery: 3 })
      const figures = await measure(load, runners, String(count), plan)
      const title = count === 1 ? 'one token' : `${format.number(many)} tokens at random`
      tables.push(table(`${names[framework]}, ${title}`, figures, runners))
    }
    const apps = [...own, itself, ...large, ...peers].flatMap((runner) => runner.apps)
    await Promise.all(apps.map((app) => app.stop()))
  }
  await Promise.all([load.stop(), issuer.close()])

  return {
    title: 'HTTP: protected by us, by others, and not at all',
    text: [
      `The same application, \`{"hello":"world"}\`, behind nothing, behind us, behind what its users choose today. Each ` +
        `is a process of its own and runs under full load, ${connections} connections that send their next request ` +
        'with the last answer; the load generator is another process. A share is of the unprotected application’s ' +
        'requests per second in the same round. `unprotected, again` is the same application once more: how far it is ' +
        `from 100 % is what chance alone does here. Of these two and of ours there are ${processesOfEach} processes each ` +
        'that take turns, since one process may be faster than the next with the same program. CPU is that of the server process, all threads. A server ' +
        'that is busy less than about 95 % was waiting for the load generator, which flatters the protected ones.',
      'Tokens are RS256. With 200 of them each is soon in every cache that there is. 20 000, picked at random, are ' +
        'twice what our cache and twenty times what fast-jwt’s holds by default.',
    ],
    tables,
    targets: [],
    plots,
  }
}

/**
 * Many short rounds rather than a few long ones: what a neighbour takes changes within a second.
 *
 * @param {boolean} quick
 * @param {{ rounds: number, peersEvery: number }} plan
 */
function planFor(quick, { rounds, peersEvery }) {
  return quick
    ? { rounds: 2, peersEvery: 2, milliseconds: 100, warmUp: 100 }
    : { rounds, peersEvery, milliseconds: 100, warmUp: 100 }
}

/**
 * Every process in turn, several times, since the load generator is cold at first, too. Processes that were warmed up one
 * after the other differed by their place in that order.
 *
 * @param {Child} load
 * @param {readonly Runner[]} runners
 * @param {number} passes
 */
async function warmUp(load, runners, passes) {
  for (let pass = 0; pass < passes; pass += 1) {
    for (const { port } of runners.flatMap(({ apps }) => apps)) {
      await load.call('full', { port, tokens: '200', connections, milliseconds: warmUpMilliseconds })
    }
  }
}

/**
 * @param {Child} load
 * @param {readonly Runner[]} runners
 * @param {string} tokens
 * @param {{ rounds: number, peersEvery: number, milliseconds: number, warmUp: number }} plan the warm-up is of the
 *   connections alone
 */
async function measure(load, runners, tokens, { peersEvery, ...plan }) {
  const known = new Set([unprotected, again, ours])
  const contenders = runners.map((runner) => {
    runner.samples.length = 0
    return {
      name: runner.name,
      every: known.has(runner.name) ? 1 : peersEvery,
      run: (/** @type {number} */ milliseconds) => sample(load, runner, tokens, milliseconds),
    }
  })
  return interleave(contenders, plan)
}

/** @param {Child} load @param {Runner} runner @param {string} tokens @param {number} milliseconds */
async function sample(load, { apps, samples }, tokens, milliseconds) {
  const app = apps[samples.length % apps.length]
  if (app === undefined) throw new Error('no process')
  const taken = await sampleOf(load, app, { tokens, connections, milliseconds, shuffled: tokens !== '200' })
  samples.push(taken)
  return taken.rate
}

/** Each token once, so that a cache that can hold them all does. @param {Child} load @param {readonly Runner[]} runners @param {string} tokens */
async function fillCaches(load, runners, tokens) {
  const guarded = runners.filter(({ name }) => name !== unprotected)
  for (const { port } of guarded.flatMap(({ apps }) => apps)) {
    await load.call('full', { port, tokens, connections, milliseconds: 15_000, count: Number(tokens) })
  }
}

/** The first sample is the warm-up's. @param {Runner} runner @param {keyof Sample} member */
function middle({ samples }, member) {
  return median(samples.slice(1).map((sample) => sample[member]))
}

/** @param {string} title @param {import('../harness/rounds.mjs').Figures} figures @param {readonly Runner[]} runners */
function table(title, figures, runners) {
  const plain = runners.find(({ name }) => name === unprotected)
  const rows = runners.map((runner) => {
    const { name } = runner
    const share = name === unprotected ? '100 %' : format.share(ratioBetween(figures, name, unprotected))
    const cpu = middle(runner, 'cpu')
    const more = plain === undefined || runner === plain ? '' : ` (${format.number(cpu - middle(plain, 'cpu'))} more)`
    const rate = format.perSecond(median(present(figures.get(name) ?? [])))
    const p99 = format.duration(middle(runner, 'p99'))
    return [name, rate, share, p99, `${format.number(cpu)} µs${more}`, format.percent(middle(runner, 'busy'))]
  })
  return { title, head: ['', 'requests/s', 'of unprotected', 'p99', 'CPU each', 'busy'], rows }
}

/** @param {keyof typeof names} framework @param {import('../harness/rounds.mjs').Figures} figures */
function plotFor(framework, figures) {
  const shares = [...figures.keys()].map((label) => {
    const values = figures.get(label) ?? []
    const plain = figures.get(unprotected) ?? []
    return {
      label,
      values: values.flatMap((value, round) => (value === undefined ? [] : [value / (plain[round] ?? 1)])),
    }
  })
  const kindOf = (/** @type {string} */ label) =>
    label === ours ? 'ours' : label.startsWith(unprotected) ? 'limit' : 'theirs'
  return {
    file: `http-${framework}.svg`,
    title: `Requests per second in ${names[framework]} as a share of the unprotected application's`,
    svg: barChart({
      title: `${names[framework]}: requests per second, as a share of the unprotected application's`,
      subtitle: 'RS256, 200 tokens in turn, full load; median and middle half of the rounds',
      bars: shares.map((bar) => ({ ...bar, kind: kindOf(bar.label) })),
      label: format.percent,
    }),
  }
}
