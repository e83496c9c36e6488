/** What it costs to say no to a token that no signature check is needed for. */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { bogusKids, wrongSignatures } from '../harness/forged.mjs'
import * as format from '../harness/format.mjs'
import { requestWith, warmAuthenticator } from '../harness/ours.mjs'
import * as peers from '../harness/peers.mjs'
import { barChart } from '../harness/plot.mjs'
import { ratioBetween } from '../harness/result.mjs'
import { inTurn, interleave, throughput } from '../harness/rounds.mjs'
import { median, present } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

/** As many as give jose its best throughput. */
const concurrency = 32
const reference = 'jose, remote set: a good token verified'
const expiredByJose = 'jose, remote set: an expired token refused'

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick }) {
  const issuer = await startIssuer()
  const count = quick ? 200 : 1_000
  const good = await signTokens(issuer, count)
  const bad = await badTokens(issuer, good, count)
  // A cooldown that outlasts the section: what is measured is the refusal, not the refetch.
  const authenticator = await warmAuthenticator(issuer, good[0] ?? '', { unknownKidCooldown: 600_000 })
  const jose = peers.joseRemote(peers.settingOf(issuer))

  for (const token of bad.unknown) await authenticator.authenticate(requestWith(`Bearer ${token}`))
  const kinds = {
    'expired token': { tokens: bad.expired, code: 'ERR_TOKEN_EXPIRED', isTarget: true },
    'token of a foreign issuer': { tokens: bad.foreign, code: 'ERR_ISSUER_NOT_ALLOWED', isTarget: true },
    'oversized token': { tokens: bad.oversized, code: 'ERR_TOKEN_TOO_LONG', isTarget: true },
    'unknown kid, in the cool-down': { tokens: bad.unknown, code: 'ERR_KEY_NOT_FOUND', isTarget: true },
    'no token at all, but garbage': { tokens: bad.garbage, code: 'ERR_TOKEN_MALFORMED', isTarget: true },
    'wrong signature (checked, of course)': { tokens: bad.forged, code: 'ERR_SIGNATURE_INVALID', isTarget: false },
  }
  for (const [name, { tokens, code, isTarget }] of Object.entries(kinds)) {
    const outcome = await authenticator.authenticate(requestWith(`Bearer ${tokens[0]}`))
    if (outcome.ok || outcome.error.code !== code) {
      throw new Error(`${name}: ${outcome.ok ? 'let in' : outcome.error.code}`)
    }
    const checks = await signatureChecks(authenticator, tokens)
    // The one that has to be checked shows that counting works.
    if (isTarget ? checks > 0 : checks < tokens.length) throw new Error(`${name}: ${checks} signature checks`)
  }

  /** @type {Record<string, () => unknown>} */
  const operations = {}
  for (const [name, { tokens }] of Object.entries(kinds)) {
    const next = inTurn(tokens.map((token) => `Bearer ${token}`))
    operations[name] = () => authenticator.authenticate(requestWith(next()))
  }
  const nextGood = inTurn(good)
  const nextExpired = inTurn(bad.expired)
  operations[reference] = () => jose(nextGood())
  operations[expiredByJose] = () => Promise.resolve(jose(nextExpired())).catch(() => undefined)

  const figures = await interleave(
    Object.entries(operations).map(([name, operation]) => ({
      name,
      run: (milliseconds) => throughput(operation, { milliseconds, concurrency }),
    })),
    quick ? { rounds: 3, milliseconds: 40 } : { rounds: 11, milliseconds: 120, warmUp: 300 },
  )
  await Promise.all([authenticator.close(), issuer.close()])

  const refusals = Object.entries(kinds).filter(([, { isTarget }]) => isTarget)
  return {
    title: 'Refusals',
    text: [
      `Tokens that can be refused by what they say, ${concurrency} at a time. Before measuring, each kind is sent once ` +
        'with the signature checks counted, and the run is given up if one is: none needs a signature check. jose ' +
        'checks the signature first and the claims afterwards.',
    ],
    tables: [
      {
        title: 'Refusals',
        head: ['', 'per second', 'each', "against jose's verification of a good token"],
        rows: [...figures.keys()].map((name) => {
          const rate = median(present(figures.get(name) ?? []))
          const against = name === reference ? '1' : format.ratio(ratioBetween(figures, name, reference))
          return [name, format.perSecond(rate), format.timeEach(rate), against]
        }),
      },
    ],
    targets: refusals.map(([name]) => {
      const against = ratioBetween(figures, name, reference)
      return {
        what: `refusing: ${name}, against jose's verification of a good one`,
        target: 'no signature check; ≥ 5 ×',
        measured: format.ratio(against),
        limit: 'no signature check: counted',
        met: against.median >= 5,
      }
    }),
    plots: [
      {
        file: 'refusals.svg',
        title: 'Refusals per second',
        svg: barChart({
          title: 'Refusals per second',
          subtitle: `RS256, ${concurrency} at a time; median and middle half of the rounds`,
          bars: [...figures].map(([label, values]) => ({
            label: label === reference ? 'jose: a good token' : label === expiredByJose ? 'jose: expired' : label,
            values: present(values),
            kind: label === reference || label === expiredByJose ? 'theirs' : 'ours',
          })),
          label: (value) => `${format.perSecond(value)}/s`,
        }),
      },
    ],
  }
}

/**
 * @param {import('../harness/tokens.mjs').TestIssuer} issuer
 * @param {readonly string[]} good
 * @param {number} count
 */
async function badTokens(issuer, good, count) {
  const past = Math.floor(Date.now() / 1000) - 7_200
  return {
    expired: await signTokens(issuer, count, { claims: () => ({ iat: past, exp: past + 3_600 }) }),
    foreign: await signTokens(issuer, count, { claims: () => ({ iss: 'https://elsewhere.example/' }) }),
    unknown: bogusKids(good, count),
    forged: wrongSignatures(good),
    oversized: good.slice(0, 20).map((token) => token + 'A'.repeat(20_000)),
    garbage: good.map((token) => Buffer.from(token).toString('base64url')),
  }
}

/**
 * How often a signature is checked while these tokens are refused.
 *
 * @param {Awaited<ReturnType<typeof warmAuthenticator>>} authenticator
 * @param {readonly string[]} tokens
 */
async function signatureChecks(authenticator, tokens) {
  const { verify } = crypto
  let calls = 0
  const counting = (/** @type {any[]} */ ...parameters) => {
    calls += 1
    return Reflect.apply(verify, crypto, parameters)
  }
  Object.assign(crypto, { verify: counting })
  syncBuiltinESMExports()
  try {
    for (const token of tokens) await authenticator.authenticate(requestWith(`Bearer ${token}`))
  } finally {
    Object.assign(crypto, { verify })
    syncBuiltinESMExports()
  }
  return calls
}
