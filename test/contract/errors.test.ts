import type { JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askEverywhere, startEverywhere } from './frameworks.ts'
import type { ProtectedApp } from './protected-app.ts'
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

/** Requests that are refused for one reason each, by the title of their row. */
function rowNamed(title: string) {
  const row = rows.find((candidate) => candidate.title === title)
  if (row === undefined) throw new Error(`no row is named ${title}`)
  return row
}

describe('passErrors: true', () => {
  const cases = [
    ['no credentials', 'TokenMissingError', 'ERR_TOKEN_MISSING'],
    ['Bearer alone', 'AuthorizationMalformedError', 'ERR_AUTHORIZATION_MALFORMED'],
    ['a token that is too long', 'TokenTooLongError', 'ERR_TOKEN_TOO_LONG'],
    ['an expired token', 'TokenExpiredError', 'ERR_TOKEN_EXPIRED'],
    ['an unknown tenant', 'TenantUnknownError', 'ERR_TENANT_UNKNOWN'],
    ['a bad signature', 'SignatureInvalidError', 'ERR_SIGNATURE_INVALID'],
    ['a scope that is missing', 'ScopeMissingError', 'ERR_SCOPE_MISSING'],
    ['a provider that is down, and no keys', 'KeysUnavailableError', 'ERR_KEYS_UNAVAILABLE'],
  ] as const
  let shown: readonly ProtectedApp[]
  let own: readonly ProtectedApp[]
  beforeAll(async () => {
    const auth: JwksAuthOptions = { ...contractOptions(world), passErrors: true }
    shown = await startEverywhere({ auth, showErrors: true })
    own = await startEverywhere({ auth })
  })

  it.each(cases)('hands %s to the application’s error handler', async (title, name, code) => {
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
          name,
          code,
          status,
          statusCode: status,
          headers,
          expose: true,
          message: expect.any(String),
        },
      })
    }
  })

  it.each(cases)('lets the framework itself answer %s', async (title) => {
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
})

describe('a callback of the application that throws', () => {
  /** The framework's own 500, with nothing of ours. */
  function expectOwn500({ status, headers, body }: RawAnswer): void {
    expect({ status, challenge: headers['www-authenticate'], retryAfter: headers['retry-after'] }).toEqual({
      status: 500,
      challenge: undefined,
      retryAfter: undefined,
    })
    expect(body).not.toContain('error_description')
  }

  const failure = Object.assign(new Error('the database is away'), { code: 'E_DATABASE' })
  // `undefined` and `null` are no error to most frameworks; the words are Express's own, for going on.
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

    it.each(Object.entries(resolvers))('%s is answered with the 500 of every framework', async (_, tenant) => {
      const apps = await startEverywhere({ auth: { ...contractOptions(world), tenant } })
      for (const { answer } of await askEverywhere(apps, bearing(await sign(world.acme)))) expectOwn500(answer)
      expect(apps.map((app) => app.handled())).toEqual(apps.map(() => 0))
    })
  })

  it('does not matter to a request that needs no resolver', async () => {
    const apps = await startEverywhere({ auth: { ...contractOptions(world), tenant: () => Promise.reject(failure) } })
    for (const { answer } of await askEverywhere(apps, asking(undefined))) expect(answer.status).toBe(401)
  })

  it('reaches the application’s error handler as it was thrown', async () => {
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
