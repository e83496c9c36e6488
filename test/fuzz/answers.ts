import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { AuthOutcome } from '@jwks-auth/core'
import { expect } from 'vitest'

/** Everything that a refusal may say, apart from the number of seconds in `retry-after`. */
const sentences: ReadonlySet<string> = new Set([
  'A bearer token is required.',
  'The access token is not valid for this request.',
  'The request must carry exactly one bearer token.',
  'The bearer token is too long.',
  'The access token is not a well-formed JWT.',
  'The access token has expired.',
  'The access token cannot be checked at the moment. Try again later.',
])

const errors: Readonly<Record<number, readonly string[]>> = {
  400: ['invalid_request'],
  401: ['invalid_token', 'unauthorized'],
  503: ['temporarily_unavailable'],
}

/** An answer as a client gets it. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Asserts that an answer is one of the few that are designed. All that it says is in a list, so nothing of a request
 * or of a provider's answer can be in it.
 */
export function expectDesignedAnswer({ status, headers, body }: Answer): void {
  const { error, error_description: description } = JSON.parse(body) as Record<string, string>
  expect(sentences).toContain(description)
  expect(errors[status]).toContain(error)
  expect(body).toBe(JSON.stringify({ error, error_description: description }))
  const challenge =
    error === 'unauthorized'
      ? 'Bearer realm="api"'
      : `Bearer realm="api", error="${error}", error_description="${description}"`
  expect(headers['www-authenticate']).toBe(status === 503 ? undefined : challenge)
  expect(headers['retry-after'] ?? '1').toMatch(/^[1-9]\d{0,6}$/)
}

/** As {@link expectRefusal}, where it is not a case that may be accepted. */
export function expectRefusalUnless(mayBeAccepted: boolean, outcome: AuthOutcome<unknown>): void {
  if (!outcome.ok || !mayBeAccepted) expectRefusal(outcome)
}

/** Asserts that an outcome is a refusal, and one that any server can send. */
export function expectRefusal(outcome: AuthOutcome<unknown>): void {
  if (outcome.ok) throw new Error('it was accepted')
  const { status, headers, body } = outcome.response
  expectDesignedAnswer({ status, headers, body })
  const own = new Set(['content-type', 'cache-control', 'www-authenticate', 'retry-after'])
  for (const [name, value] of Object.entries(headers)) {
    expect(own).toContain(name)
    validateHeaderName(name)
    validateHeaderValue(name, value)
  }
}
