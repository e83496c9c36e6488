import type { JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GuardedApp, guardedApps } from './guarded-app.ts'
import { sendRaw } from './raw-request.ts'
import { asking, bearing } from './refusals.ts'
import { audience, createWorld, onLoopback, sign, type World } from './world.ts'

let world: World
let apps: readonly GuardedApp[]

beforeAll(async () => {
  world = await createWorld()
  const auth: JwksAuthOptions = {
    ...onLoopback,
    issuer: world.acme.issuer,
    audience,
    scopes: ['scope', 'realm_access.roles', 'https://acme.example/roles'],
    impliedScopes: { admin: ['writer'], writer: ['reader'], reader: ['writer'] },
    challengeScopes: ['reader', 'offline_access'],
  }
  apps = await Promise.all(
    guardedApps.map(([, start]) =>
      start(auth, ({ requireScopes, requireAnyScope }) => ({
        '/read': [requireScopes('reader')],
        '/admin': [requireAnyScope('admin', 'root')],
      })),
    ),
  )
})
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await world.close()
})

describe('scopes, impliedScopes and challengeScopes in all frameworks', () => {
  it.each([
    ['/read', { scope: 'reader' }, 200],
    ['/read', { realm_access: { roles: ['reader'] } }, 200],
    ['/read', { 'https://acme.example/roles': ['admin'] }, 200],
    ['/read', { scope: 'writer' }, 200],
    ['/read', { scp: 'reader' }, 403],
    ['/read', { roles: ['reader'] }, 403],
    ['/admin', { realm_access: { roles: ['admin'] } }, 200],
    ['/admin', { scope: 'writer' }, 403],
  ] as const)('answer %s with a token with %j with %i', async (target, claims, status) => {
    const request = bearing(await sign(world.acme, claims), { target })
    for (const { framework, port } of apps) {
      expect({ framework, status: (await sendRaw(port, request)).status }).toEqual({ framework, status })
    }
  })

  it('name the scopes of challengeScopes in a 401', async () => {
    for (const { framework, port } of apps) {
      const { headers } = await sendRaw(port, asking(undefined, { target: '/read' }))
      expect({ framework, challenge: headers['www-authenticate'] }).toEqual({
        framework,
        challenge: 'Bearer realm="api", scope="reader offline_access"',
      })
    }
  })
})
