import { describe, expect, it } from 'vitest'
import { html, trusted } from '../../src/status/page-assets.ts'
import { clockText, distanceText, durationText } from '../../src/status/plain-words.ts'
import { prefersHtml } from '../../src/status/status-responder.ts'
import { timelineOf } from '../../src/status/timeline.ts'
import { byUrgency } from '../../src/status/verdict.ts'
import { down, failing, minutes, now, statusOf, unused } from './statuses.ts'

describe('a template', () => {
  it('escapes texts, and keeps markup', () => {
    const text = `<script>alert("1" + '2') & more</script>`
    const escaped = '&lt;script&gt;alert(&quot;1&quot; + &#39;2&#39;) &amp; more&lt;/script&gt;'
    expect(html`<p title="${text}">${text}</p>`.markup).toBe(`<p title="${escaped}">${escaped}</p>`)
    expect(html`${[html`<b>${text}</b>`, 7]}${false}${undefined}${trusted('<i>')}`.markup).toBe(`<b>${escaped}</b>7<i>`)
  })

  it('shows characters that cannot be seen, or that turn text around', () => {
    expect(html`${'a\u202eb\u0000c\u2066d\nand é 漢 🎉'}`.markup).toBe('a\ufffdb\ufffdc\ufffdd\nand é 漢 🎉')
  })
})

describe('durations', () => {
  it.each([
    [0, '0 s'],
    [-5, '0 s'],
    [999, '1 s'],
    [59_400, '59 s'],
    [60_000, '1 min'],
    [154_000, '2 min 34 s'],
    [754_000, '12 min'],
    [3_600_000, '1 h'],
    [3_899_000, '1 h 4 min'],
    [86_400_000 + 60_000, '1 d'],
    [90_000_000, '1 d 1 h'],
  ])('of %d ms are shown as %s', (milliseconds, text) => {
    expect(durationText(milliseconds)).toBe(text)
  })

  it('have a direction', () => {
    expect([now - 400, now - 120_000, now + 61_000].map((time) => distanceText(time, now))).toEqual([
      'now',
      '2 min ago',
      'in 1 min 1 s',
    ])
  })

  it('name the day of a time that is not today', () => {
    expect([now, now - 86_400_000].map((time) => clockText(time, now))).toEqual(['03:00:00', '2026-05-11 03:00'])
  })
})

describe('the time line', () => {
  it('is to scale between its marks', () => {
    expect(timelineOf(statusOf('a/x'), now)).toEqual({ due: 45.2, expiry: 50, unusable: 84, now: 26, isLimited: true })
    expect(timelineOf(statusOf('a/x'), Date.parse(minutes(35)))?.now).toBe(67)
    expect(timelineOf(statusOf('a/x'), Date.parse(minutes(100)))?.now).toBe(91)
  })

  it('ends at its end, and begins at its start', () => {
    expect(timelineOf(statusOf('a/x'), Date.parse(minutes(10_000)))?.now).toBe(98)
    expect(timelineOf(statusOf('a/x'), Date.parse(minutes(-10)))?.now).toBe(2)
  })

  it('has no part for expired keys that may not serve', () => {
    expect(timelineOf(statusOf('a/x', { staleUntil: minutes(5) }), now)).toMatchObject({
      expiry: 84,
      unusable: 84,
      now: 43,
    })
  })

  it('has no end where keys never expire, and does not exist where there are none', () => {
    const forever = statusOf('a/x', { expiresAt: undefined, staleUntil: undefined, nextRefresh: undefined })
    expect(timelineOf(forever, now)).toMatchObject({ expiry: 98, isLimited: false })
    expect(timelineOf(statusOf('a/x', { lastRefresh: undefined }), now)).toBeUndefined()
  })
})

describe('the order of urgency', () => {
  it('is by condition, then by when keys become unusable, then that of registration', () => {
    const statuses = [
      statusOf('fresh/1'),
      statusOf('stale/1', { health: 'stale' }),
      failing('failing/later', 'ERR_UPSTREAM_STATUS'),
      unused('unused/1'),
      failing('failing/never', 'ERR_UPSTREAM_STATUS', { staleUntil: undefined }),
      down('down/1', 'ERR_UPSTREAM_STATUS'),
      failing('failing/sooner', 'ERR_UPSTREAM_STATUS', { staleUntil: minutes(1) }),
      statusOf('fresh/2'),
    ]
    expect(byUrgency(statuses).map(({ status }) => `${status.tenant}/${status.provider}`)).toEqual([
      'down/1',
      'failing/sooner',
      'failing/later',
      'failing/never',
      'unused/1',
      'stale/1',
      'fresh/1',
      'fresh/2',
    ])
  })
})

describe('Accept', () => {
  it.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['text/html', true],
    ['TEXT/HTML ; q=0.9, application/json;q=0.5', true],
    ['*/*', false],
    ['', false],
    ['text/*', false],
    ['application/json, text/html;q=0.9', false],
    ['text/html;q=0', false],
    ['text/html;q=nonsense', false],
    ['text/html;q=2', false],
    ['application/json', false],
  ])('%j prefers HTML: %s', (accept, expected) => {
    expect(prefersHtml(accept)).toBe(expected)
  })
})
