import type { Auth, RequestOptions } from '@jwks-auth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { countSignatureChecks } from '../../packages/core/test/auth/signature-checks.ts'
import { askEverywhere, startEverywhere } from './frameworks.ts'
import type { ProtectedApp } from './protected-app.ts'
import { relevant, sendRaw } from './raw-request.ts'
import { asking, bearing, rows } from './refusals.ts'
import { contractOptions, createWorld, sign, type World } from './world.ts'

let world: World
const checks = countSignatureChecks()

beforeAll(async () => {
  world = await createWorld()
})
afterEach(() => {
  checks.taken()
})
afterAll(async () => {
  checks.stop()
  await world.close()
})

async function start(options: RequestOptions<unknown> = {}): Promise<readonly ProtectedApp[]> {
  return await startEverywhere({ auth: { ...contractOptions(world), ...options } })
}

describe('a token that was verified before', () => {
  it.each([
    ['good', '/who', 'user-7', 200],
    ['good, for a route whose scope it lacks', '/orders', 'user-7', 403],
  ])(
    'gets the same response as on its first use, without another signature check: %s',
    async (_, target, sub, status) => {
      const apps = await start()
      const request = bearing(await sign(world.acme, { sub, scope: 'orders:read', list: [{ deep: 1 }] }), { target })
      const first = await askEverywhere(apps, request)
      expect(first.map(({ answer }) => answer.status)).toEqual(first.map(() => status))
      expect(checks.taken()).toBe(apps.length)
      const second = await askEverywhere(apps, request)
      expect(second.map(({ answer }) => relevant(answer))).toEqual(first.map(({ answer }) => relevant(answer)))
      expect(checks.taken()).toBe(0)
    },
  )

  it('is refused for another tenant, or beside a second Authorization header, as on its first use', async () => {
    const [fresh, warm] = [await start(), await start()]
    const token = await sign(world.acme)
    await askEverywhere(warm, bearing(token))
    const twice: readonly [string, string][] = [
      ['Authorization', `Bearer ${token}`],
      ['authorization', `Bearer ${token}`],
    ]
    const good = bearing(token)
    const requests = [
      bearing(token, {}, 'globex'),
      bearing(token, {}, 'unknown'),
      { ...good, headers: [...(good.headers ?? []).filter(([name]) => !/^authorization$/i.test(name)), ...twice] },
    ]
    for (const request of requests) {
      const answers = await askEverywhere(warm, request)
      const expected = await askEverywhere(fresh, request)
      expect(answers.map(({ answer }) => relevant(answer))).toEqual(expected.map(({ answer }) => relevant(answer)))
      for (const { answer } of answers) expect(answer.status).not.toBe(200)
    }
  })

  it('is refused once its key is revoked, as a new token is', async () => {
    const apps = await start()
    const [known, unknown] = await Promise.all([sign(world.acme, { jti: '1' }), sign(world.acme, { jti: '2' })])
    await askEverywhere(apps, bearing(known))
    for (const { registry } of apps) await registry.revokeKey('acme', 'default', 'acme-1')
    for (const app of apps) {
      const [one, other] = [await sendRaw(app.port, bearing(known)), await sendRaw(app.port, bearing(unknown))]
      expect(one.status).toBe(401)
      expect(relevant(one)).toEqual(relevant(other))
    }
  })
})

