import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { storedPolicy } from '../../src/http/freshness.ts'
import { createKeySet, readKeySet } from '../../src/jwks/key-set.ts'
import type { CacheOptions } from '../../src/jwks-cache/cache-options.ts'
import { type Entry, entryTimes, immutableTimes } from '../../src/jwks-cache/lifetimes.ts'
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

function entryOf(
  fetchedAt = now,
  headers: Readonly<Record<string, string>> = { 'cache-control': 'max-age=600' },
): Entry {
  const { keySet } = readKeySet({ keys: [jwk] }, 10) ?? { keySet: createKeySet([]) }
  const policy = storedPolicy(jwksUri, headers, fetchedAt)
  return { version: 1, keys: keySet.keys.map((key) => key.jwk), policy, ...entryTimes(policy, fetchedAt, options, 0) }
}

interface Context {
  readonly at?: number
  readonly of?: SnapshotBinding
  readonly by?: Partial<CacheOptions>
}

function read(payload: unknown, { at = now, of = binding, by = {} }: Context = {}) {
  const context = { now: at, held: undefined, random: 0 }
  // As a store hands it out: through JSON.
  const opened = { ok: true, payload: JSON.parse(JSON.stringify(payload)), isCurrent: true } as const
  return readSnapshot(opened, of, { ...options, ...by }, rules, context)
}

/** Mostly what is right, so that the rules behind the first one are reached. */
function mostly<Right, Wrong>(right: fc.Arbitrary<Right>, wrong: fc.Arbitrary<Wrong>): fc.Arbitrary<Right | Wrong> {
  return fc.oneof({ arbitrary: right, weight: 9 }, { arbitrary: wrong, weight: 1 })
}

/** A good payload with its entry changed. */
function payloadWith(change: Readonly<Record<string, unknown>>): unknown {
  const { entry, ...rest } = Object(snapshotPayload(binding, entryOf()))
  return { ...rest, entry: { ...entry, ...change } }
}

describe('a snapshot', () => {
  it('is read as the entry that was written, at any later time', () => {
    const entry = entryOf()
    for (const at of [now, now + 599_999, now + 600_000, now + 86_400_000]) {
      expect(read(snapshotPayload(binding, entry), { at })).toMatchObject({
        ok: true,
        loaded: { entry, refused: { count: 0 } },
      })
    }
  })

  it('keeps the identity of keys that are held', () => {
    const held = readKeySet({ keys: [jwk] }, 10)?.keySet
    const opened = { ok: true, payload: snapshotPayload(binding, entryOf()), isCurrent: true } as const
    const reading = readSnapshot(opened, binding, options, rules, { now, held, random: 0 })
    expect(reading.ok && reading.loaded.keySet.keys[0]).toBe(held?.keys[0])
  })

  it('is refused for the reason for which it could not be opened', () => {
    for (const reason of ['malformed', 'version', 'integrity'] as const) {
      const context = { now, held: undefined, random: 0 }
      expect(readSnapshot({ ok: false, reason }, binding, options, rules, context)).toEqual({ ok: false, reason })
    }
  })

  it('does not have its times from what is written beside the time of the fetch', () => {
    const far = '9999-01-01T00:00:00.000Z'
    const payload = payloadWith({ refreshAt: far, freshUntil: far, staleUntil: far, staleIfErrorUntil: far })
    expect(read(payload)).toMatchObject({ ok: true, loaded: { entry: entryOf() } })
  })

  it('does not have its freshness from what a library made of the headers', () => {
    const policy = { ...entryOf().policy, t: now + 1e9, rescc: { 'max-age': '999999' }, st: 500, sh: true }
    expect(read(payloadWith({ policy }))).toMatchObject({ ok: true, loaded: { entry: entryOf() } })
  })

  it('can claim no longer freshness than maxTtl', () => {
    const payload = snapshotPayload(binding, entryOf(now, { 'cache-control': 'max-age=99999999999' }))
    expect(read(payload)).toMatchObject({ ok: true, loaded: { entry: { freshUntil: now + 86_400_000 } } })
  })

  it.each([
    ['nothing of the kind', {}, 'malformed'],
    ['no keys', payloadWith({ keys: undefined }), 'malformed'],
    ['no usable key', payloadWith({ keys: [{ kty: 'oct', k: 'AAAA' }] }), 'no-usable-keys'],
    ['another version', payloadWith({ version: 2 }), 'version'],
    ['no time', payloadWith({ fetchedAt: null }), 'malformed'],
    ['no date', payloadWith({ fetchedAt: 'yesterday' }), 'malformed'],
    ['a number for a time', payloadWith({ fetchedAt: now }), 'malformed'],
    ['a time that is to come', payloadWith({ fetchedAt: new Date(now + 5_001).toISOString() }), 'future'],
    ['no policy', payloadWith({ policy: [] }), 'malformed'],
    ['no URL', payloadWith({ policy: { ...entryOf().policy, u: undefined } }), 'malformed'],
    ['headers that are none', payloadWith({ policy: { ...entryOf().policy, resh: 'etag' } }), 'malformed'],
    ['another URL', payloadWith({ policy: { ...entryOf().policy, u: 'https://other.example/' } }), 'binding'],
  ])('is refused with %s', (_, payload, reason) => {
    expect(read(payload)).toEqual({ ok: false, reason })
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
  ])('is refused for another %s', (_, change) => {
    const payload = snapshotPayload(binding, entryOf())
    expect(read(payload, { of: { ...binding, ...change } })).toEqual({ ok: false, reason: 'binding' })
  })

  it('may come from any URL that may be asked, where the URI is discovered', () => {
    const of = { ...binding, jwksUri: null }
    const payloadFrom = (url: string) => snapshotPayload(of, { ...entryOf(), policy: storedPolicy(url, {}, now) })
    expect(read(payloadFrom('https://keys.example/jwks'), { of }).ok).toBe(true)
    for (const url of [
      'http://keys.example/jwks',
      'ftp://keys.example',
      'https://user:secret@keys.example/',
      'no URL',
    ]) {
      expect(read(payloadFrom(url), { of })).toEqual({ ok: false, reason: 'binding' })
    }
  })
})

