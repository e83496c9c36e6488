import { type JwksAuthOptions, tenantFromHeader, tenantFromHost, tenantFromPath } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askEverywhere, startEverywhere, usesFetch } from './frameworks.ts'
import type { AppOptions, ProtectedApp } from './protected-app.ts'
import type { RawRequest } from './raw-request.ts'
import { audience, createWorld, onLoopback, type World } from './world.ts'

let world: World
let good: string

beforeAll(async () => {
  world = await createWorld()
  good = await world.acme.sign()
})
afterAll(async () => {
  await world.close()
})

/** Starts the API with two tenants, and perhaps a resolver. */
async function start(
  tenant: JwksAuthOptions['tenant'],
  options: Omit<AppOptions, 'auth'> = {},
): Promise<readonly ProtectedApp[]> {
  const tenants = { acme: { issuer: world.acme.issuer }, globex: { issuer: world.globex.issuer } }
  const apps = await startEverywhere({ ...options, auth: { ...onLoopback, audience, tenants, tenant } })
  // What a fetch request keeps of these targets and headers is tested in packages/fetch/test/tenants.test.ts.
  return apps.filter(({ framework }) => !usesFetch(framework))
}

/** Returns for each framework the tenant that its handler saw for a good token of acme, or the status. */
async function outcomes(apps: readonly ProtectedApp[], request: RawRequest): Promise<readonly unknown[]> {
  const headers = [['Authorization', `Bearer ${good}`] as const, ...(request.headers ?? [])]
  const answers = await askEverywhere(apps, { ...request, headers })
  return answers.map(({ answer }) => (answer.status === 200 ? JSON.parse(answer.body).auth.tenant : answer.status))
}

async function expectOutcome(apps: readonly ProtectedApp[], request: RawRequest, expected: unknown): Promise<void> {
  expect(await outcomes(apps, request)).toEqual(apps.map(() => expected))
}

describe('tenantFromHost', () => {
  let apps: readonly ProtectedApp[]
  beforeAll(async () => {
    apps = await start(tenantFromHost(':tenant.api.example.com'))
  })

  it.each(['acme.api.example.com', 'acme.api.example.com:8443', 'ACME.Api.Example.COM', 'acme.api.example.com.'])(
    'finds the tenant in %s',
    async (host) => {
      await expectOutcome(apps, { host }, 'acme')
    },
  )

  it.each([
    'globex.api.example.com',
    'api.example.com',
    'a.acme.api.example.com',
    'acme.api.example.com.evil.example',
    'acme.api.example.com, globex.api.example.com',
    'globex.api.example.com, acme.api.example.com',
    'acme.api.example.com,evil.example',
    'someone@acme.api.example.com',
    'acme.api.example.com:80:80',
    'acme.api.example.com/x',
    '[::1]',
    '[acme.api.example.com]',
    '',
  ])('refuses the token for the host "%s"', async (host) => {
    await expectOutcome(apps, { host }, 401)
  })

  it('ignores X-Forwarded-Host unless the framework trusts the proxy', async () => {
    const headers = [['X-Forwarded-Host', 'acme.api.example.com']] as const
    await expectOutcome(apps, { host: 'globex.api.example.com', headers }, 401)
  })

  describe('behind a proxy that the framework trusts', () => {
    let trusting: readonly ProtectedApp[]
    beforeAll(async () => {
      trusting = await start(tenantFromHost(':tenant.api.example.com'), { trustsProxy: true })
    })

    it.each(['acme.api.example.com', 'ACME.api.example.com:443'])(
      'finds the tenant in X-Forwarded-Host: %s',
      async (host) => {
        await expectOutcome(trusting, { host: 'api-7f9c.internal:8080', headers: [['X-Forwarded-Host', host]] }, 'acme')
      },
    )

    it('does not fall back to Host where X-Forwarded-Host names another tenant', async () => {
      const headers = [['X-Forwarded-Host', 'globex.api.example.com']] as const
      await expectOutcome(trusting, { host: 'acme.api.example.com', headers }, 401)
    })

    it('finds the tenant in Host where there is no X-Forwarded-Host', async () => {
      await expectOutcome(trusting, { host: 'acme.api.example.com' }, 'acme')
    })

    it.each(['', 'x', 'acme.api.example.com.evil.example', 'a.acme.api.example.com', '[::1]', 'acme@api.example.com'])(
      'refuses the token where X-Forwarded-Host is "%s"',
      async (host) => {
        const headers = [['X-Forwarded-Host', host]] as const
        await expectOutcome(trusting, { host: 'globex.api.example.com', headers }, 401)
      },
    )
  })

  it('refuses a target in absolute form, which has its own host', async () => {
    await expectOutcome(apps, { host: 'acme.api.example.com', target: 'http://acme.api.example.com/who' }, 401)
  })
})

