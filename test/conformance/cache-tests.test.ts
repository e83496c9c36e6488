import { startRegistryWith } from '@jwks-auth/test-support/start'
import { type AnswerHeaders, createManualClock, createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * The cases of https://github.com/http-tests/cache-tests about freshness, `Age`, `Expires`, parsing of `Cache-Control` and
 * 304 that apply to a private cache for GET, under their names there. A response that must not be reused is kept here for
 * `minTtl`, one second in these tests; so a request after five seconds tells whether it was fresh.
 */

const start = createManualClock().now()
const year = 31_536_000

/** An HTTP-date, in seconds from the first response. */
function date(seconds: number): string {
  return new Date(start + seconds * 1_000).toUTCString()
}

/** `Sunday, 06-Nov-94 08:49:37 GMT`. */
function rfc850(seconds: number): string {
  const [, day, month, full = '', time] = date(seconds).split(' ')
  const weekday = new Date(start + seconds * 1_000).toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' })
  return `${weekday}, ${day}-${month}-${full.slice(2)} ${time} GMT`
}

/** `Sun Nov  6 08:49:37 1994`. */
function asctime(seconds: number): string {
  const [weekday = '', day = '', month, full, time] = date(seconds).split(' ')
  return `${weekday.slice(0, 3)} ${month} ${day.replace(/^0/, ' ')} ${time} ${full}`
}

let issuer: TestIssuer
const clock = { now: () => current.now() }
let current = createManualClock()
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', clock, cacheControl: undefined })
})
afterAll(() => issuer.close())

async function registryFor(headers: AnswerHeaders) {
  current = createManualClock()
  issuer.setHeaders('jwks', headers)
  issuer.clearRequests()
  const options = { prefetch: 'never', minTtl: 1_000, defaultTtl: 1_000, maxTtl: 10 * year * 1_000 } as const
  return await startRegistryWith(
    issuer,
    { clock: current },
    { network: 'any', ...options, retryPolicy: { maxRetries: 0 } },
  )
}

/** Whether a response with these headers is reused after five seconds. */
async function reuses(headers: AnswerHeaders): Promise<boolean> {
  const registry = await registryFor(headers)
  await registry.resolve('acme', 'auth0')
  await current.advance(5_000)
  await registry.resolve('acme', 'auth0')
  return issuer.requestCount('jwks') === 1
}

type Case = readonly [name: string, headers: AnswerHeaders]

const cc = (...values: readonly string[]): AnswerHeaders => ({ 'cache-control': values })
const expires = (value: string | readonly string[], rest: AnswerHeaders = {}): AnswerHeaders => ({
  date: date(0),
  expires: value,
  ...rest,
})

describe('a response is reused', () => {
  it.each<Case>([
    ['freshness-max-age', cc('max-age=3600')],
    ['freshness-max-age-max-minus-1', cc('max-age=2147483647')],
    ['freshness-max-age-max', cc('max-age=2147483648')],
    ['freshness-max-age-max-plus-1', cc('max-age=2147483649')],
    ['freshness-max-age-max-plus', cc('max-age=99999999999')],
    ['freshness-max-age-expires', { ...cc('max-age=3600'), ...expires(date(-7_200)) }],
    ['freshness-max-age-expires-invalid', { ...cc('max-age=3600'), ...expires('0') }],
    ['freshness-max-age-extension', cc('foobar, max-age=3600')],
    ['freshness-max-age-case-insenstive', cc('MaX-aGe=3600')],
    ['freshness-max-age-s-maxage-private', cc('max-age=3600, s-maxage=1')],
    ['freshness-max-age-s-maxage-private-multiple', cc('max-age=3600', 's-maxage=1')],
    ['freshness-max-age-age', { ...cc('max-age=7200'), age: '3600' }],
    ['freshness-max-age-date', { ...cc('max-age=7200'), date: date(-3_600) }],
    ['freshness-max-age-quoted', cc('max-age="3600"')],
    ['freshness-max-age-leading-zero', cc('max-age=003600')],
    ['freshness-max-age-ignore-quoted-rev', cc('max-age=3600, extension="max-age=1"')],
    ['freshness-max-age-extension-comma', cc('extension="a, max-age=1, b", max-age=3600')],
    ['freshness-max-age-escaped', cc(String.raw`extension="\"max-age=1", max-age=3600`)],
    ['freshness-expires-future', expires(date(86_400))],
    ['freshness-expires-rfc850', expires(rfc850(86_400))],
    ['freshness-expires-ansi-c', expires(asctime(86_400))],
    ['freshness-expires-wrong-case-weekday', expires(date(86_400).toLowerCase().replace('gmt', 'GMT'))],
    ['freshness-expires-date-absent', { date: undefined, expires: date(86_400) }],
    ['freshness-expires-date-invalid', { date: 'foo', expires: date(86_400) }],
    ['freshness-expires-age', expires(date(86_400), { age: '3600' })],
    ['freshness-expires-age-slow-date', { date: date(-86_400), expires: date(600) }],
    ['freshness-expires-future-in-both-lines', expires([date(3_600), date(86_400)])],
    ['age-parse-dup-0', { ...cc('max-age=3600'), age: '0, 7200' }],
    ['age-parse-dup-0-twoline', { ...cc('max-age=3600'), age: ['0', '7200'] }],
    ['age-parse-nonnumeric', { ...cc('max-age=3600'), age: 'abc' }],
    ['age-parse-negative', { ...cc('max-age=3600'), age: '-7200' }],
    ['age-parse-float', { ...cc('max-age=3600'), age: '7200.0' }],
    ['age-parse-prefix', { ...cc('max-age=3600'), age: 'abc 7200' }],
    ['age-parse-suffix', { ...cc('max-age=3600'), age: '7200 abc' }],
    ['age-parse-parameter', { ...cc('max-age=3600'), age: '7200;foo=bar' }],
    ['ccresp-private', cc('private, max-age=3600')],
    ['ccresp-must-revalidate-fresh', cc('must-revalidate, max-age=3600')],
    ['ccresp-immutable-fresh', cc('max-age=3600, immutable')],
    ['ccresp-no-cache-in-quoted-extension', cc('extension="no-cache", max-age=3600')],
    ['ccresp-no-store-in-a-longer-name', cc('x-no-store, max-age=3600')],
    ['pragma-response-no-cache-beside-max-age', { ...cc('max-age=3600'), pragma: 'no-cache' }],
    ['pragma-response-extension', { ...cc('max-age=3600'), pragma: 'foo' }],
    ['other-set-cookie', { ...cc('max-age=3600'), 'set-cookie': 'a=b' }],
    ['other-vary', { ...cc('max-age=3600'), vary: 'accept' }],
  ])('%s', async (_, headers) => {
    expect(await reuses(headers)).toBe(true)
  })
})

