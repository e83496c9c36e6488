/** Two hundred tenants of one issuer: how many upstream requests do their first tokens, and forged ones, cost? */
import { bogusKids } from '../harness/forged.mjs'
import * as format from '../harness/format.mjs'
import { audience, createAuthenticator, requestWith } from '../harness/ours.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const tenants = 200
/** How long the issuer takes to respond, in milliseconds. */
const upstream = 50

/** @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run() {
  const issuer = await startIssuer()
  issuer.answerAlways('jwks', { kind: 'normal', delay: upstream })
  const tokens = await signTokens(issuer, tenants, { claims: (index) => ({ org_id: `org-${index}` }) })
  const forged = bogusKids(tokens, tenants)
  const authenticator = createAuthenticator({
    requireHttps: false,
    tenant: ({ headers }) => /** @type {Record<string, string>} */ (headers)['x-tenant'],
    tenants: Object.fromEntries(tokens.map((_, index) => [`tenant-${index}`, providerOf(issuer, index)])),
  })

  /** @param {readonly string[]} all one token for each tenant */
  async function burst(all) {
    issuer.clearRequests()
    const start = performance.now()
    const outcomes = await Promise.all(
      all.map(async (token, index) => {
        const request = requestWith(`Bearer ${token}`)
        return authenticator.authenticate({
          ...request,
          headers: { ...request.headers, 'x-tenant': `tenant-${index}` },
        })
      }),
    )
    const accepted = outcomes.filter(({ ok }) => ok).length
    return { requests: issuer.requestCount('jwks'), accepted, took: performance.now() - start }
  }

  const first = await burst(tokens)
  const unknown = await burst(forged)
  await authenticator.close()
  await issuer.close()
  return {
    title: 'Many tenants of one issuer',
    text: [
      `${tenants} tenants whose tokens one issuer signs, told apart by \`boundClaims\`. First each brings its first ` +
        'token, all at once; then each brings a token with an unknown `kid`. The issuer takes ' +
        `${upstream} ms to respond.`,
    ],
    tables: [
      {
        title: 'Many tenants of one issuer',
        head: ['', 'upstream requests', 'accepted', 'until the last response'],
        rows: [
          ['first tokens', format.number(first.requests), format.number(first.accepted), format.duration(first.took)],
          [
            'unknown kids',
            format.number(unknown.requests),
            format.number(unknown.accepted),
            format.duration(unknown.took),
          ],
        ],
      },
    ],
    targets: [
      {
        what: `${tenants} tenants of one issuer, cold cache`,
        target: '1 upstream request',
        measured: `${first.requests}`,
        limit: `${tenants - first.accepted} refused`,
        met: first.requests === 1 && first.accepted === tenants,
      },
      {
        what: 'a forged token for each of them, with an unknown kid',
        target: '1 upstream request',
        measured: `${unknown.requests}`,
        limit: `${unknown.accepted} accepted`,
        met: unknown.requests === 1 && unknown.accepted === 0,
      },
    ],
  }
}

/**
 * @param {{ issuer: string, jwksUri: string }} location
 * @param {number} index
 */
function providerOf({ issuer, jwksUri }, index) {
  return { issuer, jwksUri, audience, boundClaims: { org_id: `org-${index}` } }
}
