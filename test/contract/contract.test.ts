import type { JwksAuthOptions } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appOf, askEverywhere, frameworks, startEverywhere, usesFetch } from './frameworks.ts'
import { corsHeaders, type ProtectedApp } from './protected-app.ts'
import { type RawAnswer, relevant, sendRaw } from './raw-request.ts'
import { asking, bearing, invalid, missing, type Refusal, type Row, rows, unavailable } from './refusals.ts'
import { audience, contractOptions, createWorld, marker, onLoopback, sign, type World } from './world.ts'

let world: World
let apps: readonly ProtectedApp[]

beforeAll(async () => {
  world = await createWorld()
  apps = await startContract()
})
afterAll(async () => {
  await world.close()
})

/** Starts apps without cached keys, with a key revoked. */
async function startContract(options: Partial<JwksAuthOptions> = {}): Promise<readonly ProtectedApp[]> {
  const auth = { ...contractOptions(world), ...options } as JwksAuthOptions
  const started = await startEverywhere({ auth })
  for (const { registry } of started) await registry.revokeKey('acme', 'default', 'acme-revoked')
  return started
}

function expectRefusal(answer: RawAnswer, refusal: Refusal, method = 'GET'): void {
  const retryAfter = answer.headers['retry-after']
  const body = JSON.stringify({ error: refusal.error, error_description: refusal.description })
  expect(relevant(answer)).toEqual({
    status: refusal.status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'www-authenticate': refusal.challenge,
      'retry-after': retryAfter,
      'content-length': String(Buffer.byteLength(body)),
    },
    body: method === 'HEAD' ? '' : body,
  })
  expect(/^[1-9]\d*$/.test(retryAfter ?? '')).toBe(refusal.status === 503)
  expect(answer.headers).toMatchObject(corsHeaders)
}

/** Removes the time, which differs between equal responses. */
function undated(text: string): string {
  return text.replace(/^date: .*$/im, '')
}

/** How a framework refuses the request of a row. */
function refusalIn(framework: string, { refusal, refusalIfJoined = refusal }: Row): Refusal {
  return usesFetch(framework) ? refusalIfJoined : refusal
}

describe.each(frameworks.map(({ name }) => name))('%s', (framework) => {
  describe('refuses', () => {
    it.each(rows)('$title', async (row) => {
      const { request } = row
      const app = appOf(apps, framework)
      const sent = await request(world)
      const before = app.handled()
      const answer = await sendRaw(app.port, sent)
      expectRefusal(answer, refusalIn(framework, row), sent.method)
      expect(app.handled()).toBe(before)
      expect(answer.text.toLowerCase()).not.toContain(marker)
      const tokens = (sent.headers ?? []).flatMap(([, value]) => value.split(' ')).filter((word) => word.length > 40)
      expect(tokens.filter((token) => answer.text.includes(token.slice(-40)))).toEqual([])
    })
  })

  it('accepts a good token, and handlers see its content', async () => {
    const token = await sign(world.acme, { sub: 'user-7', scope: 'orders:read orders:write' })
    const answer = await sendRaw(appOf(apps, framework).port, bearing(token, { target: '/orders' }))
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject(corsHeaders)
    expect(JSON.parse(answer.body)).toEqual({
      auth: {
        tenant: 'acme',
        provider: 'default',
        claims: expect.objectContaining({ iss: world.acme.issuer, sub: 'user-7', marker }),
        header: { alg: 'ES256', kid: 'acme-1', typ: 'JWT' },
        token,
        scopes: ['orders:read', 'orders:write'],
      },
    })
  })

  it.each(['bearer', 'BEARER', 'BeArEr'])('takes the scheme as %s', async (scheme) => {
    const answer = await sendRaw(appOf(apps, framework).port, asking(`${scheme} ${await sign(world.acme)}`))
    expect(answer.status).toBe(200)
  })

  it('takes more than one space after the scheme', async () => {
    const answer = await sendRaw(appOf(apps, framework).port, asking(`Bearer   ${await sign(world.acme)}`))
    expect(answer.status).toBe(200)
  })

  it.each(['HEAD', 'OPTIONS'])('lets %s with a good token pass', async (method) => {
    const answer = await sendRaw(appOf(apps, framework).port, bearing(await sign(world.acme), { method }))
    expect(answer.status).toBe(200)
  })

  it('answers unknown tenant, foreign issuer, unknown kid and bad signature byte for byte the same', async () => {
    const titles = ['an unknown tenant', 'a foreign issuer', 'an unknown kid', 'a bad signature', 'no tenant']
    const texts: string[] = []
    for (const { title, request } of rows) {
      if (!titles.includes(title)) continue
      const { text } = await sendRaw(appOf(apps, framework).port, await request(world))
      texts.push(undated(text))
    }
    expect(texts).toHaveLength(titles.length)
    expect(new Set(texts).size).toBe(1)
  })
})

describe('all frameworks', () => {
  let fresh: readonly ProtectedApp[]
  beforeAll(async () => {
    fresh = await startContract()
  })

  it.each(rows)('answer $title alike', async (row) => {
    const all = await askEverywhere(fresh, await row.request(world))
    const answers = all.filter(({ framework }) => refusalIn(framework, row) === row.refusal)
    expect(answers.length).toBeGreaterThan(1)
    const first = answers.slice(0, 1).map(({ answer }) => relevant(answer))
    for (const { framework, answer } of answers)
      expect({ framework, answer: [relevant(answer)] }).toEqual({ framework, answer: first })
  })

  it('show handlers the same', async () => {
    const token = await sign(world.globex, { scp: ['a', 'b'], nested: { deep: [1, 'two', null] } }, { typ: 'at+jwt' })
    const answers = await askEverywhere(apps, bearing(token, {}, 'globex'))
    const seen = new Set(answers.map(({ answer }) => answer.body))
    expect(seen.size).toBe(1)
    expect(JSON.parse([...seen][0] ?? '')).toMatchObject({
      auth: { tenant: 'globex', scopes: ['a', 'b'], claims: { nested: { deep: [1, 'two', null] } } },
    })
  })
})

