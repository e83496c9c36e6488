import { describe, expect, it } from 'vitest'
import type { ResponseHeaders } from '../../src/http/freshness.ts'
import {
  freshnessOf,
  revalidatedPolicy,
  storedPolicy,
  validatorsOf,
  withoutValidators,
} from '../../src/http/freshness.ts'

const url = 'https://issuer.example/jwks'
const receivedAt = Date.UTC(2025, 0, 1)

/** An HTTP date that many seconds after the answer arrived. */
function httpDate(seconds: number): string {
  return new Date(receivedAt + seconds * 1_000).toUTCString()
}

function policyOf(headers: ResponseHeaders, at = receivedAt) {
  return storedPolicy(url, headers, at)
}

function lifetimeOf(headers: ResponseHeaders): number | undefined {
  return freshnessOf(policyOf(headers)).lifetime
}

describe('the freshness lifetime of an answer', () => {
  it.each<[string, ResponseHeaders, number | undefined]>([
    ['max-age', { 'cache-control': 'max-age=120' }, 120_000],
    ['max-age of a private answer', { 'cache-control': 'private, max-age=120' }, 120_000],
    ['max-age in odd case', { 'cache-control': 'Private, MAX-Age=45' }, 45_000],
    ['max-age in quotes', { 'cache-control': 'max-age="45"' }, 45_000],
    ['max-age beside s-maxage, which is for shared caches', { 'cache-control': 's-maxage=300, max-age=60' }, 60_000],
    ['max-age over Expires', { 'cache-control': 'max-age=60', expires: httpDate(900), date: httpDate(0) }, 60_000],
    ['max-age less Age', { 'cache-control': 'max-age=120', age: '20' }, 100_000],
    ['less than nothing past its Age', { 'cache-control': 'max-age=120', age: '150' }, -30_000],
    ['max-age with an Age that is none', { 'cache-control': 'max-age=120', age: 'old' }, 120_000],
    ['Expires by the Date', { expires: httpDate(90), date: httpDate(0) }, 90_000],
    [
      'Expires by the Date of a provider whose clock is off',
      { expires: httpDate(7_290), date: httpDate(7_200) },
      90_000,
    ],
    ['Expires without Date, by the time of arrival', { expires: httpDate(90) }, 90_000],
    ['Expires less Age', { expires: httpDate(90), date: httpDate(0), age: '30' }, 60_000],
    ['nothing where Expires is no date', { expires: '0', date: httpDate(0) }, 0],
    ['nothing for no-store', { 'cache-control': 'no-store, max-age=300' }, 0],
    ['nothing for no-cache', { 'cache-control': 'max-age=300, No-Cache' }, 0],
    ['nothing for max-age=0', { 'cache-control': 'max-age=0' }, 0],
    ['nothing for a max-age that is no number', { 'cache-control': 'max-age=soon' }, 0],
    ['of its own, not its stale directives', { 'cache-control': 'max-age=15, stale-while-revalidate=15' }, 15_000],
    ['unsaid with s-maxage alone', { 'cache-control': 's-maxage=300' }, undefined],
    ['unsaid with a bare immutable', { 'cache-control': 'immutable' }, undefined],
    ['unsaid with public', { 'cache-control': 'public' }, undefined],
    ['unsaid with must-revalidate', { 'cache-control': 'must-revalidate' }, undefined],
    ['unsaid with Last-Modified', { 'last-modified': httpDate(-8_640_000), date: httpDate(0) }, undefined],
    ['unsaid with Age alone', { age: '30' }, undefined],
    ['unsaid with nothing at all', {}, undefined],
  ])('is %s', (_, headers, lifetime) => {
    expect(lifetimeOf(headers)).toBe(lifetime)
  })

  it('does not depend on when it is asked', () => {
    const stored = JSON.parse(JSON.stringify(policyOf({ expires: httpDate(90) })))
    expect(freshnessOf(stored).lifetime).toBe(90_000)
  })
})

describe('what an answer allows while errors last', () => {
  it.each([
    ['max-age=15, stale-while-revalidate=15, stale-if-error=86400', 86_400_000],
    ['max-age=15, Stale-If-Error=60', 60_000],
    ['max-age=15, stale-if-error=60, must-revalidate', 0],
    ['max-age=15, stale-if-error', 0],
    ['max-age=15, stale-if-error=-1', 0],
    ['max-age=15, stale-while-revalidate=60', 0],
    ['max-age=15', 0],
  ])('with %s is %i ms', (cacheControl, staleIfError) => {
    expect(freshnessOf(policyOf({ 'cache-control': cacheControl })).staleIfError).toBe(staleIfError)
  })
})

describe('the policy after a 304', () => {
  const stored = { 'cache-control': 'max-age=120', age: '100', etag: '"a"', date: httpDate(0) }

  function lifetimeAfter(confirmed: ResponseHeaders, before: ResponseHeaders = stored): number | undefined {
    const policy = revalidatedPolicy(policyOf(before), confirmed, receivedAt + 600_000)
    return policy === undefined ? undefined : freshnessOf(policy).lifetime
  }

  it.each<[string, ResponseHeaders, number]>([
    ['begins anew, without the Age of the stored answer', { etag: '"a"' }, 120_000],
    ['has the Age of the 304', { etag: '"a"', age: '30' }, 90_000],
    ['has the Cache-Control of the 304', { etag: '"a"', 'cache-control': 'max-age=600' }, 600_000],
    ['may be told for the first time', { expires: httpDate(1_000), date: httpDate(600), 'cache-control': '' }, 400_000],
    ['holds though the 304 has no tag', { date: httpDate(600) }, 120_000],
    ['holds though the 304 has the weak form of the tag', { etag: 'W/"a"' }, 120_000],
  ])('%s', (_, confirmed, lifetime) => {
    expect(lifetimeAfter(confirmed)).toBe(lifetime)
  })

  it('counts a new Expires from its arrival where the 304 has no Date', () => {
    const before = { expires: httpDate(600), date: httpDate(0), etag: '"a"' }
    expect(lifetimeAfter({ expires: httpDate(1_200) }, before)).toBe(600_000)
  })

  it('does not exist where the 304 is about another representation', () => {
    expect(lifetimeAfter({ etag: '"b"' })).toBeUndefined()
  })

  it('keeps the validators', () => {
    const before = policyOf({ etag: '"a"', 'last-modified': httpDate(-60) })
    const policy = revalidatedPolicy(before, {}, receivedAt)
    expect(policy && validatorsOf(policy)).toEqual({ etag: '"a"', lastModified: httpDate(-60) })
  })
})

describe('a stored policy', () => {
  it('keeps nothing that says nothing of freshness or identity', () => {
    const { resh } = policyOf({ 'set-cookie': 'a=b', 'x-secret': 'c', etag: '"a"', 'content-length': '10' })
    expect(resh).toEqual({ etag: '"a"' })
  })

  it('can lose its validators and nothing else', () => {
    const policy = policyOf({ etag: '"a"', 'last-modified': httpDate(0), 'cache-control': 'max-age=60' })
    expect(validatorsOf(withoutValidators(policy))).toEqual({ etag: undefined, lastModified: undefined })
    expect(freshnessOf(withoutValidators(policy)).lifetime).toBe(60_000)
  })
})