describe('tenantFromPath', () => {
  let apps: readonly ProtectedApp[]
  beforeAll(async () => {
    apps = await start(tenantFromPath('/tenants/:tenant'))
  })

  it.each(['/tenants/acme/who', '/tenants/acme/who?x=/tenants/globex/who'])(
    'finds the tenant in %s',
    async (target) => {
      await expectOutcome(apps, { target }, 'acme')
    },
  )

  it.each([
    '/tenants/globex/who',
    '/who',
    '/who?/tenants/acme/who',
    '/tenants/%61cme/who',
    '/tenants/acme%2fwho',
    '//tenants/acme/who',
    '/x/../tenants/acme/who',
    'http://api.example/tenants/acme/who',
  ])('refuses the token for %s', async (target) => {
    await expectOutcome(apps, { target }, 401)
  })

  it('matches the path that the client sent, under a mount too', async () => {
    const mounted = await start(tenantFromPath('/api/v1/tenants/:tenant'), { mount: '/api/v1' })
    await expectOutcome(mounted, { target: '/api/v1/tenants/acme/who' }, 'acme')
    await expectOutcome(mounted, { target: '/api/v1/tenants/globex/who' }, 401)
  })
})

describe('tenantFromHeader', () => {
  let apps: readonly ProtectedApp[]
  beforeAll(async () => {
    apps = await start(tenantFromHeader('X-Tenant-Id'))
  })

  it('finds the tenant', async () => {
    await expectOutcome(apps, { headers: [['x-tenant-id', 'acme']] }, 'acme')
  })

  it.each([
    ['another tenant', [['x-tenant-id', 'globex']]],
    ['none', []],
    ['one in another case', [['x-tenant-id', 'ACME']]],
    [
      'the same one twice',
      [
        ['x-tenant-id', 'acme'],
        ['X-Tenant-ID', 'acme'],
      ],
    ],
    ['two joined', [['x-tenant-id', 'acme, acme']]],
  ] as const)('refuses the token where the header names %s', async (_, headers) => {
    await expectOutcome(apps, { headers: headers.map(([name, value]) => [name, value] as const) }, 401)
  })
})

describe('tenantFromIssuer, the default', () => {
  it('finds the tenant with the token’s issuer', async () => {
    const apps = await start(undefined)
    await expectOutcome(apps, { host: 'anything.example' }, 'acme')
  })
})

describe('a function as resolver', () => {
  it.each([
    [
      'synchronous',
      ({ url }: { readonly url: string }) => new URLSearchParams(url.split('?')[1]).get('t') ?? undefined,
    ],
    [
      'asynchronous',
      async ({ url }: { readonly url: string }) => new URLSearchParams(url.split('?')[1]).get('t') ?? undefined,
    ],
  ])('may be %s', async (_, resolver) => {
    const apps = await start(resolver)
    await expectOutcome(apps, { target: '/who?t=acme' }, 'acme')
    await expectOutcome(apps, { target: '/who?t=globex' }, 401)
    await expectOutcome(apps, { target: '/who' }, 401)
  })

  it('sees the same method, URL, host name and header fields in every framework', async () => {
    const seen: unknown[] = []
    const apps = await start(({ method, url, hostname, headers, raw }) => {
      seen.push({
        method,
        url,
        hostname,
        tenant: headers['x-tenant'],
        twice: headers['x-twice'],
        hasRaw: raw !== undefined,
      })
      return 'acme'
    })
    const headers = [
      ['X-Tenant', 'acme'],
      ['X-Twice', 'a'],
      ['x-twice', 'b'],
    ] as const
    await expectOutcome(apps, { target: '/who?x=%20y', host: 'api.example:8080', headers }, 'acme')
    const wanted = {
      method: 'GET',
      url: '/who?x=%20y',
      hostname: 'api.example',
      tenant: 'acme',
      twice: ['a', 'b'],
      hasRaw: true,
    }
    expect(seen).toEqual(apps.map(() => wanted))
  })
})