describe('an unknown kid while the provider is down', () => {
  it('is answered with 503 everywhere, while known ones still pass', async () => {
    const own = await createWorld()
    const keys = await startEverywhere({
      auth: { ...onLoopback, issuer: own.acme.issuer, audience, realm: 'contract' },
    })
    const good = bearing(await sign(own.acme))
    for (const { answer } of await askEverywhere(keys, good)) expect(answer.status).toBe(200)
    await own.acme.stop()
    const unknown = bearing(await sign(own.acme, {}, { kid: 'new' }))
    for (const { answer } of await askEverywhere(keys, unknown)) expectRefusal(answer, unavailable)
    for (const { answer } of await askEverywhere(keys, good)) expect(answer.status).toBe(200)
    await own.close()
  })
})

describe('an expired token', () => {
  it('is not reported as expired where only the tenant’s own tolerance makes it so', async () => {
    const auth = contractOptions(world)
    const tenants = {
      acme: { issuer: world.acme.issuer, clockTolerance: 0 },
      globex: { issuer: world.globex.issuer, clockTolerance: 600_000 },
    }
    const tolerant = await startEverywhere({ auth: { ...auth, tenants } })
    const token = await sign(world.acme, { exp: Math.floor(Date.now() / 1000) - 60 })
    for (const { answer } of await askEverywhere(tolerant, bearing(token))) expectRefusal(answer, invalid)
    for (const { answer } of await askEverywhere(tolerant, bearing(token, {}, 'initech')))
      expectRefusal(answer, invalid)
  })
})

describe('credentialsRequired: false', () => {
  let optional: readonly ProtectedApp[]
  beforeAll(async () => {
    optional = await startContract({ credentialsRequired: false })
  })

  it.each([
    ['no credentials', undefined],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
  ])('lets %s pass, and handlers see no auth', async (_, authorization) => {
    for (const { framework, answer } of await askEverywhere(optional, asking(authorization))) {
      expect({ framework, status: answer.status, body: answer.body }).toEqual({
        framework,
        status: 200,
        body: '{"auth":null}',
      })
    }
  })

  it.each(rows.filter(({ refusal, title }) => refusal !== missing && !title.startsWith('a guard')))(
    'still refuses $title',
    async (row) => {
      for (const { framework, answer } of await askEverywhere(optional, await row.request(world))) {
        const refusal = refusalIn(framework, row)
        expect(answer.status).toBe(refusal === missing ? 200 : refusal.status)
      }
    },
  )

  it('lets a guard require credentials', async () => {
    for (const { answer } of await askEverywhere(optional, asking(undefined, { target: '/orders' })))
      expectRefusal(answer, missing)
  })
})

describe('property', () => {
  it('names an own property for the result, which guards do not depend on', async () => {
    const named = await startContract({ property: 'client' })
    const token = await sign(world.acme, { scope: 'orders:read orders:write' })
    const seen = await Promise.all(
      ['/who', '/orders', '/get'].map((target) => askEverywhere(named, bearing(token, { target }))),
    )
    for (const { framework, answer } of seen.flat()) {
      expect({ framework, body: JSON.parse(answer.body) }).toMatchObject({
        framework,
        body: { auth: { tenant: 'acme' } },
      })
    }
  })
})

describe('getAuth', () => {
  it('returns what handlers find in the property', async () => {
    const token = await sign(world.acme)
    const [direct, called] = await Promise.all(
      ['/who', '/get'].map((target) => askEverywhere(apps, bearing(token, { target }))),
    )
    expect(called?.map(({ answer }) => answer.body)).toEqual(direct?.map(({ answer }) => answer.body))
  })

  it('leads to 401 with a bare challenge for a request without a token', async () => {
    const optional = await startContract({ credentialsRequired: false })
    for (const { framework, answer } of await askEverywhere(optional, asking(undefined, { target: '/get' }))) {
      const { status, headers } = answer
      expect({ framework, status, challenge: headers['www-authenticate'] }).toEqual({
        framework,
        status: 401,
        challenge: missing.challenge,
      })
    }
  })

  it('leads to 500 where no authenticator ran', async () => {
    for (const { framework, answer } of await askEverywhere(apps, asking(undefined, { target: '/bare-get' }))) {
      expect({ framework, status: answer.status }).toEqual({ framework, status: 500 })
    }
  })
})

describe('the short form', () => {
  it('answers and attaches alike in all frameworks', async () => {
    const short = await startEverywhere({ auth: { ...onLoopback, issuer: world.acme.issuer, audience } })
    const requests = [
      asking(undefined),
      bearing(await sign(world.acme)),
      bearing(await sign(world.stranger)),
      bearing(await sign(world.acme), { target: 'http://elsewhere.example/who' }),
    ]
    const statuses: unknown[] = []
    for (const request of requests) {
      const answers = await askEverywhere(short, request)
      const [first] = answers
      for (const { answer } of answers) {
        expect([answer.status, answer.body, answer.headers['www-authenticate']]).toEqual([
          first?.answer.status,
          first?.answer.body,
          first?.answer.headers['www-authenticate'],
        ])
      }
      statuses.push(first?.answer.status)
    }
    expect(statuses).toEqual([401, 200, 401, 200])
    const [bare] = await askEverywhere(short, asking(undefined))
    expect(bare?.answer.headers['www-authenticate']).toBe('Bearer realm="api"')
  })
})
