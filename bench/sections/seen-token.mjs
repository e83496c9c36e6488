/** A token that has been verified before, as most requests carry one: in one process, without HTTP around it. */
import { LRUCache } from 'lru-cache'
import * as format from '../harness/format.mjs'
import { requestWith, warmAuthenticator } from '../harness/ours.mjs'
import * as peers from '../harness/peers.mjs'
import { barChart } from '../harness/plot.mjs'
import { ratioBetween, ratioTable } from '../harness/result.mjs'
import { inTurn, interleave, throughput } from '../harness/rounds.mjs'
import { median, present, without } from '../harness/statistics.mjs'
import { authorizationBytes, signTokens, startIssuer } from '../harness/tokens.mjs'

const distinctTokens = 200
const ours = 'jwks-auth'
const cached = 'fast-jwt, cache'
const wholeToken = 'one lru-cache get by the whole token'
const limit = 'limit: one lru-cache get by its last 32 characters'
const onlyString = 'nothing but the string'
/** A signature's end tells tokens apart; the whole is compared afterwards. */
const keyLength = 32

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick }) {
  const issuer = await startIssuer()
  const tokens = await signTokens(issuer, distinctTokens)
  const authenticator = await warmAuthenticator(issuer, tokens[0] ?? '')
  const byToken = new LRUCache({ max: 10_000 })
  const byEnd = new LRUCache({ max: 10_000 })
  for (const token of tokens) {
    byToken.set(`Bearer ${token}`, token)
    byEnd.set(token.slice(-keyLength), `Bearer ${token}`)
  }
  const setting = peers.settingOf(issuer)

  /** @type {Record<string, (authorization: string) => unknown>} */
  const contenders = {
    [ours]: (authorization) => authenticator.authenticate(requestWith(authorization)),
    ...Object.fromEntries(
      Object.entries({
        [cached]: peers.fastJwtCached(setting),
        'fast-jwt, cache by whole token': peers.fastJwtCachedByToken(setting),
        'aws-jwt-verify': peers.awsJwtVerify(setting),
        'jose, remote set': peers.joseRemote(setting),
        'jsonwebtoken + jwks-rsa': peers.jsonwebtokenJwksRsa(setting),
        'fast-jwt + get-jwks': peers.fastJwtGetJwks(setting),
        'hono, keys given': peers.honoLocal(setting),
      }).map(([name, verify]) => [name, (/** @type {string} */ authorization) => verify(authorization.slice(7))]),
    ),
    [wholeToken]: (authorization) => byToken.get(authorization),
    [limit]: (authorization) => byEnd.get(authorization.slice(-keyLength)) === authorization,
    [onlyString]: (authorization) => authorization,
  }

  const nextHeader = inTurn(authorizationBytes(tokens))
  for (const operation of Object.values(contenders)) {
    for (const token of tokens) await operation(`Bearer ${token}`)
  }
  const outcome = await authenticator.authenticate(requestWith(`Bearer ${tokens[0]}`))
  if (!outcome.ok) throw outcome.error

  const gross = await interleave(
    Object.entries(contenders).map(([name, operation]) => ({
      name,
      run: (milliseconds) => throughput(() => operation(nextHeader().toString('latin1')), { milliseconds }),
    })),
    quick ? { rounds: 3, milliseconds: 60 } : { rounds: 15, milliseconds: 150, warmUp: 400 },
  )
  await Promise.all([authenticator.close(), issuer.close()])

  const figures = without(gross, onlyString)
  const gain = ratioBetween(figures, ours, cached)
  const shown = [...figures.keys()]
  return {
    title: 'A token seen before',
    text: [
      `${distinctTokens} RS256 tokens in turn, one call at a time. Each call gets its header as a string made anew from ` +
        'bytes, as HTTP hands it over: a string that is looked up for the second time has its hash already, which no ' +
        'request ever enjoys. Making that string is the work of whoever calls; what it takes, ' +
        `${format.timeEach(median(present(gross.get(onlyString) ?? [])))}, is measured in the same rounds and taken off.`,
    ],
    tables: [ratioTable(figures, { title: 'Verifications of tokens seen before', ours })],
    targets: [
      {
        what: 'a verification of a token seen before, against fast-jwt with its cache',
        target: '≥ 5 ×',
        measured: format.ratio(gain),
        limit:
          `one lru-cache get by 32 characters, the rest compared: ${format.ratio(ratioBetween(figures, limit, cached))}; ` +
          `ours with the making of the string on both sides: ${format.ratio(ratioBetween(gross, ours, cached))}`,
        met: gain.median >= 5,
      },
    ],
    plots: [
      {
        file: 'seen-token.svg',
        title: 'Verifications per second of tokens seen before',
        svg: barChart({
          title: 'A token seen before: verifications per second',
          subtitle: 'RS256, 200 tokens in turn, one process, one call at a time; median and middle half of the rounds',
          bars: shown.map((label) => ({
            label,
            values: present(figures.get(label) ?? []),
            kind: label === ours ? 'ours' : label === limit || label === wholeToken ? 'limit' : 'theirs',
          })),
          label: (value) => `${format.perSecond(value)}/s`,
        }),
      },
    ],
  }
}