describe('a response is not reused without a request', () => {
  it.each<Case>([
    ['freshness-none', {}],
    ['freshness-max-age-0', cc('max-age=0')],
    ['freshness-max-age-0-expires', { ...cc('max-age=0'), ...expires(date(86_400)) }],
    ['freshness-max-age-stale', { ...cc('max-age=3600'), age: '7200' }],
    ['freshness-max-age-negative', cc('max-age=-3600')],
    ['freshness-max-age-single-quoted', cc("max-age='3600'")],
    ['freshness-max-age-decimal', cc('max-age=0.5')],
    ['freshness-max-age-exponent', cc('max-age=1e9')],
    ['freshness-max-age-hexadecimal', cc('max-age=0x3600')],
    ['freshness-max-age-empty', cc('max-age=')],
    ['freshness-max-age-without-argument', cc('max-age')],
    ['freshness-max-age-ignore-quoted', cc('extension="max-age=3600", max-age=1')],
    ['freshness-max-age-two-fresh-stale-sameline', cc('max-age=3600, max-age=1')],
    ['freshness-max-age-two-fresh-stale-sepline', cc('max-age=3600', 'max-age=1')],
    ['freshness-max-age-two-stale-fresh-sameline', cc('max-age=1, max-age=3600')],
    ['freshness-max-age-two-stale-fresh-sepline', cc('max-age=1', 'max-age=3600')],
    ['freshness-max-age-two-fresh-invalid', cc('max-age=3600, max-age=soon')],
    ['freshness-s-maxage-alone', cc('s-maxage=3600')],
    ['freshness-expires-past', expires(date(-86_400))],
    ['freshness-expires-present', expires(date(0))],
    ['freshness-expires-invalid', expires('0')],
    ['freshness-expires-invalid-number', expires('3600')],
    ['freshness-expires-invalid-negative', expires('-1')],
    ['freshness-expires-invalid-year', expires('2099')],
    ['freshness-expires-invalid-iso', expires('2099-01-01T00:00:00Z')],
    ['freshness-expires-invalid-word', expires('never')],
    ['freshness-expires-invalid-empty', expires('')],
    ['freshness-expires-invalid-1-digit-hour', expires('Thu, 18 Aug 2050 2:01:18 GMT')],
    ['freshness-expires-invalid-2-digit-year', expires('Thu, 18 Aug 50 02:01:18 GMT')],
    ['freshness-expires-invalid-aest', expires('Thu, 18 Aug 2050 02:01:18 AEST')],
    ['freshness-expires-invalid-utc', expires('Thu, 18 Aug 2050 02:01:18 UTC')],
    ['freshness-expires-invalid-date-dashes', expires('Thu, 18-Aug-2050 02:01:18 GMT')],
    ['freshness-expires-invalid-multiple-spaces', expires('Thu, 18  Aug  2050 02:01:18 GMT')],
    ['freshness-expires-invalid-no-comma', expires('Thu 18 Aug 2050 02:01:18 GMT')],
    ['freshness-expires-invalid-time-periods', expires('Thu, 18 Aug 2050 02.01.18 GMT')],
    ['freshness-expires-invalid-day', expires('Thu, 31 Feb 2050 02:01:18 GMT')],
    ['freshness-expires-invalid-multiple-lines', expires([date(86_400), '0'])],
    ['freshness-expires-past-in-one-line', expires([date(86_400), date(-86_400)])],
    ['freshness-expires-age-fast-date', { date: date(86_400), expires: date(43_200) }],
    ['freshness-expires-old-date', { date: date(0), expires: 'Thu, 18 Aug 1960 02:01:18 GMT' }],
    ['age-parse-dup-old', { ...cc('max-age=3600'), age: '7200, 0' }],
    ['age-parse-dup-old-twoline', { ...cc('max-age=3600'), age: ['7200', '0'] }],
    ['age-parse-prefix-twoline', { ...cc('max-age=3600'), age: ['7200', 'abc'] }],
    ['age-parse-large-minus-one', { ...cc('max-age=3600'), age: '2147483647' }],
    ['age-parse-large', { ...cc('max-age=3600'), age: '2147483648' }],
    ['age-parse-larger', { ...cc('max-age=3600'), age: '99999999999999999999' }],
    ['ccresp-no-store', cc('no-store')],
    ['ccresp-no-store-case-insensitive', cc('No-StOrE')],
    ['ccresp-no-store-fresh', cc('max-age=3600, no-store')],
    ['ccresp-no-store-two-lines', cc('max-age=3600', 'no-store')],
    ['ccresp-no-cache', cc('no-cache')],
    ['ccresp-no-cache-case-insensitive', cc('No-CaChE')],
    ['ccresp-no-cache-fresh', cc('max-age=3600, no-cache')],
    ['ccresp-must-revalidate-stale', { ...cc('max-age=3600, must-revalidate'), age: '7200' }],
    ['ccresp-immutable-stale', { ...cc('max-age=3600, immutable'), age: '7200' }],
    ['pragma-response-no-cache', { pragma: 'no-cache', ...expires(date(86_400)) }],
    ['other-vary-star', { ...cc('max-age=3600'), vary: '*' }],
    ['heuristic-last-modified', { 'last-modified': date(-year) }],
  ])('%s', async (_, headers) => {
    expect(await reuses(headers)).toBe(false)
  })
})

