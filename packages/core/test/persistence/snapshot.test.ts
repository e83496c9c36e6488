import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elapsed, type Instant } from '../../src/base/clock.ts'
import { storedPolicy } from '../../src/http/freshness.ts'
import { createKeySet, readKeySet } from '../../src/jwks/key-set.ts'
import type { VerificationKey } from '../../src/jwks/verification-key.ts'
import type { CacheOptions } from '../../src/jwks-cache/cache-options.ts'
import type { CachedKeys } from '../../src/jwks-cache/cache-state.ts'
import { lifetimesOf, UNLIMITED } from '../../src/jwks-cache/policy.ts'
import { keepUntil, readSnapshot, type SnapshotBinding, snapshotPayload } from '../../src/persistence/snapshot.ts'
import { providerDefaults } from '../../src/registry/provider-options.ts'
import { samples } from '../jwks/sample-keys.ts'

const now = Date.UTC(2025, 0, 1)
const jwksUri = 'https://issuer.example/jwks'
const options: CacheOptions = { ...providerDefaults, prefetchJitter: 0 }
const rules = { requireHttps: true, allowedDomains: [] }
const binding: SnapshotBinding = {
  tenant: 'acme',
  provider: 'auth0',
  issuers: ['https://issuer.example'],
  jwksUri,
  transport: 'hash',
  keyLifetime: 'http',
}
const jwk = { ...samples.p256, kid: 'key-1', alg: 'ES256', use: 'sig' }

/** Both clocks as they are when the wall clock shows this time. The machine was started at the start of the year. */
function at(wall: number): Instant {
  return { wall, monotonic: wall - now }
}

function keysFetched(
  fetchedAt = now,
  headers: Readonly<Record<string, string>> = { 'cache-control': 'max-age=600' },
): CachedKeys {
  const { keySet: published } = readKeySet({ keys: [jwk] }, 10) ?? { keySet: createKeySet([]) }
  const policy = storedPolicy(jwksUri, headers, fetchedAt)
  return {
    published,
    policy,
    fetchedAt: at(fetchedAt),
    lifetimes: lifetimesOf(policy, options, 0),
    source: 'upstream',
    requestNumber: 1,
    immutable: undefined,
  }
}

/** What a snapshot of these keys is read as. */
function asLoaded({ published, source: _source, requestNumber: _number, ...rest }: CachedKeys) {
  return { ...rest, published: expect.objectContaining({ keys: published.keys.map(likeKey) }) }
}

const likeKey = ({ jwk: like, kid, material }: VerificationKey) => expect.objectContaining({ jwk: like, kid, material })

interface Context {
  readonly at?: number
  readonly of?: SnapshotBinding
  readonly by?: Partial<CacheOptions>
}

function read(payload: unknown, { at: wall = now, of = binding, by = {} }: Context = {}) {
  const context = { now: at(wall), known: () => undefined, random: 0 }
  // As a store returns it: through JSON.
  const verified = { ok: true, payload: JSON.parse(JSON.stringify(payload)), isCurrent: true } as const
  return readSnapshot(verified, of, { ...options, ...by }, rules, context)
}

/** Mostly right values, so that the later rules are reached. */
function mostly<Right, Wrong>(right: fc.Arbitrary<Right>, wrong: fc.Arbitrary<Wrong>): fc.Arbitrary<Right | Wrong> {
  return fc.oneof({ arbitrary: right, weight: 9 }, { arbitrary: wrong, weight: 1 })
}

/** A good payload with its entry changed. */
function payloadWith(change: Readonly<Record<string, unknown>>): unknown {
  const { entry, ...rest } = Object(snapshotPayload(binding, keysFetched()))
  return { ...rest, entry: { ...entry, ...change } }
}

