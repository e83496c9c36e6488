/** What is measured, from this repository, and how each section sets it up. */
import { createAuthenticator } from '../../packages/core/dist/index.js'

export { createAuthenticator, createRegistry } from '../../packages/core/dist/index.js'

/** The `aud` of all tokens. */
export const audience = 'https://api.example'

/** Where an issuer is, for whoever verifies its tokens. @typedef {{ issuer: string, jwksUri: string }} Location */

/**
 * The options of a single tenant whose issuer is on loopback.
 *
 * @param {Location} location
 */
export function optionsFor({ issuer, jwksUri }) {
  return { issuer, jwksUri, audience, requireHttps: false }
}

/**
 * An option, if the core at hand has it. A commit from before it can be measured too, so that two can be compared.
 *
 * @param {Record<string, unknown>} option
 */
function ifKnown(option) {
  try {
    const location = { issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/jwks' }
    void createAuthenticator({ ...optionsFor(location), ...option }).close()
    return option
  } catch {
    return {}
  }
}

/** Every token is verified as if it had never been seen. */
export const withoutTokenCache = ifKnown({ tokenCache: false })

/** Whether verified tokens are remembered at all. */
export const hasTokenCache = 'tokenCache' in withoutTokenCache

/** @param {number} max tokens; the bytes are never what runs out */
export function tokenCacheOf(max) {
  return ifKnown({ tokenCache: { max, maxBytes: 256 * 1024 * 1024 } })
}

/**
 * Makes an authenticator that holds the issuer's keys.
 *
 * @param {Location} location
 * @param {string} token a good one
 * @param {Record<string, unknown>} [options]
 */
export async function warmAuthenticator(location, token, options = {}) {
  const authenticator = createAuthenticator({ ...optionsFor(location), ...options })
  const outcome = await authenticator.authenticate(requestWith(`Bearer ${token}`))
  if (!outcome.ok) throw outcome.error
  return authenticator
}

/** @param {string} authorization the header */
export function requestWith(authorization) {
  return { method: 'GET', url: '/', headers: { authorization } }
}
