import { requireScopes } from '@jwks-auth/express'
import type { RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { expresses, useWorld } from './world.ts'

const world = useWorld()

/** The scopes that the challenge of a refusal names. */
async function scopesNamed(
  url: string,
  method = 'GET',
): Promise<readonly [status: number, scopes: string | undefined]> {
  const { status, headers } = await fetch(url, { method, headers: { authorization: world.authorization } })
  return [status, /scope="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]]
}

describe.each(expresses)('the challenge in %s', (_, express) => {
  it('names the scopes of all guards of a route, also in lists and for HEAD', async () => {
    const app = express().use(world.start())
    app.get('/list', [requireScopes('c'), requireScopes('d')], requireScopes('e'), ((_req, res) =>
      res.send('ok')) as RequestHandler)
    const url = await world.listen(app)
    expect(await scopesNamed(`${url}/list`)).toEqual([403, 'c d e'])
    expect(await scopesNamed(`${url}/list`, 'HEAD')).toEqual([403, 'c d e'])
  })

  it('names no scopes of another method', async () => {
    const app = express().use(world.start())
    app
      .route('/orders')
      .get(requireScopes('read'), requireScopes('a'), (_req, res) => res.send('ok'))
      .post(requireScopes('write'), (_req, res) => res.send('ok'))
      .all(requireScopes('any'), (_req, res) => res.send('ok'))
    const url = await world.listen(app)
    expect(await scopesNamed(`${url}/orders`)).toEqual([403, 'read a any'])
    expect(await scopesNamed(`${url}/orders`, 'POST')).toEqual([403, 'write any'])
  })

  it('names the scopes of guards that were passed in outer routers', async () => {
    const inner = express.Router().get('/x', requireScopes('c'), (_req, res) => res.send('ok'))
    const app = express()
      .use(world.start())
      .use('/api', requireScopes('a'), express().use(requireScopes('b'), inner))
    expect(await scopesNamed(`${await world.listen(app)}/api/x`)).toEqual([403, 'a b c'])
  })

  it('names no scopes of an earlier route', async () => {
    const app = express().use(world.start())
    app.get('/x', requireScopes('a'), (_req, _res, next) => next('route'))
    app.get('/x', (_req, _res, next) => next(), requireScopes('early'))
    const other = express().use(world.start())
    other.get('/x', (_req, _res, next) => next('route'), requireScopes('skipped'))
    other.use(requireScopes('late'))
    expect(await scopesNamed(`${await world.listen(other)}/x`)).toEqual([403, 'late'])
    expect(await scopesNamed(`${await world.listen(app)}/x`)).toEqual([403, 'a early'])
  })
})
