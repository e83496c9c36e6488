/**
 * The libraries that people use today, each set up as its documentation says, for one issuer. `verify` takes a token
 * and returns or resolves to whatever the library gives; a token that it refuses is a throw or a rejection.
 */
import { createPublicKey } from 'node:crypto'
import { JwtVerifier } from 'aws-jwt-verify'
import { SimpleJwksCache } from 'aws-jwt-verify/jwk'
import { createVerifier } from 'fast-jwt'
import buildGetJwks from 'get-jwks'
import { verifyWithJwks } from 'hono/utils/jwt/jwt'
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import jwksRsa from 'jwks-rsa'
import { audience } from './ours.mjs'

/**
 * @typedef {object} Setting
 * @property {string} issuer
 * @property {string} jwksUri
 * @property {import('jose').JSONWebKeySet} jwks
 * @property {'RS256' | 'PS256' | 'ES256' | 'EdDSA'} algorithm
 *
 * @typedef {(token: string) => unknown} Verify
 */

/** @param {Setting} setting @returns {Verify} */
export function joseRemote({ issuer, jwksUri }) {
  const keySet = createRemoteJWKSet(new URL(jwksUri))
  return (token) => jwtVerify(token, keySet, { issuer, audience })
}

/** @param {Setting} setting @returns {Verify} */
export function joseLocal({ issuer, jwks }) {
  const keySet = createLocalJWKSet(structuredClone(jwks))
  return (token) => jwtVerify(token, keySet, { issuer, audience })
}

/** It insists on HTTPS, so that on loopback its fetcher is replaced, and nothing else. @param {Setting} setting */
export function awsJwtVerify({ issuer, jwksUri }) {
  const fetcher = { fetch: async (/** @type {string} */ uri) => (await fetch(uri)).arrayBuffer() }
  const verifier = JwtVerifier.create({ issuer, audience, jwksUri }, { jwksCache: new SimpleJwksCache({ fetcher }) })
  return (/** @type {string} */ token) => verifier.verify(token)
}

/**
 * @param {Setting} setting
 * @param {object} [options]
 * @returns {Verify}
 */
export function fastJwt({ issuer, jwks, algorithm }, options = {}) {
  const verify = createVerifier({
    key: pemOf(jwks),
    algorithms: [algorithm],
    allowedIss: issuer,
    allowedAud: audience,
    ...options,
  })
  return (token) => verify(token)
}

/** @param {Setting} setting */
export function fastJwtCached(setting) {
  return fastJwt(setting, { cache: true })
}

/** Its documentation offers this and warns of it. @param {Setting} setting */
export function fastJwtCachedByToken(setting) {
  return fastJwt(setting, { cache: true, cacheKeyBuilder: (/** @type {string} */ token) => token })
}

/** fast-jwt has no key sets of its own; get-jwks is what its documentation names. @param {Setting} setting */
export function fastJwtGetJwks({ issuer, algorithm }) {
  const getJwks = buildGetJwks({ jwksPath: '/jwks' })
  const key = async (/** @type {import('fast-jwt').DecodedJwt} */ { header }) =>
    getJwks.getPublicKey({ kid: header['kid'], alg: header['alg'], domain: issuer })
  const verify = createVerifier({ key, algorithms: [algorithm], allowedIss: issuer, allowedAud: audience })
  return (/** @type {string} */ token) => verify(token)
}

/** A key in memory, no key set. @param {Setting} setting @returns {Verify} */
export function jsonwebtokenLocal({ issuer, jwks, algorithm }) {
  const key = pemOf(jwks)
  const options = { issuer, audience, algorithms: [/** @type {import('jsonwebtoken').Algorithm} */ (algorithm)] }
  return (token) => jsonwebtoken.verify(token, key, options)
}

/** @param {Setting} setting @returns {Verify} */
export function jsonwebtokenJwksRsa({ issuer, jwksUri, algorithm }) {
  const client = jwksRsa({ jwksUri, cache: true, rateLimit: true, jwksRequestsPerMinute: 10 })
  const options = { issuer, audience, algorithms: [/** @type {import('jsonwebtoken').Algorithm} */ (algorithm)] }
  /** @type {import('jsonwebtoken').GetPublicKeyOrSecret} */
  const getKey = ({ kid }, done) => {
    client.getSigningKey(kid, (error, key) => done(error, key?.getPublicKey()))
  }
  return (token) =>
    new Promise((resolve, reject) => {
      jsonwebtoken.verify(token, getKey, options, (error, claims) => (error ? reject(error) : resolve(claims)))
    })
}

/** It keeps no keys: without a list of its own it fetches for every token. @param {Setting} setting @returns {Verify} */
export function honoRemote({ issuer, jwksUri, algorithm }) {
  return (token) => verifyWithJwks(token, { jwks_uri: jwksUri, ...honoRules(issuer, algorithm) })
}

/** @param {Setting} setting @returns {Verify} */
export function honoLocal({ issuer, jwks, algorithm }) {
  const keys = jwks.keys.map((key) => ({ ...key, kid: key.kid ?? '' }))
  return (token) => verifyWithJwks(token, { keys, ...honoRules(issuer, algorithm) })
}

/**
 * @param {string} issuer
 * @param {Setting['algorithm']} algorithm
 */
function honoRules(issuer, algorithm) {
  return { allowedAlgorithms: [algorithm], verification: { iss: issuer, aud: audience } }
}

/** @param {Setting['jwks']} jwks whose first key it is */
function pemOf({ keys: [key] }) {
  return createPublicKey({ key: { ...key }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
}

/**
 * @param {import('./tokens.mjs').TestIssuer} issuer
 * @returns {Setting}
 */
export function settingOf({ issuer, jwksUri, jwks, signingKey }) {
  return { issuer, jwksUri, jwks, algorithm: /** @type {Setting['algorithm']} */ (signingKey.alg) }
}
