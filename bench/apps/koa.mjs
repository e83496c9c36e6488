/** Koa: ours, and what its users choose. */
import jwksRsa from 'jwks-rsa'
import Koa from 'koa'
import koaJwt from 'koa-jwt'
import { jwksAuth } from '../../packages/koa/dist/index.js'
import { portOf } from '../harness/apps.mjs'
import { audience, optionsFor } from '../harness/ours.mjs'

/** @typedef {import('../harness/apps.mjs').AppSetting} AppSetting */
/** @typedef {(app: Koa, setting: AppSetting) => void} Protect */

/** @type {Record<string, Protect>} */
export const protections = {
  unprotected: () => undefined,
  'the header read': (app) => {
    app.use((ctx, next) => {
      ctx.state.auth = ctx.req.headers.authorization
      return next()
    })
  },
  'jwks-auth': (app, setting) => {
    app.use(jwksAuth({ ...optionsFor(setting), ...setting.options }))
  },
  'koa-jwt + jwks-rsa': (app, { issuer, jwksUri }) => {
    const secret = jwksRsa.koaJwtSecret({ jwksUri, cache: true, rateLimit: true, jwksRequestsPerMinute: 5 })
    app.use(koaJwt({ secret, issuer, audience, algorithms: ['RS256'] }))
  },
}

/** @param {Protect} protect @param {AppSetting} setting */
export function listen(protect, setting) {
  const app = new Koa()
  // A refused token is not an error of the application, to be printed.
  app.silent = true
  protect(app, setting)
  app.use((ctx) => {
    ctx.body = { hello: 'world' }
  })
  return portOf(app.listen(0, '127.0.0.1'))
}
