/** A thousand callers at once, and no keys yet: how often is the issuer asked? */
import * as format from '../harness/format.mjs'
import { createAuthenticator, optionsFor, requestWith } from '../harness/ours.mjs'
import * as peers from '../harness/peers.mjs'
import { signTokens, startIssuer } from '../harness/tokens.mjs'

const callers = 1_000
/** How long the issuer takes to answer, in milliseconds. */
const upstream = 50
const ours = 'jwks-auth'

/** @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run() {
  const issuer = await startIssuer()
  issuer.answerAlways('jwks', { kind: 'normal', delay: upstream })
  const tokens = await signTokens(issuer, callers)
  const setting = peers.settingOf(issuer)

  /** @type {Record<string, () => peers.Verify>} */
  const contenders = {
    [ours]: verifyWithOurs(setting),
    'jose, remote set': () => peers.joseRemote(setting),
    'aws-jwt-verify': () => peers.awsJwtVerify(setting),
    'fast-jwt + get-jwks': () => peers.fastJwtGetJwks(setting),
    'jsonwebtoken + jwks-rsa': () => peers.jsonwebtokenJwksRsa(setting),
    'hono, jwks_uri': () => peers.honoRemote(setting),
  }
  const rows = []
  for (const [name, create] of Object.entries(contenders)) {
    const verify = create()
    issuer.clearRequests()
    const start = performance.now()
    const settled = await Promise.allSettled(tokens.map(async (token) => verify(token)))
    const took = performance.now() - start
    const refused = settled.filter(({ status }) => status === 'rejected').length
    rows.push({ name, requests: issuer.requestCount(), refused, took })
  }
  await issuer.close()

  const own = rows.find(({ name }) => name === ours)
  return {
    title: 'Cold start',
    text: [
      `${format.number(callers)} different good tokens at once, for a verifier that has just been made, from an issuer ` +
        `that takes ${upstream} ms to answer.`,
    ],
    tables: [
      {
        title: 'Cold start',
        head: ['', 'upstream requests', 'good tokens refused', 'until the last is answered'],
        rows: rows.map(({ name, requests, refused, took }) => [
          name,
          format.number(requests),
          format.number(refused),
          format.duration(took),
        ]),
      },
    ],
    targets: [
      {
        what: '1 000 callers, cold cache',
        target: '1 upstream request',
        measured: `${own?.requests}`,
        limit: `${own?.refused} refused`,
        met: own?.requests === 1 && own.refused === 0,
      },
    ],
  }
}

/** @param {peers.Setting} setting @returns {() => peers.Verify} */
function verifyWithOurs(setting) {
  return () => {
    const authenticator = createAuthenticator(optionsFor(setting))
    return async (token) => {
      const outcome = await authenticator.authenticate(requestWith(`Bearer ${token}`))
      if (!outcome.ok) throw outcome.error
    }
  }
}
