/** Express: the protections that its users choose between, each as its documentation says. */
import express from 'express'
import { expressjwt } from 'express-jwt'
import { auth } from 'express-oauth2-jwt-bearer'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import jwksRsa from 'jwks-rsa'
import { jwksAuth } from '../../packages/express/dist/index.js'
import { portOf } from '../harness/apps.mjs'
import { audience, optionsFor } from '../harness/ours.mjs'

/** @typedef {import('../harness/apps.mjs').AppSetting} AppSetting */
/** @typedef {(app: import('express').Express, setting: AppSetting) => void} Protect */

/** @type {Record<string, Protect>} */
export const protections = {
  unprotected: () => undefined,
  'the header read': (app) => {
    app.use((req, res, next) => {
      res.locals['auth'] = req.headers.authorization
      next()
    })
  },
  'jwks-auth': (app, setting) => {
    app.use(jwksAuth({ ...optionsFor(setting), ...setting.options }))
  },
  'jose, remote set': (app, { issuer, jwksUri }) => {
    const keySet = createRemoteJWKSet(new URL(jwksUri))
    app.use((req, res, next) => {
      const [, token = ''] = /^Bearer (.+)$/i.exec(req.headers.authorization ?? '') ?? []
      const pass = (/** @type {import('jose').JWTVerifyResult} */ { payload }) => {
        Object.assign(req, { auth: payload })
        next()
      }
      const refuse = () => res.status(401).json({ error: 'invalid_token' })
      jwtVerify(token, keySet, { issuer, audience }).then(pass, refuse)
    })
  },
  'express-oauth2-jwt-bearer': (app, { issuer, jwksUri }) => {
    app.use(auth({ issuer, jwksUri, audience, tokenSigningAlg: 'RS256' }))
  },
  'express-jwt + jwks-rsa': (app, { issuer, jwksUri }) => {
    const secret = /** @type {import('express-jwt').GetVerificationKey} */ (
      jwksRsa.expressJwtSecret({ jwksUri, cache: true, rateLimit: true, jwksRequestsPerMinute: 5 })
    )
    app.use(expressjwt({ secret, issuer, audience, algorithms: ['RS256'] }))
  },
}

/** @param {Protect} protect @param {AppSetting} setting */
export function listen(protect, setting) {
  const app = express()
  protect(app, setting)
  app.get('/', (_req, res) => {
    res.json({ hello: 'world' })
  })
  // As applications have one; without it Express prints every refusal that comes as an error, which takes its time.
  app.use(answerError)
  return portOf(app.listen(0, '127.0.0.1'))
}

/**
 * @param {any} error
 * @param {import('express').Request} _req
 * @param {import('express').Response} res
 * @param {import('express').NextFunction} _next
 */
function answerError(error, _req, res, _next) {
  res.status(error.status ?? 500).json({ error: error.code ?? 'error' })
}
