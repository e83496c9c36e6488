import type { AuthRequest, JwksAuthError, JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appOf, frameworks, startEverywhere } from './frameworks.ts'
import type { ProtectedApp } from './protected-app.ts'
import { relevant, sendRaw } from './raw-request.ts'
import { asking, bearing, rows } from './refusals.ts'
import { contractOptions, createWorld, sign, type World } from './world.ts'

const cases = [
  ['no credentials', 'ERR_TOKEN_MISSING'],
  ['Bearer alone', 'ERR_AUTHORIZATION_MALFORMED'],
  ['a token that is too long', 'ERR_TOKEN_TOO_LONG'],
  ['an unknown tenant', 'ERR_TENANT_UNKNOWN'],
  ['a bad signature', 'ERR_SIGNATURE_INVALID'],
  ['an unknown kid', 'ERR_KEY_NOT_FOUND'],
  ['a scope that is missing', 'ERR_SCOPE_MISSING'],
  ['a provider that is down, and no keys', 'ERR_KEYS_UNAVAILABLE'],
] as const

let world: World
let seen: { readonly error: JwksAuthError; readonly request: AuthRequest }[] = []

/** What observers do that must not matter. */
const observers: Readonly<Record<string, () => unknown>> = {
  returns: () => undefined,
  throws: () => {
    throw new Error('observer')
  },
  rejects: () => Promise.reject(new Error('observer')),
}

async function startWith(options: Partial<JwksAuthOptions>, act = observers['returns']) {
  return await startEverywhere({
    auth: {
      ...contractOptions(world),
      ...options,
      onRefused: (error, request) => {
        seen.push({ error, request })
        return act?.()
      },
    } as JwksAuthOptions,
  })
}

beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => {
  await world.close()
})

describe.each(frameworks.map(({ name }) => name))('onRefused in %s', (framework) => {
  describe.each([false, true])('with passErrors %s', (passErrors) => {
    let silent: ProtectedApp
    let observed: readonly ProtectedApp[]
    beforeAll(async () => {
      const apps = await startEverywhere({ auth: { ...contractOptions(world), passErrors } })
      silent = appOf(apps, framework)
      observed = await Promise.all(
        Object.values(observers).map(async (act) => appOf(await startWith({ passErrors }, act), framework)),
      )
    })

    it.each(cases)('observes %s once and does not change the response', async (title, code) => {
      const row = rows.find((candidate) => candidate.title === title)
      if (row === undefined) throw new Error('no such row')
      const request = await row.request(world)
      const expected = relevant(await sendRaw(silent.port, request))
      for (const app of observed) {
        seen = []
        expect(relevant(await sendRaw(app.port, request))).toEqual(expected)
        expect(seen.map(({ error }) => error.code)).toEqual([code])
        expect(seen[0]?.request).toMatchObject({ method: 'GET', url: request.target ?? '/who' })
      }
    })
  })

  it('observes a guard and getAuth that need a token, where none is required', async () => {
    const app = appOf(await startWith({ credentialsRequired: false }), framework)
    for (const target of ['/orders', '/get']) {
      seen = []
      expect((await sendRaw(app.port, asking(undefined, { target }))).status).toBe(401)
      expect(seen.map(({ error, request }) => [error.code, request.url])).toEqual([['ERR_TOKEN_MISSING', target]])
    }
  })

  it('observes nothing where a request passes', async () => {
    const app = appOf(await startWith({}), framework)
    seen = []
    expect((await sendRaw(app.port, bearing(await sign(world.acme)))).status).toBe(200)
    expect(seen).toEqual([])
  })
})

it.each([7, 'log', {}])('onRefused must not be %j', async (onRefused) => {
  await expect(startEverywhere({ auth: { ...contractOptions(world), onRefused } as never })).rejects.toThrow(
    'onRefused must be a function',
  )
})
