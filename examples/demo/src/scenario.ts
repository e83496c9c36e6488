import { setTimeout as sleep } from 'node:timers/promises'
import type { ProtectedApi } from './apps/protected-api.ts'
import { check, compare, compareEach, reach } from './checks.ts'
import type { TenantProvider } from './providers.ts'
import type { Line } from './table.ts'

/** Who takes part. */
export interface Cast {
  readonly acme: TenantProvider
  readonly globex: TenantProvider
  readonly apis: readonly ProtectedApi[]
}

/** A part of the demo: what happens, and what comes of it. */
export interface Section {
  readonly title: string
  readonly about: readonly string[]
  lines(cast: Cast): AsyncGenerator<Line>
}

/** What `WWW-Authenticate` says (RFC 6750 §3). */
const challenge = {
  bare: /^Bearer realm="api"$/,
  invalidToken: /^Bearer realm="api", error="invalid_token"/,
  insufficientScope: /^Bearer realm="api", error="insufficient_scope".*, scope="admin"$/,
}

/** What `GET /whoami` says. */
function iAm(tenant: string, key: string): RegExp {
  return new RegExp(`^{"tenant":"${tenant}","client":"${tenant}-client","scopes":\\["read"\\],"key":"${key}"}$`)
}

const tokens: Section = {
  title: 'TOKENS AND TENANTS',
  about: ['GET /whoami needs a token, GET /admin one with the scope admin. No API holds any key yet.'],
  async *lines({ acme, globex, apis }) {
    const [acmeToken, globexToken] = await Promise.all([acme.getToken('read'), globex.getToken('read')])
    const whoami = { path: '/whoami', tenant: 'acme' } as const
    const right = { ...whoami, token: acmeToken, status: 200, says: iAm('acme', 'acme-1') }
    yield await check(apis, { ...right, subject: "/whoami  acme's token (RS256), 100 at once", times: 100 })
    yield await check(apis, {
      subject: "/whoami  globex's token (ES256), 100 at once",
      path: '/whoami',
      tenant: 'globex',
      token: globexToken,
      times: 100,
      status: 200,
      says: iAm('globex', 'globex-1'),
    })
    yield await check(apis, { ...whoami, subject: '/whoami  no token', status: 401, says: challenge.bare })

    const foreign = { ...whoami, token: globexToken, status: 401, says: challenge.invalidToken }
    yield await check(apis, { ...foreign, subject: "/whoami  globex's token for the tenant acme" })
    yield await check(apis, {
      ...foreign,
      subject: "/whoami  acme's token for the tenant globex",
      tenant: 'globex',
      token: acmeToken,
    })

    const admin = { ...whoami, path: '/admin' } as const
    yield await check(apis, {
      ...admin,
      subject: '/admin   token without the scope admin',
      token: acmeToken,
      status: 403,
      says: challenge.insufficientScope,
    })
    yield await check(apis, {
      ...admin,
      subject: '/admin   token with the scope admin',
      token: await acme.getToken('read admin'),
      status: 200,
      says: /^{"welcome":"acme-client"}$/,
    })
    const reached = new Map<ProtectedApi, string>()
    for (const api of apis) reached.set(api, await reach(`${api.statusUrl}/health/ready`))
    yield compareEach('/status/health/ready  acme is required', '200', apis, (api) => reached.get(api) ?? '')
    for (const api of apis) reached.set(api, await reach(`${api.url}/metrics`))
    yield compareEach('/metrics  for Prometheus', '200', apis, (api) => reached.get(api) ?? '')
    yield jwksRequests(acme, 3, 'one for each API, which has a cache of its own; 300 requests needed the keys')
    yield jwksRequests(globex, 3, 'likewise')
  },
}

const rotation: Section = {
  title: 'ROTATION',
  about: ['acme signs with a new key, acme-2, and still publishes acme-1. No API is notified or restarted.'],
  async *lines({ acme, apis }) {
    const before = await acme.getToken('read')
    await acme.rotate()
    const after = await acme.getToken('read')
    const sent = { path: '/whoami', tenant: 'acme', status: 200 } as const
    yield await check(apis, {
      ...sent,
      subject: '/whoami  new token, 100 at once',
      token: after,
      times: 100,
      says: iAm('acme', 'acme-2'),
    })
    yield await check(apis, {
      ...sent,
      subject: '/whoami  token from before the rotation',
      token: before,
      says: iAm('acme', 'acme-1'),
    })
    yield jwksRequests(acme, 6, 'one more for each API, for a key that was not cached')
  },
}

