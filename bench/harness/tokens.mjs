/** An issuer on loopback and many tokens of it, signed as fast as the machine can. */
import { constants, createPrivateKey, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { createTestIssuer } from '../../packages/testing/dist/index.js'
import { audience } from './ours.mjs'

const signAsync = promisify(sign)
/** More than there are threads to sign with, so that none of them is ever idle. */
const signersAtOnce = 16
const lifetimeSeconds = 3600

/** @typedef {Awaited<ReturnType<typeof createTestIssuer>>} TestIssuer */

/**
 * @param {Parameters<typeof createTestIssuer>[0]} [options]
 */
export function startIssuer(options = {}) {
  return createTestIssuer({ audience, ...options })
}

/**
 * Signs tokens that look like an access token of today, about 600 bytes with RS256, no two alike.
 *
 * @param {TestIssuer} issuer
 * @param {number} count
 * @param {{ key?: TestIssuer['signingKey'], claims?: (index: number) => object  }}
 *   [options] by default the key that signs now
 */
export async function signTokens(issuer, count, { key = issuer.signingKey, claims } = {}) {
  const privateKey = createPrivateKey({ key: { ...key.privateJwk }, format: 'jwk' })
  const settings = signSettings(key.alg, privateKey)
  const iat = Math.floor(Date.now() / 1000)
  /** @type {string[]} */
  const tokens = Array.from({ length: count })
  let next = 0

  async function signer() {
    while (next < count) {
      const index = next
      next += 1
      const header = { alg: key.alg, kid: key.kid, typ: 'JWT' }
      const payload = { ...usualClaims(issuer.issuer, iat, index), ...claims?.(index) }
      const signingInput = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}`
      const signature = await signAsync(settings.hash, Buffer.from(signingInput), settings.key)
      tokens[index] = `${signingInput}.${base64url(signature)}`
    }
  }

  await Promise.all(Array.from({ length: signersAtOnce }, signer))
  return tokens
}

/**
 * What access tokens of today say.
 *
 * @param {string} issuer
 * @param {number} iat
 * @param {number} index
 */
export function usualClaims(issuer, iat, index) {
  return {
    iss: issuer,
    aud: audience,
    sub: `auth0|${(0x5f7c_0000 + index).toString(16)}8a1e006f`,
    azp: 'mobile-client',
    scope: 'openid profile orders:read orders:write',
    iat,
    exp: iat + lifetimeSeconds,
    jti: `0a5c7d0e-${index}`,
  }
}

/**
 * @param {string} alg
 * @param {import('node:crypto').KeyObject} key
 */
function signSettings(alg, key) {
  if (alg.startsWith('Ed')) return { hash: null, key }
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('ES')) return { hash, key: { key, dsaEncoding: /** @type {const} */ ('ieee-p1363') } }
  if (alg.startsWith('RS')) return { hash, key }
  // RFC 7518 §3.5: the salt is as long as the hash.
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants
  return { hash, key: { key, padding, saltLength } }
}

/** @param {string | Uint8Array} bytes */
export function base64url(bytes) {
  return Buffer.from(bytes).toString('base64url')
}

/**
 * What HTTP hands over: bytes. A string made of them anew has no hash yet, which is what a lookup by it costs.
 *
 * @param {readonly string[]} tokens
 */
export function authorizationBytes(tokens) {
  return tokens.map((token) => Buffer.from(`Bearer ${token}`, 'latin1'))
}