describe('a handler that changes auth', () => {
  const changes: readonly ((auth: Auth<unknown>) => unknown)[] = [
    ({ claims }) => Object.assign(claims as object, { sub: 'user-admin', more: true }),
    ({ claims }) => (claims as { roles: string[] }).roles.push('admin'),
    ({ claims }) => Object.assign((claims as { nested: { deep: object[] } }).nested.deep[0] ?? {}, { a: 2 }),
    ({ claims }) => Reflect.deleteProperty(claims as object, 'iss'),
    ({ header }) => Object.assign(header, { kid: 'other' }),
    ({ scopes }) => Set.prototype.add.call(scopes, 'admin'),
    ({ scopes }) => Set.prototype.clear.call(scopes),
    (auth) => Object.assign(auth, { tenant: 'globex', token: '', claims: {}, scopes: new Set(['admin']) }),
  ]

  it('does not fail, and later requests do not see its changes', async () => {
    const apps = await startEverywhere({
      auth: contractOptions(world),
      afterwards: (auth) => {
        for (const change of changes) change(auth)
      },
    })
    const request = bearing(await sign(world.acme, { roles: ['user'], nested: { deep: [{ a: 1 }] }, scope: 'a b' }))
    const first = await askEverywhere(apps, request)
    for (const { answer } of first) expect(answer.status).toBe(200)
    for (const _ of [1, 2]) {
      const later = await askEverywhere(apps, request)
      expect(later.map(({ answer }) => answer.body)).toEqual(first.map(({ answer }) => answer.body))
    }
  })
})

describe('callbacks of the application', () => {
  it('validate and isRevoked refuse with the same 401 as a bad signature', async () => {
    const badSignature = rows.find(({ title }) => title === 'a bad signature')
    if (badSignature === undefined) throw new Error('there is no row for a bad signature')
    for (const options of [{ validate: () => false }, { isRevoked: async () => true }]) {
      const apps = await start(options)
      const [expected] = await askEverywhere(apps, await badSignature.request(world))
      const token = await sign(world.acme)
      for (const _ of [1, 2]) {
        for (const { answer } of await askEverywhere(apps, bearing(token))) {
          expect({ ...relevant(answer) }).toEqual(expected && relevant(expected.answer))
        }
      }
    }
  })

  it('isRevoked is called for each request, with the framework’s own request', async () => {
    const seen: unknown[] = []
    const apps = await start({
      isRevoked: (auth, { method, url, headers, raw }) => {
        seen.push([auth.tenant, method, url, headers['x-tenant'], typeof raw])
        return false
      },
    })
    const request = bearing(await sign(world.acme), { target: '/who?q=1' })
    for (const _ of [1, 2]) await askEverywhere(apps, request)
    expect(seen).toEqual(apps.concat(apps).map(() => ['acme', 'GET', '/who?q=1', 'acme', 'object']))
  })

  it.each(['validate', 'isRevoked'])(
    '%s that throws, at once or later, leads to the framework’s own error handler',
    async (name) => {
      const fault = (): never => {
        throw Object.assign(new Error('away'), { code: 'E_AWAY' })
      }
      for (const callback of [fault, async () => fault()]) {
        const auth = { ...contractOptions(world), [name]: callback }
        const token = bearing(await sign(world.acme))
        for (const { answer } of await askEverywhere(await startEverywhere({ auth, showErrors: true }), token)) {
          expect([answer.status, JSON.parse(answer.body).code]).toEqual([500, 'E_AWAY'])
        }
        const apps = await startEverywhere({ auth })
        for (const { answer } of await askEverywhere(apps, token)) expect(answer.status).toBe(500)
        expect(apps.map((app) => app.handled())).toEqual(apps.map(() => 0))
      }
    },
  )

  it('isRevoked that throws for a cached token leads to the framework’s own error handler', async () => {
    let isWell = true
    const isRevoked = (): boolean => {
      if (isWell) return false
      throw new Error('away')
    }
    const apps = await start({ isRevoked })
    const request = bearing(await sign(world.acme))
    for (const { answer } of await askEverywhere(apps, request)) expect(answer.status).toBe(200)
    isWell = false
    for (const { answer } of await askEverywhere(apps, request)) expect(answer.status).toBe(500)
  })

  it('are not called without a token', async () => {
    const isRevoked = vi.fn<() => boolean>(() => false)
    for (const { answer } of await askEverywhere(await start({ isRevoked }), asking(undefined))) {
      expect(answer.status).toBe(401)
    }
    expect(isRevoked).not.toHaveBeenCalled()
  })
})
