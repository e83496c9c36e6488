import type { JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { askEverywhere, startEverywhere } from './frameworks.ts'
import { codesOf, type ProtectedApp } from './protected-app.ts'
import type { RawAnswer } from './raw-request.ts'
import { asking, bearing, rows } from './refusals.ts'
import { contractOptions, createWorld, sign, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => {
  await world.close()
})

/** Returns the row with this title. */
function rowNamed(title: string) {
  const row = rows.find((candidate) => candidate.title === title)
  if (row === undefined) throw new Error(`no row is named ${title}`)
  return row
}

describe('passErrors: true', () => {
  const cases = [
    ['no credentials', 'ERR_TOKEN_MISSING'],
    ['Bearer alone', 'ERR_AUTHORIZATION_MALFORMED'],
    ['a token that is too long', 'ERR_TOKEN_TOO_LONG'],
    ['an expired token', 'ERR_TOKEN_EXPIRED'],
    ['an unknown tenant', 'ERR_TENANT_UNKNOWN'],
    ['a bad signature', 'ERR_SIGNATURE_INVALID'],
    ['a scope that is missing', 'ERR_SCOPE_MISSING'],
    ['a provider that is down, and no keys', 'ERR_KEYS_UNAVAILABLE'],
  ] as const
  /** Refusals that must be the same to a client, since otherwise it could find out who is a tenant. */
  const indistinguishable = [
    'no tenant',
    'an unknown tenant',
    'a malformed tenant id',
    'a foreign issuer',
    "another tenant's token",
    'an unknown kid',
    'a bad signature',
    'a revoked key',
    'a wrong audience',
    'claims that the schema refuses',
  ]
  let seen: unknown[] = []
  let shown: readonly ProtectedApp[]
  let own: readonly ProtectedApp[]
  beforeAll(async () => {
    const auth: JwksAuthOptions = { ...contractOptions(world), passErrors: true }
    shown = await startEverywhere({ auth, showErrors: true, onError: (error) => seen.push(error) })
    own = await startEverywhere({ auth })
    for (const { registry } of [...shown, ...own]) await registry.revokeKey('acme', 'default', 'acme-revoked')
  })
  beforeEach(() => {
    seen = []
  })

  it.each(cases)('passes %s to the application’s error handler', async (title, code) => {
    const { request, refusal } = rowNamed(title)
    const { status, challenge } = refusal
    for (const { framework, answer } of await askEverywhere(shown, await request(world))) {
      const error = JSON.parse(answer.body)
      const retryAfter: string | undefined = error.headers['retry-after']
      expect(Number(retryAfter ?? 0) >= 1).toBe(status === 503)
      const headers = {
        'cache-control': 'no-store',
        ...(challenge !== undefined && { 'www-authenticate': challenge }),
        ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
      }
      expect({ framework, status: answer.status, error }).toEqual({
        framework,
        status,
        error: {
          isError: true,
          isOurs: true,
          name: expect.any(String),
          code: refusal.error,
          status,
          statusCode: status,
          headers,
          expose: true,
          message: expect.any(String),
        },
      })
    }
    expect(seen.map((error) => codesOf(error).includes(code))).toEqual(shown.map(() => true))
  })

  it.each(cases)('lets the framework’s own error handler answer %s', async (title) => {
    const { request, refusal } = rowNamed(title)
    for (const { framework, answer } of await askEverywhere(own, await request(world))) {
      const { status, headers } = answer
      expect({ framework, status, challenge: headers['www-authenticate'], cache: headers['cache-control'] }).toEqual({
        framework,
        status: refusal.status,
        challenge: refusal.challenge,
        cache: 'no-store',
      })
    }
  })

  it.each([
    ['the framework’s own error handler', () => own],
    ['an error handler that sends name, code and message', () => shown],
  ])('does not tell known tenants from unknown ones through %s', async (_, apps) => {
    const texts = new Map<string, Map<string, string>>()
    for (const title of indistinguishable) {
      for (const { framework, answer } of await askEverywhere(apps(), await rowNamed(title).request(world))) {
        const ofFramework = texts.get(framework) ?? new Map<string, string>()
        texts.set(framework, ofFramework.set(title, answer.text.replace(/^date: .*$/im, '')))
      }
    }
    const first = [...texts.values()].map((ofFramework) => ofFramework.get('no tenant'))
    for (const title of indistinguishable) {
      expect([title, ...[...texts.values()].map((ofFramework) => ofFramework.get(title))]).toEqual([title, ...first])
    }
  })
})

describe('a callback of the application that throws', () => {
  /** Expects the framework's own 500. */
  function expectOwn500({ status, headers, body }: RawAnswer): void {
    expect({ status, challenge: headers['www-authenticate'], retryAfter: headers['retry-after'] }).toEqual({
      status: 500,
      challenge: undefined,
      retryAfter: undefined,
    })
    expect(body).not.toContain('error_description')
  }

  const failure = Object.assign(new Error('the database is away'), { code: 'E_DATABASE' })
  // Most frameworks take `undefined` and `null` for success; to Express, the words mean to continue.
  const thrown: readonly (readonly [string, unknown])[] = [
    ['an error', failure],
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['"route"', 'route'],
    ['"router"', 'router'],
    ['an object', { status: 200 }],
  ]

  describe.each(thrown)('%s', (_, value) => {
    const resolvers = {
      'at once': () => {
        throw value
      },
      later: async () => {
        throw value
      },
    }

    it.each(Object.entries(resolvers))('thrown %s leads to the 500 of every framework', async (_, tenant) => {
      const apps = await startEverywhere({ auth: { ...contractOptions(world), tenant } })
      for (const { answer } of await askEverywhere(apps, bearing(await sign(world.acme)))) expectOwn500(answer)
      expect(apps.map((app) => app.handled())).toEqual(apps.map(() => 0))
    })
  })

  it('has no effect on a request that needs no resolver', async () => {
    const apps = await startEverywhere({ auth: { ...contractOptions(world), tenant: () => Promise.reject(failure) } })
    for (const { answer } of await askEverywhere(apps, asking(undefined))) expect(answer.status).toBe(401)
  })

  it('has its error passed to the application’s error handler unchanged', async () => {
    const apps = await startEverywhere({
      auth: {
        ...contractOptions(world),
        tenant: () => Promise.reject(Object.assign(new Error('away'), { code: 'E_AWAY' })),
      },
      showErrors: true,
    })
    for (const { answer } of await askEverywhere(apps, bearing(await sign(world.acme)))) {
      expect(JSON.parse(answer.body)).toMatchObject({
        message: 'away',
        code: 'E_AWAY',
        status: null,
      })
    }
  })

  it('may be the schema of claims', async () => {
    const claims = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: () => {
          throw new Error('the schema is broken')
        },
      },
    }
    const apps = await startEverywhere({ auth: { ...contractOptions(world), claims } })
    for (const { answer } of await askEverywhere(apps, bearing(await sign(world.acme)))) expectOwn500(answer)
  })
})
