/** A token that nobody has seen: its signature has to be checked, alone or with 31 others under way. */
import { constants, KeyObject, verify } from 'node:crypto'
import * as format from '../harness/format.mjs'
import { requestWith, tokenCacheOf, warmAuthenticator, withoutTokenCache } from '../harness/ours.mjs'
import * as peers from '../harness/peers.mjs'
import { barChart } from '../harness/plot.mjs'
import { ratioBetween, ratioTable } from '../harness/result.mjs'
import { inTurn, interleave, throughput } from '../harness/rounds.mjs'
import { present } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const ours = 'jwks-auth, tokenCache: false'
const remembering = 'jwks-auth, and the token remembered'
const limit = 'limit: crypto.verify with a callback'
const webCrypto = 'crypto.subtle.verify'
const joseLocal = 'jose, local set'
const aws = 'aws-jwt-verify'

const algorithms = /** @type {const} */ (['RS256', 'PS256', 'ES256', 'EdDSA'])

/**
 * What the bare verifications need to be told beside the key: hash and options of `crypto.verify`, parameters of Web Crypto.
 *
 * @type {Record<string, { hash: string | null, signing: import('node:crypto').SigningOptions, web: import('node:crypto').webcrypto.Algorithm & Record<string, unknown> }>}
 */
const bare = {
  RS256: { hash: 'sha256', signing: {}, web: { name: 'RSASSA-PKCS1-v1_5' } },
  PS256: {
    hash: 'sha256',
    signing: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
    web: { name: 'RSA-PSS', saltLength: 32 },
  },
  ES256: { hash: 'sha256', signing: { dsaEncoding: 'ieee-p1363' }, web: { name: 'ECDSA', hash: 'SHA-256' } },
  EdDSA: { hash: null, signing: {}, web: { name: 'Ed25519' } },
}

/** Verifiers that take part where they know the algorithm. @type {Record<string, (setting: peers.Setting) => peers.Verify>} */
const verifiers = {
  [joseLocal]: peers.joseLocal,
  'jose, remote set': peers.joseRemote,
  [aws]: peers.awsJwtVerify,
  'fast-jwt': peers.fastJwt,
  'jsonwebtoken, key in memory': peers.jsonwebtokenLocal,
  'hono, keys given': peers.honoLocal,
}
const limits = new Set([limit, webCrypto])
/** @type {Record<string, readonly string[]>} */
const unknownTo = { [aws]: ['PS256'], 'jsonwebtoken, key in memory': ['EdDSA'] }

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, log }) {
  const tables = []
  /** @type {Map<string, import('../harness/rounds.mjs').Figures>} */
  const byName = new Map()
  for (const algorithm of algorithms) {
    log(algorithm)
    const issuer = await startIssuer({ algorithm })
    const operations = await operationsFor(issuer, quick)
    for (const concurrency of [1, 32]) {
      const figures = await interleave(
        Object.entries(operations).map(([name, operation]) => ({
          name,
          run: (milliseconds) => throughput(operation, { milliseconds, concurrency }),
        })),
        quick ? { rounds: 2, milliseconds: 25 } : planFor(algorithm, concurrency),
      )
      byName.set(`${algorithm} ${concurrency}`, figures)
      tables.push(ratioTable(figures, { title: `${algorithm}, ${concurrency} at a time`, ours }))
    }
    await issuer.close()
  }

  const decisive = byName.get('RS256 32') ?? new Map()
  const overJose = ratioBetween(decisive, ours, joseLocal)
  const overAws = ratioBetween(decisive, ours, aws)
  const beside = (/** @type {string} */ peer) =>
    `the bare verification: ${format.ratio(ratioBetween(decisive, limit, peer))}; ` +
    `ours with the token remembered: ${format.ratio(ratioBetween(decisive, remembering, peer))}`
  return {
    title: 'A new token',
    text: [
      'Each call verifies the next of a pool of distinct tokens, with every cache of verified tokens off; in the ' +
        'second row with ours on, but smaller than the pool, so that each is verified, remembered, and takes the place ' +
        'of another. The bare verification, `crypto.verify` of `node:crypto` given the key, the bytes and the signature ' +
        'ready to use, is what nobody who verifies off the main thread can beat; `crypto.subtle.verify` does the same ' +
        'behind an interface that costs more. aws-jwt-verify, fast-jwt and jsonwebtoken verify on the main thread: ' +
        'alone they save the way to a thread and back, which is the better half of the time then, and with 32 at a ' +
        'time they leave the other cores idle and the event loop blocked.',
    ],
    tables,
    targets: [
      {
        what: 'a verification of a new RS256 token, 32 at a time, against jose with a local set',
        target: '≥ 1.6 ×',
        measured: format.ratio(overJose),
        limit: beside(joseLocal),
        met: overJose.median >= 1.6,
      },
      {
        what: 'the same against aws-jwt-verify',
        target: '≥ 1.25 ×',
        measured: format.ratio(overAws),
        limit: beside(aws),
        met: overAws.median >= 1.25,
      },
    ],
    plots: [
      {
        file: 'new-token.svg',
        title: 'Verifications per second of new tokens',
        svg: barChart({
          title: 'A new token: verifications per second',
          subtitle: 'RS256, distinct tokens, 32 at a time; median and middle half of the rounds',
          bars: [...decisive].map(([label, values]) => ({
            label,
            values: present(values),
            kind: label === ours || label === remembering ? 'ours' : limits.has(label) ? 'limit' : 'theirs',
          })),
          label: (value) => `${format.perSecond(value)}/s`,
        }),
      },
    ],
  }
}