describe('how long a snapshot is worth keeping', () => {
  const week = 604_800_000
  const timeOf = (end: ReturnType<typeof keepUntil>): number | null => (end === null ? null : new Date(end).getTime())

  it('is a week past all use, since validators still spare the body', () => {
    const entry = entryOf()
    expect(timeOf(keepUntil(entry))).toBe(entry.staleUntil + week)
    const longer = entryOf(now, { 'cache-control': 'max-age=600, stale-if-error=43200' })
    expect(timeOf(keepUntil(longer))).toBe(now + 600_000 + 43_200_000 + week)
  })

  it('is for good where keys are immutable', () => {
    const immutable = { learnedAt: [], forgottenAt: [] }
    expect(keepUntil({ ...entryOf(), immutable, ...immutableTimes(now) })).toBeNull()
  })
})

describe('whatever a snapshot has in it', () => {
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

  it('reading it never throws, and what is read breaks no rule', () => {
    let taken = 0
    fc.assert(
      fc.property(cases, ([of, payload]) => {
        const reading = read(payload, { of })
        if (!reading.ok) return
        taken += 1
        const { entry, keySet } = reading.loaded
        expect(entry.fetchedAt).toBeLessThanOrEqual(now)
        expect(entry.refreshAt).toBeLessThanOrEqual(entry.freshUntil)
        expect(entry.freshUntil).toBeLessThanOrEqual(entry.staleUntil)
        expect(entry.staleUntil).toBeLessThanOrEqual(entry.staleIfErrorUntil)
        expect(keySet.keys.map((key) => key.jwk)).toEqual(entry.keys)
        expect(entry.policy.u).toBe(jwksUri)
        for (const key of entry.keys) expect(Object.keys(key)).not.toEqual(expect.arrayContaining(['d']))
        const { learnedAt = [], forgottenAt = [] } = entry.immutable ?? {}
        expect(Math.max(0, ...[...learnedAt, ...forgottenAt].map(([, at]) => at))).toBeLessThanOrEqual(
          Date.UTC(9999, 11, 31),
        )
        const isImmutable = of.keyLifetime === 'immutable'
        const longest = isImmutable ? Number.POSITIVE_INFINITY : options.maxTtl
        expect(isImmutable || entry.keys.length > 0).toBe(true)
        expect(entry.freshUntil).toBeGreaterThanOrEqual(entry.fetchedAt + options.minTtl)
        expect(entry.freshUntil).toBeLessThanOrEqual(now + longest)
        expect(entry.staleIfErrorUntil).toBeLessThanOrEqual(now + longest + options.maxStale)
      }),
      { numRuns: 4_000 },
    )
    // Or it would prove nothing.
    expect(taken).toBeGreaterThan(500)
  })

  it('what is read can be written, and read again to the same', () => {
    fc.assert(
      fc.property(cases, ([of, payload]) => {
        const reading = read(payload, { of })
        if (!reading.ok) return
        const again = read(snapshotPayload(of, reading.loaded.entry), { of })
        expect(again.ok && again.loaded.entry).toEqual(reading.loaded.entry)
      }),
      { numRuns: 2_000 },
    )
  })
})
