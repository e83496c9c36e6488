/** What a moment of full load shows of an application. */

/**
 * @typedef {object} Sample
 * @property {number} rate answers per second
 * @property {number} p99 latency in milliseconds
 * @property {number} cpu microseconds for each request, of all threads of the server
 * @property {number} busy 1 is one core
 */

/**
 * Full load on an application whose answers have to be good ones.
 *
 * @param {import('./calls.mjs').Child} load the load generator
 * @param {import('./apps.mjs').App} app
 * @param {{ tokens: string, connections: number, milliseconds: number, shuffled?: boolean, isRestless?: boolean }} plan
 * @returns {Promise<Sample>}
 */
export async function sampleOf(load, { port, call }, plan) {
  await load.call('connect', { ...plan, port })
  await call('begin')
  /** @type {import('./load.mjs').LoadResult} */
  const { statuses, answers, rate, latency } = await load.call('full', { ...plan, port })
  /** @type {{ cpu: number, wall: number }} */
  const { cpu, wall } = await call('end')
  if (statuses[200] !== answers) throw new Error(`not only good answers: ${JSON.stringify(statuses)}`)
  return { rate, p99: latency.p99, cpu: (cpu * 1000) / answers, busy: cpu / wall }
}
