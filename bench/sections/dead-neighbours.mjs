/** A healthy tenant beside forty whose providers swallow connection attempts: what does it notice of them? */
import { startFullBacklog } from '../../test/soak/full-backlog.mjs'
import * as format from '../harness/format.mjs'
import { audience, createAuthenticator, requestWith } from '../harness/ours.mjs'
import { quantile, ratioOf } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const deadTenants = 40
/** How long the healthy provider takes to respond, in milliseconds. */
const upstream = 5

/** @typedef {Awaited<ReturnType<typeof startIssuer>>} Issuer */

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const issuers = { cold: await startIssuer({ algorithm: 'ES256' }), warm: await startIssuer({ algorithm: 'ES256' }) }
  const backlog = await startFullBacklog()
  issuers.cold.answerAlways('jwks', { kind: 'normal', delay: upstream })
  const plan = quick ? { rounds: 1, cold: 10, warm: 200 } : { rounds: 5, cold: 100, warm: 2_000 }
  const tokens = {
    cold: await signTokens(issuers.cold, plan.cold, { claims: (index) => ({ org_id: `org-${index}` }) }),
    warm: await signTokens(issuers.warm, plan.warm),
  }
  const measured = { alone: /** @type {Round[]} */ ([]), beside: /** @type {Round[]} */ ([]) }
  for (let round = 0; round < plan.rounds; round += 1) {
    log(`round ${round + 1}`)
    measured.alone.push(await measure({ issuers, tokens }))
    measured.beside.push(await measure({ issuers, tokens, deadPort: backlog.port }))
  }
  await Promise.all([issuers.cold.close(), issuers.warm.close(), backlog.close()])

  const { alone, beside } = measured
  const refused = beside.reduce((sum, each) => sum + each.refused, 0)
  const coldRatio = ratioOf(p99s(beside, 'cold'), p99s(alone, 'cold'))
  const warmRatio = ratioOf(p99s(beside, 'warm'), p99s(alone, 'warm'))
  return {
    title: 'A healthy tenant beside dead ones',
    text: [
      `One authenticator serves a healthy tenant, alone or beside ${deadTenants} whose providers are behind an address ` +
        'that swallows connection attempts (a listener with a full backlog), each with a request that waits for it all ' +
        'the time. Cold is a first token, for which the keys have to be fetched from a provider that takes ' +
        `${upstream} ms; warm is a new token with the keys in memory.`,
    ],
    tables: [
      {
        title: 'A healthy tenant beside dead ones',
        head: ['', 'p99 alone', `p99 beside ${deadTenants} dead ones`, 'ratio'],
        rows: [
          [
            'cold',
            format.duration(middle(p99s(alone, 'cold'))),
            format.duration(middle(p99s(beside, 'cold'))),
            format.ratio(coldRatio),
          ],
          [
            'warm',
            format.duration(middle(p99s(alone, 'warm'))),
            format.duration(middle(p99s(beside, 'warm'))),
            format.ratio(warmRatio),
          ],
        ],
      },
    ],
    targets: [
      {
        what: `p99 of a healthy tenant beside ${deadTenants} dead ones, cold and warm`,
        target: '≤ 2 ×, none refused',
        measured: `${format.ratio(coldRatio)}, ${format.ratio(warmRatio)}; ${refused} refused`,
        limit: 'the same tenant alone',
        met: coldRatio.median <= 2 && warmRatio.median <= 2 && refused === 0,
      },
    ],
  }
}

/** @typedef {{ cold: number[], warm: number[], refused: number }} Round */

/** @param {readonly Round[]} rounds @param {'cold' | 'warm'} what */
function p99s(rounds, what) {
  return rounds.map((round) => quantile(round[what], 0.99))
}

/** @param {readonly number[]} values */
function middle(values) {
  return quantile(values, 0.5)
}

/**
 * @param {{ issuers: Record<'cold' | 'warm', Issuer>, tokens: Record<'cold' | 'warm', readonly string[]>, deadPort?: number }} scene
 * @returns {Promise<Round>}
 */
async function measure({ issuers, tokens, deadPort }) {
  const dead =
    deadPort === undefined ? [] : Array.from({ length: deadTenants }, (_, index) => deadProvider(deadPort, index))
  const { issuer, jwksUri } = issuers.cold
  // Each cold token is another tenant's, with a URL of its own, since the keys of one URL are fetched once only.
  const cold = tokens.cold.map((_, index) => ({
    ...{ issuer, jwksUri: `${jwksUri}?${index}`, audience },
    boundClaims: { org_id: `org-${index}` },
  }))
  const authenticator = createAuthenticator({
    requireHttps: false,
    tokenCache: false,
    tenant: ({ headers }) => /** @type {Record<string, string>} */ (headers)['x-tenant'],
    tenants: Object.fromEntries([
      ['warm', { issuer: issuers.warm.issuer, jwksUri: issuers.warm.jwksUri, audience }],
      ...cold.map((provider, index) => [`cold-${index}`, provider]),
      ...dead.map((provider, index) => [`dead-${index}`, provider]),
    ]),
  })
  /** @param {string} token @param {string} tenant */
  const authenticate = (token, tenant) => {
    const request = requestWith(`Bearer ${token}`)
    return authenticator.authenticate({ ...request, headers: { ...request.headers, 'x-tenant': tenant } })
  }

  const stopping = new AbortController()
  const waiting = dead.map(async ({ issuer: iss }, index) => {
    const [token = ''] = await signTokens(issuers.warm, 1, { claims: () => ({ iss }) })
    while (!stopping.signal.aborted) await authenticate(token, `dead-${index}`)
  })
  await new Promise((resolve) => setTimeout(resolve, 200))

  /** @type {Round} */
  const round = { cold: [], warm: [], refused: 0 }
  /** @param {'cold' | 'warm'} what @param {string} token @param {string} tenant */
  const time = async (what, token, tenant) => {
    const start = performance.now()
    const outcome = await authenticate(token, tenant)
    round[what].push(performance.now() - start)
    if (!outcome.ok) round.refused += 1
  }
  for (const [index, token] of tokens.cold.entries()) await time('cold', token, `cold-${index}`)
  await authenticate(tokens.warm[0] ?? '', 'warm')
  for (const token of tokens.warm) {
    await time('warm', token, 'warm')
    await new Promise(setImmediate)
  }
  stopping.abort()
  await authenticator.close()
  await Promise.allSettled(waiting)
  return round
}

/** @param {number} port @param {number} index */
function deadProvider(port, index) {
  const issuer = `http://127.0.0.1:${port}/${index}`
  return { issuer, jwksUri: `${issuer}/jwks`, audience }
}
