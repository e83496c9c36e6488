import { validateHeaderValue } from 'node:http'
import { startAuthenticatorFor, startRegistryWith, verdict } from '@jwks-auth/test-support/start'
import { createTestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ResponseHeaders } from '../../packages/core/src/http/freshness.ts'
import { freshnessOf, readRetryAfter, revalidatedPolicy, storedPolicy } from '../../packages/core/src/http/freshness.ts'
import { createKeySet } from '../../packages/core/src/jwks/key-set.ts'
import { conditionalHeaders } from '../../packages/core/src/jwks-cache/key-set-response.ts'
import { lifetimesOf, timeToLive } from '../../packages/core/src/jwks-cache/policy.ts'
import { providerDefaults } from '../../packages/core/src/registry/provider-options.ts'
import { fragments, headerValue } from './arbitraries.ts'
import { inMemory, overSockets, timeout } from './runs.ts'

const now = Date.UTC(2025, 0, 1)
const url = 'https://issuer.example/jwks'

/** Pieces of what each header's values are made of. */
const words: Readonly<Record<string, readonly string[]>> = {
  'cache-control': [
    ...['max-age', 's-maxage', 'stale-if-error', 'stale-while-revalidate', 'no-store', 'no-cache', 'must-revalidate'],
    ...['immutable', 'private', 'public', '__proto__', '=', '="', '"', ',', ';', ' ', '0', '60', '-1', '1e9', 'NaN'],
    '99999999999999999999999999',
  ],
  age: ['0', '5', '-1', '1.5', '99999999999999999999999999', ', ', ' ', '"'],
  expires: ['Thu, 01 Jan 2099 00:00:00 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', '0', '-1', '+275760-09-13', ' ', ','],
  date: ['Wed, 01 Jan 2025 00:00:00 GMT', 'Thu, 01 Jan 2099 00:00:00 GMT', '0', 'now', ','],
  etag: ['"a"', 'W/', '"', ',', '*', ' ', '\u00e9'],
  'last-modified': ['Wed, 01 Jan 2025 00:00:00 GMT', '0', 'x'],
  'retry-after': ['0', '5', '120', '9999999999', '99999999999999999999', '-1', '1.5', 'Thu, 01 Jan 2099 00:00:00 GMT'],
  vary: ['*', 'accept', 'accept-encoding', ','],
  pragma: ['no-cache', ','],
  // The body is sent as it is, whatever this says.
  'content-encoding': ['gzip', 'br', 'deflate', 'aws-chunked', 'utf-8', 'identity', ',', ' ', ';q=1'],
}

const values = Object.fromEntries(
  Object.entries(words).map(([name, of]) => [name, fc.oneof(fragments(of, headerValue(6)), headerValue(40))]),
)
const headers: fc.Arbitrary<ResponseHeaders> = fc.record(values, { requiredKeys: [] })

describe('the headers of a response, with any content', () => {
  it(
    'make a time to live within its bounds, and lifetimes in their order',
    () => {
      fc.assert(
        fc.property(headers, fc.double({ min: 0, max: 0.999, noNaN: true }), (fields, random) => {
          const policy = storedPolicy(url, fields, now)
          const ttl = timeToLive(freshnessOf(policy), providerDefaults)
          expect(ttl).toBeGreaterThanOrEqual(providerDefaults.minTtl)
          expect(ttl).toBeLessThanOrEqual(providerDefaults.maxTtl)
          const { refreshAfter, freshFor, staleFor, staleIfErrorFor } = lifetimesOf(policy, providerDefaults, random)
          const inOrder = [0, refreshAfter, freshFor, staleFor, staleIfErrorFor]
          expect(inOrder.every(Number.isFinite)).toBe(true)
          expect(inOrder).toEqual(inOrder.toSorted((one, other) => one - other))
          expect(staleIfErrorFor - freshFor).toBeLessThanOrEqual(providerDefaults.maxStale)
        }),
        inMemory,
      )
    },
    timeout,
  )

  it(
    'make a policy that survives JSON and a 304 with any headers',
    () => {
      fc.assert(
        fc.property(headers, headers, (fields, later) => {
          const policy = storedPolicy(url, fields, now)
          const copy = JSON.parse(JSON.stringify(policy)) as typeof policy
          expect(freshnessOf(copy)).toEqual(freshnessOf(policy))
          const renewed = revalidatedPolicy(copy, later, now + 1_000)
          if (renewed === undefined) return
          expect(timeToLive(freshnessOf(renewed), providerDefaults)).toBeLessThanOrEqual(providerDefaults.maxTtl)
        }),
        inMemory,
      )
    },
    timeout,
  )

  it(
    'make validators that can be sent',
    () => {
      fc.assert(
        fc.property(headers, (fields) => {
          const known = { keySet: createKeySet([]), policy: storedPolicy(url, fields, now) }
          for (const [name, value] of Object.entries(conditionalHeaders(url, known))) {
            validateHeaderValue(name, value)
          }
        }),
        inMemory,
      )
    },
    timeout,
  )

  it(
    'make a Retry-After of 0 or more, or none',
    () => {
      fc.assert(
        fc.property(fc.oneof(values['retry-after'] ?? fc.string(), fc.string()), (value) => {
          const wait = readRetryAfter(value, now)
          expect(wait === undefined || (Number.isFinite(wait) && wait >= 0)).toBe(true)
        }),
        inMemory,
      )
    },
    timeout,
  )
})

describe('an issuer whose headers have any content', () => {
  it('serves its keys through first fetch, revalidation and failure', { timeout }, async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example' })
    onTestFinished(() => issuer.close())
    const token = await issuer.sign({ exp: 9_999_999_999 })
    const registry = await startRegistryWith(issuer)
    const authenticator = startAuthenticatorFor(issuer)

    /** A 304 with another ETag than the stored one is an error; the next request is sent without validators. */
    async function refreshes(): Promise<boolean> {
      const first = await registry.refresh('acme', 'auth0')
      return first.ok || (await registry.refresh('acme', 'auth0')).ok
    }

    await fc.assert(
      fc.asyncProperty(headers, headers, async (fields, later) => {
        issuer.setHeaders('jwks', fields)
        expect(await refreshes()).toBe(true)
        issuer.setHeaders('jwks', later)
        expect(await refreshes()).toBe(true)
        issuer.answerOnce('jwks', { kind: 'reply', status: 503, headers: fields })
        expect(await registry.refresh('acme', 'auth0')).toMatchObject({ error: { code: 'ERR_UPSTREAM_STATUS' } })
        expect(registry.status('acme', 'auth0').kids).toEqual(['key-1'])
        expect(await verdict(authenticator, token)).toBe('accepted')
      }),
      overSockets,
    )
  })
})