describe('a snapshot', () => {
  it('is read as it was written, at any later time', async () => {
    const cached = keysFetched()
    for (const wall of [now, now + 599_999, now + 600_000, now + 86_400_000]) {
      const reading = await read(snapshotPayload(binding, cached), { at: wall })
      expect(reading).toMatchObject({ ok: true, loaded: { refused: { count: 0 } } })
      expect(reading.ok && reading.loaded).toMatchObject(asLoaded(cached))
    }
  })

  it('has aged by the wall clock on a machine that was started later', async () => {
    const context = { now: { wall: now + 500_000, monotonic: 7 }, known: () => undefined, random: 0 }
    const verified = { ok: true, payload: snapshotPayload(binding, keysFetched()), isCurrent: true } as const
    const reading = await readSnapshot(verified, binding, options, rules, context)
    expect(reading.ok && elapsed(reading.loaded.fetchedAt, context.now)).toBe(500_000)
  })

  it('is as old as the present where its time is in the future by less than the clocks of two machines differ', async () => {
    const reading = await read(payloadWith({ fetchedAt: new Date(now + 4_000).toISOString() }))
    expect(reading).toMatchObject({ ok: true, loaded: { fetchedAt: at(now) } })
  })

  it('keeps the identity of cached keys', async () => {
    const known = readKeySet({ keys: [jwk] }, 10)?.keySet
    const verified = { ok: true, payload: snapshotPayload(binding, keysFetched()), isCurrent: true } as const
    const reading = await readSnapshot(verified, binding, options, rules, {
      now: at(now),
      known: () => known,
      random: 0,
    })
    expect(reading.ok && reading.loaded.published.keys[0]).toBe(known?.keys[0])
  })

  it('is refused for the reason for which it could not be verified', async () => {
    for (const reason of ['malformed', 'version', 'integrity'] as const) {
      const context = { now: at(now), known: () => undefined, random: 0 }
      expect(await readSnapshot({ ok: false, reason }, binding, options, rules, context)).toEqual({ ok: false, reason })
    }
  })

  it('computes its lifetimes again instead of reading them', async () => {
    const far = '9999-01-01T00:00:00.000Z'
    const payload = payloadWith({ refreshAt: far, freshUntil: far, staleUntil: far, staleIfErrorUntil: far })
    expect(await read(payload)).toMatchObject({ ok: true, loaded: asLoaded(keysFetched()) })
  })

  it('computes its freshness from the headers, not from what a library derived from them', async () => {
    const policy = { ...keysFetched().policy, t: now + 1e9, rescc: { 'max-age': '999999' }, st: 500, sh: true }
    expect(await read(payloadWith({ policy }))).toMatchObject({ ok: true, loaded: asLoaded(keysFetched()) })
  })

  it('is fresh for maxTtl at most', async () => {
    const payload = snapshotPayload(binding, keysFetched(now, { 'cache-control': 'max-age=99999999999' }))
    expect(await read(payload)).toMatchObject({ ok: true, loaded: { lifetimes: { freshFor: 86_400_000 } } })
  })

  it.each([
    ['a payload of another kind', {}, 'malformed'],
    ['no keys', payloadWith({ keys: undefined }), 'malformed'],
    ['no usable key', payloadWith({ keys: [{ kty: 'oct', k: 'AAAA' }] }), 'no-usable-keys'],
    ['another version', payloadWith({ version: 2 }), 'version'],
    ['no time', payloadWith({ fetchedAt: null }), 'malformed'],
    ['a time that is not a date', payloadWith({ fetchedAt: 'yesterday' }), 'malformed'],
    ['a number for a time', payloadWith({ fetchedAt: now }), 'malformed'],
    ['a time in the future', payloadWith({ fetchedAt: new Date(now + 5_001).toISOString() }), 'future'],
    ['no policy', payloadWith({ policy: [] }), 'malformed'],
    ['no URL', payloadWith({ policy: { ...keysFetched().policy, u: undefined } }), 'malformed'],
    ['headers that are not an object', payloadWith({ policy: { ...keysFetched().policy, resh: 'etag' } }), 'malformed'],
    ['another URL', payloadWith({ policy: { ...keysFetched().policy, u: 'https://other.example/' } }), 'binding'],
  ])('is refused with %s', async (_, payload, reason) => {
    expect(await read(payload)).toEqual({ ok: false, reason })
  })

  it.each<[string, Partial<SnapshotBinding>]>([
    ['tenant', { tenant: 'Acme' }],
    ['provider', { provider: 'okta' }],
    ['issuer', { issuers: ['https://issuer.example/'] }],
    ['order of issuers', { issuers: ['https://a.example', 'https://issuer.example'] }],
    ['URI', { jwksUri: `${jwksUri}/` }],
    ['discovered URI', { jwksUri: null }],
    ['transport', { transport: 'other' }],
    ['key lifetime', { keyLifetime: 'immutable' }],
  ])('is refused for another %s', async (_, change) => {
    const payload = snapshotPayload(binding, keysFetched())
    expect(await read(payload, { of: { ...binding, ...change } })).toEqual({ ok: false, reason: 'binding' })
  })

  it('may come from any permitted URL where the URI is discovered', async () => {
    const of = { ...binding, jwksUri: null }
    const payloadFrom = (url: string) => snapshotPayload(of, { ...keysFetched(), policy: storedPolicy(url, {}, now) })
    expect((await read(payloadFrom('https://keys.example/jwks'), { of })).ok).toBe(true)
    for (const url of [
      'http://keys.example/jwks',
      'ftp://keys.example',
      'https://user:secret@keys.example/',
      'no URL',
    ]) {
      expect(await read(payloadFrom(url), { of })).toEqual({ ok: false, reason: 'binding' })
    }
  })
})

