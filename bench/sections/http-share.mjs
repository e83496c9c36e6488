/** What share of an application's throughput is left once it is protected, to a percent. */
import { headerRead, ours, startTogether, unprotected } from '../harness/apps.mjs'
import { startChild } from '../harness/calls.mjs'
import * as format from '../harness/format.mjs'
import { ratioBetween } from '../harness/result.mjs'
import { interleave } from '../harness/rounds.mjs'
import { sampleOf } from '../harness/sample.mjs'
import { median, present } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const again = 'unprotected, again'
const connections = 50
const tokens = '200'
/** What is measured, and by which protection; each is each process's first, second, … application once. */
const contenders = Object.freeze([
  { name: unprotected, protection: unprotected },
  { name: headerRead, protection: headerRead },
  { name: ours, protection: ours },
  { name: again, protection: unprotected },
])
/**
 * How often each contender's application is the first of its process. Applications of Express differ most: V8 gives each
 * request a hidden class of its own there, and how well its caches bear that is another matter in each process.
 */
const frameworks = Object.freeze({
  express: { name: 'Express', turns: 3, target: 0.88 },
  koa: { name: 'Koa', turns: 2, target: 0.92 },
  fastify: { name: 'Fastify', turns: 2, target: 0.92 },
})

/** @typedef {import('../harness/calls.mjs').Child} Child */
/** @typedef {import('../harness/rounds.mjs').Figures} Figures */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuer = await startIssuer({ cacheControl: 'max-age=3600' })
  const load = await startChild('load')
  await load.call('tokens', { name: tokens, tokens: await signTokens(issuer, Number(tokens)) })
  const setting = { issuer: issuer.issuer, jwksUri: issuer.jwksUri }
  const plan = quick ? { warmUps: 1, rounds: 2 } : { warmUps: 5, rounds: 24 }

  const tables = []
  const targets = []
  for (const [framework, { name: title, turns, target }] of Object.entries(frameworks)) {
    log(framework)
    /** @type {Awaited<ReturnType<typeof measure>>[]} */
    const measured = []
    while (measured.length < (quick ? 1 : turns * contenders.length)) {
      measured.push(await measure({ load, framework, setting, first: measured.length % contenders.length, ...plan }))
    }
    const rates = joined(measured.map((process) => process.rates))
    const perCpu = joined(measured.map((process) => process.perCpu))
    const shareOf = (/** @type {string} */ name, figures = rates) => ratioBetween(figures, name, unprotected)
    tables.push({
      title,
      head: ['', 'requests/s', 'of unprotected', 'CPU each', 'of unprotected', 'process by process'],
      rows: contenders.map(({ name }) => [
        name,
        format.perSecond(middle(rates, name)),
        name === unprotected ? '100 %' : format.share(shareOf(name)),
        `${format.number(1e6 / middle(perCpu, name))} µs`,
        name === unprotected ? '100 %' : format.share(shareOf(name, perCpu)),
        name === unprotected
          ? ''
          : measured.map((process) => format.percent(shareOf(name, process.rates).median)).join(', '),
      ]),
    })
    targets.push({
      what: `protected / unprotected requests per second, ${title}, 200 tokens seen before`,
      target: `≥ ${format.percent(target)} of what the same application against itself gives`,
      measured: format.share(shareOf(ours)),
      limit:
        `against itself: ${format.share(shareOf(again))}; with ${headerRead}: ${format.share(shareOf(headerRead))}; ` +
        `by CPU time: ${format.percent(shareOf(ours, perCpu).median)}`,
      met: shareOf(ours).median >= target * shareOf(again).median,
    })
  }
  await Promise.all([load.stop(), issuer.close()])

  return {
    title: 'HTTP: the share that is left',
    text: [
      `The same application, \`{"hello":"world"}\`, unprotected, with ${headerRead}, protected by us, and unprotected once ` +
        'more: four applications with a port each in one server process, under full load in turn. One process of a program ' +
        'can be faster than the next one by more than protection costs; within a process that is the same for all. Which ' +
        'application a process starts first matters as well, so that each of them comes first, second and so on equally often, ' +
        'in processes one after the other.',
      'The second one is the least that a hook or middleware costs which reads the header and leaves it where handlers ' +
        'find it: `request.auth`, `ctx.state.auth`, and in Express `res.locals.auth`, since any member that is added to a ' +
        'request there costs microseconds, which ours saves. What it leaves is the limit for ours.',
      `The load are ${connections} connections that send their next request with the last answer, from a process that ` +
        'never sleeps: whoever sleeps for an answer is woken up by the server, at the server’s cost, and the more often ' +
        'the slower the server is. With 200 RS256 tokens in turn, each is soon remembered; all of the work is on one ' +
        'thread, so that no other one lacks the core.',
    ],
    tables,
    targets,
  }
}

/**
 * Measures one process.
 *
 * @param {object} plan
 * @param {Child} plan.load
 * @param {string} plan.framework
 * @param {import('../harness/apps.mjs').AppSetting} plan.setting
 * @param {number} plan.first which contender's application is started first
 * @param {number} plan.warmUps
 * @param {number} plan.rounds
 */
async function measure({ load, framework, setting, first, warmUps, rounds }) {
  const order = [...contenders.slice(first), ...contenders.slice(0, first)]
  const protections = order.map(({ protection }) => protection)
  const apps = await startTogether({ framework, setting, protections })
  /** Answers per second of CPU time, by name. @type {Figures} */
  const perCpu = new Map()
  const running = apps.map((app, at) => {
    const name = order[at]?.name ?? ''
    /** @type {number[]} */
    const values = []
    perCpu.set(name, values)
    return {
      name,
      run: async (/** @type {number} */ milliseconds) => {
        const { rate, cpu } = await sampleOf(load, app, { tokens, connections, milliseconds, isRestless: true })
        values.push(1e6 / cpu)
        return rate
      },
    }
  })
  await interleave(running, { rounds: warmUps, milliseconds: 400 })
  const rates = await interleave(running, { rounds, milliseconds: 100 })
  await Promise.all(apps.map((app) => app.stop()))
  // Only those of the last rounds: what came before was warming up.
  for (const [name, values] of perCpu) perCpu.set(name, values.slice(-rounds))
  return { rates, perCpu }
}

/** The rounds of several processes, one after the other. @param {readonly Figures[]} figures @returns {Figures} */
function joined(figures) {
  return new Map(contenders.map(({ name }) => [name, figures.flatMap((one) => one.get(name) ?? [])]))
}

/** @param {Figures} figures @param {string} name */
function middle(figures, name) {
  return median(present(figures.get(name) ?? []))
}
