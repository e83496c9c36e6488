import type { ProviderOptions, Registry } from '@jwks-auth/core'
import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { type AnswerHeaders, createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

const start = createManualClock().now()

/** An HTTP date, in seconds from now. */
function httpDate(seconds: number): string {
  return new Date(start + seconds * 1_000).toUTCString()
}

async function scene(headers: AnswerHeaders, options: ProviderOptions = {}) {
  const clock = createManualClock()
  const issuer = await startIssuer({ clock, cacheControl: undefined })
  issuer.setHeaders('jwks', headers)
  const registry = await startRegistryWith(issuer, { clock }, { prefetch: 'never', ...options })
  return { clock, issuer, registry }
}

/** Seconds from now until the cached keys expire. */
function secondsLeft(registry: Registry, now: number): number {
  const { expiresAt } = registry.status('acme', 'auth0')
  return (Date.parse(expiresAt ?? '') - now) / 1_000
}

describe('keys are fresh', () => {
  const short: ProviderOptions = { minTtl: 1_000 }
  it.each<[string, AnswerHeaders, ProviderOptions, number]>([
    ['for max-age', { 'cache-control': 'max-age=120' }, {}, 120],
    ['for max-age though the answer is private', { 'cache-control': 'private, max-age=120' }, {}, 120],
    ['for max-age in odd case', { 'cache-control': 'Public, Max-AGE=45' }, {}, 45],
    ['for max-age on a line of its own', { 'cache-control': ['private', 'max-age=77'] }, {}, 77],
    ['for max-age less Age', { 'cache-control': 'max-age=120', age: '20' }, {}, 100],
    ['for minTtl where Age has used max-age up', { 'cache-control': 'max-age=120', age: '500' }, {}, 30],
    ['until Expires', { expires: httpDate(90) }, {}, 90],
    ['until Expires less Age', { expires: httpDate(90), age: '20' }, {}, 70],
    ['for minTtl where Expires has passed', { expires: httpDate(-90) }, {}, 30],
    ['for minTtl where Expires is 0', { expires: '0' }, {}, 30],
    ['for max-age whatever Expires says', { 'cache-control': 'max-age=60', expires: httpDate(900) }, {}, 60],
    ['for minTtl with no-cache', { 'cache-control': 'no-cache' }, {}, 30],
    ['for minTtl with no-cache beside max-age', { 'cache-control': 'no-cache, max-age=300' }, {}, 30],
    ['for minTtl with no-store', { 'cache-control': 'no-store' }, {}, 30],
    ['for minTtl with no-store beside max-age', { 'cache-control': 'no-store, max-age=300' }, {}, 30],
    ['for minTtl with max-age=0', { 'cache-control': 'max-age=0, must-revalidate' }, {}, 30],
    ['for a minTtl of a second', { 'cache-control': 'no-store' }, short, 1],
    ['for minTtl at least', { 'cache-control': 'max-age=5' }, {}, 30],
    ['for maxTtl at most', { 'cache-control': 'max-age=31536000' }, {}, 86_400],
    ['for a maxTtl of our own', { 'cache-control': 'max-age=600' }, { maxTtl: 60_000 }, 60],
    ["for the max-age of Auth0's directives", auth0(), short, 15],
    ["for minTtl with Auth0's directives", auth0(), {}, 30],
    ['for defaultTtl with s-maxage alone', { 'cache-control': 's-maxage=300' }, {}, 600],
    ['for max-age beside s-maxage', { 'cache-control': 's-maxage=300, max-age=60' }, {}, 60],
    ['for defaultTtl with a bare immutable', { 'cache-control': 'immutable' }, {}, 600],
    ['for max-age beside immutable', { 'cache-control': 'max-age=60, immutable' }, {}, 60],
    ['for defaultTtl with Last-Modified alone', { 'last-modified': httpDate(-8_640_000) }, {}, 600],
    ['for defaultTtl with nothing at all', {}, {}, 600],
    ['for a defaultTtl of our own', {}, { defaultTtl: 1_234_000 }, 1_234],
    ['for defaultTtl within maxTtl', {}, { maxTtl: 60_000 }, 60],
  ])('%s', async (_, headers, options, seconds) => {
    const { registry } = await scene(headers, options)
    await registry.resolve('acme', 'auth0')
    expect(secondsLeft(registry, start)).toBe(seconds)
  })

  it('and asked for again only after that', async () => {
    const { clock, issuer, registry } = await scene({ 'cache-control': 'max-age=60' })
    await registry.resolve('acme', 'auth0')
    await clock.advance(59_999)
    await registry.resolve('acme', 'auth0')
    expect(issuer.requestCount('jwks')).toBe(1)
    await clock.advance(1)
    await registry.resolve('acme', 'auth0')
    expect(issuer.requestCount('jwks')).toBe(2)
  })
})

describe('keys may be served stale', () => {
  it.each<[string, string, ProviderOptions, number]>([
    ['for staleWhileError', 'max-age=60', {}, 3_600],
    ["for staleWhileError, by Auth0's directives, while nothing has failed", auth0()['cache-control'], {}, 3_600],
    ['for maxStale at most', 'max-age=60', { maxStale: 60_000 }, 60],
    ['not at all with 0', 'max-age=60, stale-if-error=600', { staleWhileError: 0 }, 0],
  ])('%s', async (_, cacheControl, options, seconds) => {
    const { registry } = await scene({ 'cache-control': cacheControl }, options)
    await registry.resolve('acme', 'auth0')
    const { expiresAt, staleUntil } = registry.status('acme', 'auth0')
    expect((Date.parse(staleUntil ?? '') - Date.parse(expiresAt ?? '')) / 1_000).toBe(seconds)
  })
})

describe('a revalidation', () => {
  it('sends the validators, and a 304 makes the keys fresh again', async () => {
    const { clock, issuer, registry } = await scene({ 'cache-control': 'max-age=60', 'last-modified': httpDate(-60) })
    await registry.resolve('acme', 'auth0')
    await clock.advance(60_000)
    const before = await registry.resolve('acme', 'auth0')
    const [first, second] = issuer.requests
    expect(first?.headers).not.toHaveProperty('if-none-match')
    expect(second?.headers).toMatchObject({
      'if-none-match': expect.stringMatching(/^".+"$/),
      'if-modified-since': httpDate(-60),
    })
    expect(secondsLeft(registry, clock.now())).toBe(60)
    expect(before.keys.map(({ kid }) => kid)).toEqual(['key-1'])
    expect(await registry.refresh('acme', 'auth0')).toEqual({
      ok: true,
      modified: false,
      added: [],
      removed: [],
      changed: [],
    })
  })

  it.each<[string, AnswerHeaders, AnswerHeaders, number]>([
    [
      'does not count the Age of the answer before',
      { 'cache-control': 'max-age=60', age: '20' },
      { 'cache-control': 'max-age=60' },
      60,
    ],
    ['counts the Age of the 304', { 'cache-control': 'max-age=60' }, { 'cache-control': 'max-age=60', age: '10' }, 50],
    ['takes a new max-age over', { 'cache-control': 'max-age=60' }, { 'cache-control': 'max-age=240' }, 240],
    ['keeps the max-age that the 304 leaves out', { 'cache-control': 'max-age=240' }, {}, 240],
    ['can end the freshness', { 'cache-control': 'max-age=240' }, { 'cache-control': 'no-cache' }, 30],
  ])('%s', async (_, first, then, seconds) => {
    const { clock, issuer, registry } = await scene(first)
    await registry.resolve('acme', 'auth0')
    issuer.setHeaders('jwks', then)
    await clock.advance(900_000)
    await registry.resolve('acme', 'auth0')
    expect(issuer.requests.at(-1)?.headers).toHaveProperty('if-none-match')
    expect(secondsLeft(registry, clock.now())).toBe(seconds)
  })

  it('takes a new set over that comes instead of a 304', async () => {
    const { clock, issuer, registry } = await scene({ 'cache-control': 'max-age=60' })
    await registry.resolve('acme', 'auth0')
    await issuer.rotate({ keepPrevious: false })
    await clock.advance(60_000)
    const { keys } = await registry.resolve('acme', 'auth0')
    expect(keys.map(({ kid }) => kid)).toEqual(['key-2'])
  })

  it('that ends in a 304 about something else has failed, and asks for the whole set the next time', async () => {
    const { clock, issuer, registry } = await scene({ 'cache-control': 'max-age=60' })
    await registry.resolve('acme', 'auth0')
    issuer.answerOnce('jwks', { kind: 'reply', status: 304, headers: { etag: '"other"' } })
    await clock.advance(60_000)
    await registry.resolve('acme', 'auth0')
    expect(registry.status('acme', 'auth0')).toMatchObject({
      errorCount: 1,
      lastError: { code: 'ERR_UPSTREAM_STATUS' },
    })
    await clock.advance(1_000)
    await registry.resolve('acme', 'auth0')
    await issuer.waitForRequests(3, 'jwks')
    expect(issuer.requests.at(-1)?.headers).not.toHaveProperty('if-none-match')
  })
})

function auth0() {
  return { 'cache-control': 'max-age=15, stale-while-revalidate=15, stale-if-error=86400' }
}