describe('how long a snapshot is worth keeping', () => {
  const week = 604_800_000
  const timeOf = (end: ReturnType<typeof keepUntil>): number | null => (end === null ? null : new Date(end).getTime())

  it('is a week past all use, because validators still save the body', () => {
    const cached = keysFetched()
    expect(timeOf(keepUntil(cached))).toBe(now + cached.lifetimes.staleFor + week)
    const longer = keysFetched(now, { 'cache-control': 'max-age=600, stale-if-error=43200' })
    expect(timeOf(keepUntil(longer))).toBe(now + 600_000 + 43_200_000 + week)
  })

  it('is unlimited where keys are immutable', () => {
    const immutable = { learnedAt: [], forgottenAt: [] }
    expect(keepUntil({ ...keysFetched(), immutable, lifetimes: UNLIMITED })).toBeNull()
  })
})

describe('a snapshot with any content', () => {
  const texts = fc.oneof(fc.string(), fc.constantFrom('2025-01-01T00:00:00.000Z', '9999-12-31', '-271821-04-20', '0'))
  const dates = fc.date({ noInvalidDate: true, max: new Date(now + 10_000) }).map((date) => date.toISOString())
  const headers = fc.dictionary(
    fc.constantFrom('cache-control', 'age', 'expires', 'date', 'etag', 'pragma', 'vary', '__proto__', 'x'),
    fc.oneof(
      texts,
      dates,
      fc.constantFrom('max-age=1e9', 'max-age=-1', 'no-store', 'stale-if-error=99999999999'),
      fc.nat(),
    ),
  )
  const policies = fc.record({ u: mostly(fc.constant(jwksUri), texts), resh: mostly(headers, fc.jsonValue()) })
  const oddKeys = fc.oneof(fc.jsonValue(), fc.record({ kty: texts, kid: fc.jsonValue() }))
  const keys = fc.array(oddKeys, { maxLength: 3 }).chain((odd) => fc.shuffledSubarray([jwk, ...odd]))
  const kidTimes = fc.array(mostly(fc.tuple(texts, mostly(dates, texts)), fc.jsonValue()), { maxLength: 3 })
  const entries = fc.record({
    version: mostly(fc.constant(1), fc.nat()),
    fetchedAt: mostly(dates, fc.oneof(texts, fc.jsonValue())),
    keys: mostly(keys, fc.jsonValue()),
    policy: mostly(policies, fc.jsonValue()),
    immutable: mostly(fc.record({ learnedAt: kidTimes, forgottenAt: kidTimes }), fc.jsonValue()),
  })
  const bindings = fc.constantFrom(binding, { ...binding, keyLifetime: 'immutable' } as const)
  const cases = bindings.chain((of) =>
    fc.tuple(
      fc.constant(of),
      mostly(
        fc.record({ kind: fc.constant('snapshot'), binding: mostly(fc.constant(of), bindings), entry: entries }),
        fc.jsonValue(),
      ),
    ),
  )

  it('is read without an exception, and what is read breaks no rule', async () => {
    let taken = 0
    await fc.assert(
      fc.asyncProperty(cases, async ([of, payload]) => {
        const reading = await read(payload, { of })
        if (!reading.ok) return
        taken += 1
        const { fetchedAt, lifetimes, published, policy, immutable } = reading.loaded
        const { refreshAfter, freshFor, staleFor, staleIfErrorFor } = lifetimes
        expect(fetchedAt.wall).toBeLessThanOrEqual(now)
        expect(fetchedAt).toEqual(at(fetchedAt.wall))
        expect(refreshAfter).toBeLessThanOrEqual(freshFor)
        expect(freshFor).toBeLessThanOrEqual(staleFor)
        expect(staleFor).toBeLessThanOrEqual(staleIfErrorFor)
        expect(policy.u).toBe(jwksUri)
        for (const key of published.keys) expect(Object.keys(key.jwk)).not.toContain('d')
        const times = [...(immutable?.learnedAt ?? []), ...(immutable?.forgottenAt ?? [])]
        expect(Math.max(0, ...times.map(([, time]) => time))).toBeLessThanOrEqual(Date.UTC(9999, 11, 31))
        const isImmutable = of.keyLifetime === 'immutable'
        const longest = isImmutable ? Number.POSITIVE_INFINITY : options.maxTtl
        expect(isImmutable || published.keys.length > 0).toBe(true)
        expect(freshFor).toBeGreaterThanOrEqual(options.minTtl)
        expect(freshFor).toBeLessThanOrEqual(longest)
        expect(staleIfErrorFor).toBeLessThanOrEqual(longest + options.maxStale)
      }),
      { numRuns: 4_000 },
    )
    // Otherwise nothing was tested.
    expect(taken).toBeGreaterThan(500)
  })

  it('is read the same again after it was written', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([of, payload]) => {
        const reading = await read(payload, { of })
        if (!reading.ok) return
        const { refused: _, compromised: __, ...cached } = reading.loaded
        const again = await read(snapshotPayload(of, { ...cached, source: 'store', requestNumber: 0 }), { of })
        expect(again.ok && again.loaded).toMatchObject(asLoaded({ ...cached, source: 'store', requestNumber: 0 }))
      }),
      { numRuns: 2_000 },
    )
  })
})
