/** Fastify: ours, and what its users choose. */
import fastifyJwt from '@fastify/jwt'
import fastify from 'fastify'
import buildGetJwks from 'get-jwks'
import { jwksAuth } from '../../packages/fastify/dist/index.js'
import { audience, optionsFor } from '../harness/ours.mjs'

/** @typedef {import('../harness/apps.mjs').AppSetting} AppSetting */
/** @typedef {(app: import('fastify').FastifyInstance, setting: AppSetting) => Promise<unknown>} Protect */

/** @type {Record<string, Protect>} */
export const protections = {
  unprotected: async () => undefined,
  'the header read': async (app) => {
    app.decorateRequest('auth', undefined)
    app.addHook('onRequest', (request, _reply, done) => {
      /** @type {any} */ const place = request
      place.auth = request.raw.headers.authorization
      done()
    })
  },
  'jwks-auth': async (app, setting) => app.register(jwksAuth, { ...optionsFor(setting), ...setting.options }),
  '@fastify/jwt + get-jwks': (app, setting) => withGetJwks(app, setting, {}),
  '@fastify/jwt + get-jwks, cache': (app, setting) => withGetJwks(app, setting, { cache: true }),
}

/**
 * @param {import('fastify').FastifyInstance} app
 * @param {AppSetting} setting
 * @param {{ cache?: boolean }} verify
 */
async function withGetJwks(app, { issuer }, verify) {
  const getJwks = buildGetJwks({ jwksPath: '/jwks', issuersWhitelist: [issuer] })
  await app.register(fastifyJwt, {
    decode: { complete: true },
    verify: { allowedIss: issuer, allowedAud: audience, algorithms: ['RS256'], ...verify },
    secret: async (/** @type {unknown} */ _request, /** @type {any} */ token) =>
      getJwks.getPublicKey({ kid: token.header.kid, domain: token.payload.iss, alg: token.header.alg }),
  })
  app.addHook('onRequest', async (request, reply) => {
    try {
      await request.jwtVerify()
    } catch (error) {
      reply.send(error)
    }
  })
}

/** @param {Protect} protect @param {AppSetting} setting */
export async function listen(protect, setting) {
  const app = fastify()
  await protect(app, setting)
  app.get('/', async () => ({ hello: 'world' }))
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  return Number(new URL(address).port)
}