/** The target is about RS256 with 32 at a time, so that is what gets the rounds. @param {string} algorithm @param {number} concurrency */
function planFor(algorithm, concurrency) {
  return algorithm === 'RS256' && concurrency > 1
    ? { rounds: 15, milliseconds: 150, warmUp: 400 }
    : { rounds: 5, milliseconds: 120, warmUp: 200 }
}

/**
 * @param {import('../harness/tokens.mjs').TestIssuer} issuer
 * @param {boolean} quick
 * @returns {Promise<Record<string, () => unknown>>}
 */
async function operationsFor(issuer, quick) {
  const { alg } = issuer.signingKey
  const tokens = await signTokens(issuer, quick ? 100 : 2_000)
  const authenticator = await warmAuthenticator(issuer, tokens[0] ?? '', withoutTokenCache)
  const small = await warmAuthenticator(issuer, tokens[0] ?? '', tokenCacheOf(tokens.length / 2))
  const setting = peers.settingOf(issuer)
  const nextToken = inTurn(tokens)
  const nextHeader = inTurn(tokens.map((token) => `Bearer ${token}`))

  /** @type {Record<string, () => unknown>} */
  const operations = {
    [ours]: () => authenticator.authenticate(requestWith(nextHeader())),
    [remembering]: () => small.authenticate(requestWith(nextHeader())),
  }
  for (const [name, create] of Object.entries(verifiers)) {
    if (unknownTo[name]?.includes(alg)) continue
    const check = create(setting)
    await check(nextToken())
    operations[name] = () => check(nextToken())
  }
  Object.assign(operations, bareVerifications(issuer.signingKey.publicKey, alg, tokens))
  for (const name of limits) {
    if ((await operations[name]?.()) !== true) throw new Error(`${name} fails for ${alg}`)
  }
  return operations
}

/**
 * @param {import('jose').CryptoKey} key
 * @param {string} alg
 * @param {readonly string[]} tokens
 * @returns {Record<string, () => Promise<boolean>>}
 */
function bareVerifications(key, alg, tokens) {
  const parameters = bare[alg]
  if (parameters === undefined) throw new Error('no such algorithm')
  const { hash, signing, web } = parameters
  const next = inTurn(
    tokens.map((token) => {
      const end = token.lastIndexOf('.')
      return { data: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url') }
    }),
  )
  const input = { ...signing, key: KeyObject.from(key) }
  return {
    [limit]: () =>
      new Promise((resolve, reject) => {
        const { data, signature } = next()
        verify(hash, data, input, signature, (error, isSigned) => (error === null ? resolve(isSigned) : reject(error)))
      }),
    [webCrypto]: () => {
      const { data, signature } = next()
      return crypto.subtle.verify(web, key, signature, data)
    },
  }
}