const outage: Section = {
  title: 'OUTAGE AND RETURN',
  about: [
    'globex allows its keys to be kept for 1 s, every API fetches them once more, globex stops, and',
    'more than 1 s passes: the cached keys have expired, and the provider is down.',
  ],
  async *lines({ acme, globex, apis }) {
    const token = await globex.getToken('read')
    globex.setJwksMaxAge(1)
    await Promise.all(apis.map(({ registry }) => registry.refresh('globex', 'default')))
    // Just before, globex rotates, too: no API has fetched the new key.
    await globex.rotate()
    const unseen = await globex.getToken('read')
    await globex.stop()
    await untilExpired(apis)

    yield compare(
      'globex, asked directly',
      'refused',
      await reach(`${globex.issuer}/jwks`),
      `GET ${globex.issuer}/jwks`,
    )
    yield compareEach("the API's copy of globex's keys", 'stale', apis, healthOfGlobex)
    const sent = { path: '/whoami', tenant: 'globex' } as const
    yield await check(apis, {
      ...sent,
      subject: "/whoami  globex's token, 100 at once",
      token,
      times: 100,
      status: 200,
      says: iAm('globex', 'globex-1'),
    })
    yield await check(apis, {
      ...sent,
      subject: '/whoami  token of a key never fetched',
      token: unseen,
      status: 503,
      says: /^Retry-After: \d+, .*"temporarily_unavailable"/,
    })
    yield compareEach("the API's copy of globex's keys", 'failing', apis, healthOfGlobex)
    yield jwksRequests(globex, 6, 'one more for each API, before globex stopped')
    yield* recover({ acme, globex, apis }, token)
  },
}

/** Globex comes back; `held` is a token that the cached keys can verify. */
async function* recover({ globex, apis }: Cast, held: string): AsyncGenerator<Line> {
  globex.setJwksMaxAge(300)
  await globex.start()
  const token = await globex.getToken('read')
  yield compare(
    'globex is started again, and asked directly',
    '200',
    await reach(metadataUrl(globex)),
    'the APIs are not notified; they fetch again by themselves',
  )
  const sent = { path: '/whoami', tenant: 'globex', status: 200 } as const
  yield await check(apis, { ...sent, subject: "/whoami  globex's token", token: held, says: iAm('globex', 'globex-1') })
  await untilFresh(apis)
  yield compareEach("the API's copy of globex's keys, moments later", 'fresh', apis, healthOfGlobex)
  yield await check(apis, { ...sent, subject: '/whoami  new token', token, says: iAm('globex', 'globex-2') })
  yield jwksRequests(globex, 9, 'one more for each API')
}

/** The demo, in its order. */
export const sections: readonly Section[] = [tokens, rotation, outage]

function healthOfGlobex({ registry }: ProtectedApi): string {
  return registry.status('globex', 'default').health
}

function metadataUrl({ issuer }: TenantProvider): string {
  return `${issuer}/.well-known/openid-configuration`
}

function jwksRequests(provider: TenantProvider, expected: number, note: string): Line {
  const subject = `requests to ${provider.tenant}'s JWKS endpoint so far`
  return compare(subject, String(expected), String(provider.jwksRequests()), note)
}

async function untilExpired(apis: readonly ProtectedApi[]): Promise<void> {
  const expiries = apis.map(({ registry }) => Date.parse(registry.status('globex', 'default').expiresAt ?? ''))
  // Timers may fire a little early.
  await sleep(Math.max(0, ...expiries.map((expiry) => expiry - Date.now())) + 20)
}

/** The APIs fetch again when their backoff is over; the table shows whether they do. */
async function untilFresh(apis: readonly ProtectedApi[]): Promise<void> {
  const deadline = Date.now() + 15_000
  while (Date.now() < deadline && apis.some((api) => healthOfGlobex(api) !== 'fresh')) await sleep(50)
}