describe('after a 304', () => {
  /** Whether the response is reused five seconds after a 304 with the second headers. */
  async function reusesAfter(first: AnswerHeaders, confirmed: AnswerHeaders): Promise<boolean> {
    const registry = await registryFor({ etag: '"a"', ...first })
    await registry.resolve('acme', 'auth0')
    issuer.setHeaders('jwks', { etag: '"a"', ...confirmed })
    await current.advance(10_000)
    await registry.resolve('acme', 'auth0')
    expect(issuer.requests.at(-1)?.headers['if-none-match']).toBe('"a"')
    issuer.clearRequests()
    await current.advance(5_000)
    await registry.resolve('acme', 'auth0')
    return issuer.requestCount('jwks') === 0
  }

  it.each<readonly [name: string, first: AnswerHeaders, confirmed: AnswerHeaders, reused: boolean]>([
    ['304-etag-update-response-Cache-Control', cc('max-age=1'), cc('max-age=3600'), true],
    ['304-etag-update-response-Cache-Control-shorter', cc('max-age=8'), cc('max-age=1'), false],
    ['304-etag-update-response-Cache-Control-no-cache', cc('max-age=8'), cc('no-cache'), false],
    ['304-etag-update-response-Expires', expires(date(1)), { date: date(10), expires: date(3_600) }, true],
    ['304-etag-update-response-Expires-past', expires(date(1)), { date: date(10), expires: '0' }, false],
    ['304-etag-keep-stored-Cache-Control', cc('max-age=8'), {}, true],
    ['304-etag-drop-stored-Age', { ...cc('max-age=8'), age: '4' }, {}, true],
    ['304-etag-use-Age-of-304', cc('max-age=8'), { age: '7' }, false],
    ['304-lm-use-stored-Last-Modified', { ...cc('max-age=8'), 'last-modified': date(-60) }, {}, true],
  ])('%s', async (_, first, confirmed, reused) => {
    expect(await reusesAfter(first, confirmed)).toBe(reused)
  })

  it('304-without-etag', async () => {
    const registry = await registryFor({ etag: '"a"', ...cc('max-age=8') })
    await registry.resolve('acme', 'auth0')
    await current.advance(10_000)
    issuer.answerOnce('jwks', { kind: 'reply', status: 304 })
    await registry.resolve('acme', 'auth0')
    await current.advance(5_000)
    await registry.resolve('acme', 'auth0')
    expect(issuer.requestCount('jwks')).toBe(2)
  })
})
