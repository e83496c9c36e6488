/** What share of an application's throughput is left once it is protected, to a percent. */
import { ours, startTogether, unprotected } from '../harness/apps.mjs'
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
const target = 0.94
const names = { express: 'Express', koa: 'Koa', fastify: 'Fastify' }

/** @typedef {import('../harness/calls.mjs').Child} Child */
/** @typedef {import('../harness/rounds.mjs').Figures} Figures */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuer = await startIssuer({ cacheControl: 'max-age=3600' })
  const load = await startChild('load')
  await load.call('tokens', { name: tokens, tokens: await signTokens(issuer, Number(tokens)) })
  const setting = { issuer: issuer.issuer, jwksUri: issuer.jwksUri }
  const plan = quick ? { processes: 1, warmUps: 1, rounds: 2 } : { processes: 4, warmUps: 5, rounds: 24 }

  const tables = []
  const targets = []
  for (const framework of /** @type {(keyof typeof names)[]} */ (Object.keys(names))) {
    log(framework)
    /** @type {Awaited<ReturnType<typeof measure>>[]} */
    const measured = []
    while (measured.length < plan.processes) {
      const apps = await startTogether({ framework, setting, protections: [unprotected, ours, unprotected] })
      measured.push(await measure(load, apps, plan))
      await Promise.all(apps.map((app) => app.stop()))
    }
    const rates = joined(measured.map((process) => process.rates))
    const perCpu = joined(measured.map((process) => process.perCpu))
    const shareOf = (/** @type {string} */ name, figures = rates) => ratioBetween(figures, name, unprotected)
    tables.push({
      title: names[framework],
      head: ['', 'requests/s', 'of unprotected', 'CPU each', 'of unprotected', 'process by process'],
      rows: [unprotected, ours, again].map((name) => [
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
      what: `protected / unprotected requests per second, ${names[framework]}, 200 tokens seen before`,
      target: '≥ 94 % of what the same application against itself gives',
      measured: format.share(shareOf(ours)),
      limit:
        `against itself: ${format.share(shareOf(again))}; ` +
        `by CPU time: ${format.percent(shareOf(ours, perCpu).median)}`,
      met: shareOf(ours).median >= target * shareOf(again).median,
    })
  }
  await Promise.all([load.stop(), issuer.close()])

  return {
    title: 'HTTP: the share that is left',
    text: [
      `The same application, \`{"hello":"world"}\`, unprotected, protected by us, and unprotected once more: three ` +
        'applications with a port each in one server process, under full load in turn. One process of a program can be ' +
        'faster than the next one by more than protection costs; within a process that is the same for all three. ' +
        `There are ${plan.processes} such processes, one after the other, so that what is chance in one shows as well.`,
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
 * @param {Child} load
 * @param {readonly import('../harness/apps.mjs').App[]} apps unprotected, ours, unprotected again
 * @param {{ warmUps: number, rounds: number }} plan
 */
async function measure(load, apps, { warmUps, rounds }) {
  /** Answers per second of CPU time, by name. @type {Figures} */
  const perCpu = new Map()
  const contenders = apps.map((app, at) => {
    const name = [unprotected, ours, again][at] ?? ''
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
  await interleave(contenders, { rounds: warmUps, milliseconds: 400 })
  const rates = await interleave(contenders, { rounds, milliseconds: 100 })
  // Only those of the last rounds: what came before was warming up.
  for (const [name, values] of perCpu) perCpu.set(name, values.slice(-rounds))
  return { rates, perCpu }
}

/** The rounds of several processes, one after the other. @param {readonly Figures[]} figures @returns {Figures} */
function joined(figures) {
  return new Map([unprotected, ours, again].map((name) => [name, figures.flatMap((one) => one.get(name) ?? [])]))
}

/** @param {Figures} figures @param {string} name */
function middle(figures, name) {
  return median(present(figures.get(name) ?? []))
}
