import type { JwksAuthOptions } from '@jwks-auth/core'
import type { TokenClaims } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GuardedApp, type GuardedRoutes, guardedApps } from './guarded-app.ts'
import { type RawAnswer, relevant, sendRaw } from './raw-request.ts'
import { asking, bearing } from './refusals.ts'
import { audience, createWorld, onLoopback, sign, type World } from './world.ts'

const routes: GuardedRoutes = ({
  requireAnyScope,
  requireAuth,
  requireAuthentication,
  requireClaims,
  requireScopes,
}) => ({
  '/all': [requireScopes('a', 'b')],
  '/any': [requireAnyScope('a', 'b')],
  '/claims': [requireClaims({ role: 'admin', level: 2 })],
  '/predicate': [requireClaims(({ sub }) => sub === 'user-7')],
  '/broken': [
    // Express takes 'route' for a request to skip this guard.
    requireClaims(() => (function* () {})().throw('route') as never),
  ],
  '/promise': [requireClaims((async () => false) as never)],
  '/auth': [requireAuth()],
  '/acr': [requireAuthentication({ acrValues: ['gold', 'silver'] })],
  '/recent': [requireAuthentication({ maxAge: 300_000 })],
  '/two': [requireScopes('a'), requireScopes('b')],
  '/three': [requireAuth(), requireScopes('a'), requireAnyScope('b', 'c'), requireClaims({ role: 'admin' })],
})

const now = (): number => Math.floor(Date.now() / 1000)
const passed = undefined
const scopes = (named: string) => [403, `error="insufficient_scope"`, `scope="${named}"`] as const
const claims = [403, `error="insufficient_scope"`, undefined] as const

/** Path, claims of the token, and how the request is refused. */
const rows: readonly (readonly [string, TokenClaims, readonly (string | number | undefined)[] | undefined])[] = [
  ['/all', { scope: 'a b c' }, passed],
  ['/all', { scope: 'b' }, scopes('a b')],
  ['/all', {}, scopes('a b')],
  ['/any', { scope: 'b' }, passed],
  ['/any', { scope: 'c' }, scopes('a b')],
  ['/claims', { role: 'admin', level: 2 }, passed],
  ['/claims', { role: 'admin' }, claims],
  ['/predicate', { sub: 'user-7' }, passed],
  ['/predicate', { sub: 'user-8' }, claims],
  ['/broken', {}, [500, undefined, undefined]],
  ['/promise', {}, [500, undefined, undefined]],
  ['/auth', {}, passed],
  ['/acr', { acr: 'silver' }, passed],
  ['/acr', { acr: 'bronze' }, [401, 'error="insufficient_user_authentication"', undefined, 'acr_values="gold silver"']],
  ['/recent', { auth_time: now() - 60 }, passed],
  [
    '/recent',
    { auth_time: now() - 600 },
    [401, 'error="insufficient_user_authentication"', undefined, 'max_age="300"'],
  ],
  ['/recent', {}, [401, 'error="insufficient_user_authentication"', undefined, 'max_age="300"']],
  ['/two', { scope: 'a b' }, passed],
  ['/two', {}, scopes('a b')],
  ['/two', { scope: 'a' }, scopes('a b')],
  ['/two', { scope: 'b' }, scopes('a b')],
  ['/three', { scope: 'a c', role: 'admin' }, passed],
  ['/three', {}, scopes('a b c')],
  ['/three', { scope: 'c' }, scopes('a c')],
  ['/three', { scope: 'a' }, scopes('a b c')],
  ['/three', { scope: 'a b' }, claims],
]

let world: World
let required: readonly GuardedApp[]
let optional: readonly GuardedApp[]
let passing: readonly GuardedApp[]

beforeAll(async () => {
  world = await createWorld()
  const auth = { ...onLoopback, issuer: world.acme.issuer, audience, challengeScopes: ['basic'] } as JwksAuthOptions
  const startAll = (more: object) => Promise.all(guardedApps.map(([, start]) => start({ ...auth, ...more }, routes)))
  required = await startAll({})
  optional = await startAll({ credentialsRequired: false })
  passing = await startAll({ passErrors: true })
})
afterAll(async () => {
  await Promise.all([...required, ...optional, ...passing].map((app) => app.close()))
  await world.close()
})

function appOf(apps: readonly GuardedApp[], framework: string): GuardedApp {
  const found = apps.find((app) => app.framework === framework)
  if (found === undefined) throw new Error('not started')
  return found
}

/** The status and the parameters of the challenge that matter. */
function seen({ status, headers, body }: RawAnswer): readonly (string | number | undefined)[] | undefined {
  if (status === 200 && body === 'passed') return undefined
  const challenge = headers['www-authenticate'] ?? ''
  const [error] = /error="[^"]*"/.exec(challenge) ?? []
  // `scope` of a 401 is what `challengeScopes` names.
  const [scope] = (status === 401 ? null : /(?<![\w-])scope="[^"]*"/.exec(challenge)) ?? []
  const [more] = /(?:acr_values|max_age)="[^"]*"/.exec(challenge) ?? []
  return more === undefined ? [status, error, scope] : [status, error, scope, more]
}

describe.each(guardedApps)('guards in %s', (framework, _, adapter) => {
  it.each(rows)('%s with %j: %j', async (target, ofToken, refusal) => {
    const request = bearing(await sign(world.acme, ofToken), { target })
    const answer = await sendRaw(appOf(required, framework).port, request)
    expect(seen(answer)).toEqual(refusal)
    const alternative = await sendRaw(appOf(passing, framework).port, request)
    expect(seen(alternative)).toEqual(refusal)
  })

  it.each(['/all', '/any', '/claims', '/predicate', '/broken', '/auth', '/acr', '/two'])(
    'refuse a request without a token at %s, as a missing token is refused',
    async (target) => {
      const request = asking(undefined, { target })
      const first = relevant(await sendRaw(appOf(required, framework).port, request))
      expect(first).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="api", scope="basic"' } })
      expect(relevant(await sendRaw(appOf(optional, framework).port, request))).toEqual(first)
    },
  )

  it.each([
    ['requireScopes', []],
    ['requireScopes', ['a b']],
    ['requireAnyScope', []],
    ['requireClaims', []],
    ['requireClaims', [{}]],
    ['requireAuthentication', []],
    ['requireAuthentication', [{}]],
    ['requireAuthentication', [{ maxAge: 300 }]],
  ] as const)('%s(%j) throws a TypeError', (name, args) => {
    expect(() => (adapter[name] as (...given: unknown[]) => unknown)(...args)).toThrow(TypeError)
  })
})
