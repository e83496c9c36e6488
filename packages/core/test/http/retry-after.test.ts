import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRetryAfter } from '../../src/http/freshness.ts'

const now = Date.UTC(2025, 0, 1)

describe('Retry-After', () => {
  it.each<[string | undefined, number | undefined]>([
    ['0', 0],
    ['120', 120_000],
    [' 120 ', 120_000],
    ['9999999999', 9_999_999_999_000],
    ['Wed, 01 Jan 2025 00:02:00 GMT', 120_000],
    ['Wednesday, 01-Jan-25 00:02:00 GMT', 120_000],
    ['Wed Jan  1 00:02:00 2025 GMT', 120_000],
    ['Tue, 31 Dec 2024 23:59:00 GMT', 0],
    [undefined, undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['2025-01-01T00:02:00Z', undefined],
    ['120, 60', undefined],
    ['99999999999', undefined],
    ['Wed, 99 Foo 2025 00:02:00 GMT', undefined],
  ])('of %j is %s ms', (value, expected) => {
    expect(readRetryAfter(value, now)).toBe(expected)
  })

  it('is never negative, whatever is sent', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
        ),
        (value) => {
          const read = readRetryAfter(value, now)
          return read === undefined || (Number.isFinite(read) && read >= 0)
        },
      ),
    )
  })
})
