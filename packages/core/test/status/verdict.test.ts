import { describe, expect, it } from 'vitest'
import { down, failing, statusOf, unused, verdictFor } from './statuses.ts'

describe('the answer to "is it us, the provider or the token?"', () => {
  it.each([
    ['no provider', [], {}, 'No provider is registered yet.'],
    [
      'only unused ones',
      [unused('a/x')],
      {},
      'Nothing is wrong. No provider has been used yet: the first request of each fetches its keys.',
    ],
    [
      'one fresh one',
      [statusOf('a/x')],
      {},
      'Nothing is wrong: the provider in use serves. No request was refused in the last 15 min.',
    ],
    [
      'a stale one',
      [statusOf('a/x'), statusOf('b/x', { health: 'stale' }), unused('c/x')],
      {},
      'Nothing is wrong: all 2 providers in use serve. No request was refused in the last 15 min.',
    ],
  ])('is that nothing is wrong, with %s', (_, statuses, refused, summary) => {
    expect(verdictFor(statuses, refused)).toMatchObject({ cause: 'none', level: 'ok', summary, advice: '' })
  })

  it('is the provider where one responds with errors, and how long cached keys serve', () => {
    expect(verdictFor([statusOf('a/x'), failing('b/x', 'ERR_UPSTREAM_STATUS')])).toMatchObject({
      cause: 'provider',
      level: 'warning',
      summary:
        'It is the provider: b/x responds with an error. No request is affected yet: cached keys serve for another 1 h 5 min.',
      findings: {
        us: { level: 'ok' },
        provider: { level: 'warning', text: 'Yes: 1 of 2 providers in use fails.' },
        token: { level: 'ok' },
      },
    })
  })

  it('is critical where no usable keys are left', () => {
    expect(verdictFor([failing('a/x', 'ERR_UPSTREAM_STATUS'), down('b/x', 'ERR_KEY_SET_MALFORMED')])).toMatchObject({
      cause: 'provider',
      level: 'critical',
      summary:
        'It is the provider: b/x publishes a key set that cannot be used, and one more provider fails, too. For 1 of them no usable keys are left: requests get 503.',
    })
  })

  it('is the provider or the way to it where a single one cannot be reached', () => {
    const verdict = verdictFor([down('a/x', 'ERR_UPSTREAM_UNREACHABLE')])
    expect(verdict.summary).toBe(
      'It is the provider, or the way to it: a/x cannot be reached. No usable keys are left: its requests get 503.',
    )
    expect(verdict.advice).toContain('from another machine')
    expect(verdict.findings.us).toEqual({ level: 'info', text: 'Perhaps: the network may be the cause.' })
  })

  it('is us where none of several providers can be reached', () => {
    const statuses = [
      failing('a/x', 'ERR_UPSTREAM_UNREACHABLE'),
      failing('b/x', 'ERR_UPSTREAM_TIMED_OUT'),
      unused('c/x'),
    ]
    expect(verdictFor(statuses)).toMatchObject({
      cause: 'us',
      level: 'warning',
      summary:
        'It is probably us: none of the 2 providers in use can be reached from here. No request is affected yet: cached keys serve for another 1 h 5 min.',
    })
    expect(verdictFor([...statuses, statusOf('d/x')]).cause).toBe('provider')
  })

  it('is us where our configuration forbids the provider', () => {
    expect(verdictFor([down('a/x', 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED')])).toMatchObject({
      cause: 'us',
      level: 'critical',
      summary:
        'It is us: a/x has an address that our configuration forbids. No usable keys are left: its requests get 503.',
    })
  })

  it('is us where the store fails, unless a provider is down', () => {
    expect(verdictFor([statusOf('a/x')], {}, ['reading', 'writing'])).toMatchObject({
      cause: 'us',
      level: 'warning',
      summary:
        'It is us: our store fails (reading and writing). Requests are not affected, but a restarted process may find no keys.',
    })
    expect(verdictFor([down('a/x', 'ERR_UPSTREAM_STATUS')], {}, ['reading'])).toMatchObject({
      cause: 'provider',
      findings: { us: { level: 'warning' } },
    })
  })

  it('is us where a guard ran before jwksAuth', () => {
    expect(verdictFor([statusOf('a/x')], { ERR_AUTHENTICATOR_NOT_RUN: 1 })).toMatchObject({
      cause: 'us',
      level: 'critical',
      summary: 'It is us: 1 request failed in the last 15 min because a guard ran before jwksAuth.',
    })
  })

  it('is the tokens where providers serve and requests are refused', () => {
    expect(verdictFor([statusOf('a/x')], { ERR_TOKEN_EXPIRED: 8, ERR_SCOPE_MISSING: 2 })).toMatchObject({
      cause: 'token',
      level: 'info',
      summary:
        'It is the tokens, if anything: we and the providers are fine. 10 requests were refused in the last 15 min, most because the token has expired.',
    })
    expect(verdictFor([statusOf('a/x')], { ERR_TOKEN_EXPIRED: 1 }).findings.token.text).toBe(
      'Perhaps: 1 request was refused in the last 15 min, because the token has expired.',
    )
  })

  it('is that the provider has recovered where only the requests of before got 503', () => {
    expect(verdictFor([statusOf('a/x')], { ERR_KEYS_UNAVAILABLE: 5 })).toMatchObject({
      cause: 'provider',
      level: 'info',
      summary:
        'It was the provider, and it has recovered: 5 requests got 503 in the last 15 min because the keys could not be fetched.',
    })
  })

  it('reads a code that it does not know', () => {
    expect(verdictFor([statusOf('a/x')], { ERR_SOMETHING_NEW: 1 }).summary).toContain('because of something new')
    expect(verdictFor([failing('a/x', 'ERR_TOKEN_REVOKED')]).summary).toContain('a/x cannot be used')
  })
})
