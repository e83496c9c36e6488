/** A token seen for the first time: its signature has to be checked, alone or with 31 others in flight. */
import { constants, KeyObject, verify } from 'node:crypto'
import * as format from '../harness/format.mjs'
import { requestWith, tokenCacheOf, warmAuthenticator, withoutTokenCache } from '../harness/ours.mjs'
import * as peers from '../harness/peers.mjs'
import { barChart } from '../harness/plot.mjs'
import { ratioBetween, ratioTable } from '../harness/result.mjs'
import { inTurn, interleave, throughput, throughputInTurns } from '../harness/rounds.mjs'
import { median, present } from '../harness/statistics.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const ours = 'jwks-auth, tokenCache: false'
const remembering = 'jwks-auth, and the token remembered'
const limit = 'limit: crypto.verify with a callback'
const synchronous = 'limit: crypto.verify without a callback'
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
const limits = new Set([limit, synchronous, webCrypto])
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
          run: (milliseconds) =>
            concurrency === 1
              ? throughputInTurns(operation, { milliseconds })
              : throughput(operation, { milliseconds, concurrency }),
        })),
        quick ? { rounds: 2, milliseconds: 25 } : planFor(algorithm),
      )
      byName.set(`${algorithm} ${concurrency}`, figures)
      tables.push(ratioTable(figures, { title: `${algorithm}, ${concurrency} at a time`, ours }))
    }
    await issuer.close()
  }

  const decisive = byName.get('RS256 32') ?? new Map()
  return {
    title: 'A new token',
    text: [
      'Each call verifies the next of a pool of distinct tokens, with every cache of verified tokens off; in the ' +
        'second row with ours on, but smaller than the pool, so that each is verified, remembered, and takes the place ' +
        'of another. One at a time, each call has an event-loop turn of its own, and only its own time counts; 32 at a ' +
        'time, they follow one another as fast as they can. The bare verification is `crypto.verify` of `node:crypto`, ' +
        'given the key, the bytes and the signature ready to use: without a callback on the main thread, with one on ' +
        'the thread pool. `crypto.subtle.verify` does the latter behind an interface that costs more. aws-jwt-verify, ' +
        'fast-jwt and jsonwebtoken verify on the main thread: with 32 at a time they leave the other cores idle.',
    ],
    tables,
    targets: targetsOf(byName),
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

/** @typedef {import('../harness/rounds.mjs').Figures} Figures */

/** @param {ReadonlyMap<string, Figures>} byName the figures of an algorithm and a concurrency */
function targetsOf(byName) {
  const figuresOf = (/** @type {string} */ name) => byName.get(name) ?? new Map()
  return [
    ...algorithms.map((algorithm) => againstPeers(figuresOf(`${algorithm} 1`), `${algorithm}, one at a time`)),
    atLeast(figuresOf('RS256 1'), 'RS256, one at a time', joseLocal, 2),
    besideBare(figuresOf('RS256 1'), 'RS256, one at a time', 1.4),
    besideBare(figuresOf('ES256 1'), 'ES256, one at a time', 1.2),
    againstPeers(figuresOf('RS256 32'), 'RS256, 32 at a time'),
    atLeast(figuresOf('ES256 32'), 'ES256, 32 at a time', joseLocal, 1.1),
    atLeast(figuresOf('EdDSA 32'), 'EdDSA, 32 at a time', joseLocal, 1.1),
  ]
}

/** Ours against the fastest of the peers. @param {Figures} figures @param {string} what */
function againstPeers(figures, what) {
  const rate = (/** @type {string} */ name) => median(present(figures.get(name) ?? []))
  const peersByRate = Object.keys(verifiers)
    .filter((name) => figures.has(name))
    .toSorted((one, other) => rate(other) - rate(one))
  const fastest = peersByRate[0] ?? joseLocal
  return { ...atLeast(figures, what, fastest, 1), what: `${what}, against the fastest peer (${fastest})` }
}

/** @param {Figures} figures @param {string} what @param {string} peer @param {number} factor */
function atLeast(figures, what, peer, factor) {
  const measured = ratioBetween(figures, ours, peer)
  return {
    what: `${what}, against ${peer}`,
    target: `≥ ${factor} ×`,
    measured: format.ratio(measured),
    limit: `the bare verification: ${format.ratio(ratioBetween(figures, synchronous, peer))}`,
    met: measured.median >= factor,
  }
}

/** What ours takes, in times of the bare check. @param {Figures} figures @param {string} what @param {number} factor */
function besideBare(figures, what, factor) {
  const measured = ratioBetween(figures, synchronous, ours)
  return {
    what: `${what}: time of the bare synchronous check`,
    target: `≤ ${factor} ×`,
    measured: format.ratio(measured),
    limit: `with the token remembered: ${format.ratio(ratioBetween(figures, synchronous, remembering))}`,
    met: measured.median <= factor,
  }
}

/** Most targets are about RS256, so it gets the most rounds. @param {string} algorithm */
function planFor(algorithm) {
  return algorithm === 'RS256'
    ? { rounds: 15, milliseconds: 150, warmUp: 400 }
    : { rounds: 7, milliseconds: 120, warmUp: 200 }
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
 * @returns {Record<string, () => boolean | Promise<boolean>>}
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
    [synchronous]: () => {
      const { data, signature } = next()
      return verify(hash, data, input, signature)
    },
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
