import type { Answer, TestIssuer } from '@jwks-auth/testing'
import { startUnacceptingServer } from '../../packages/core/test/http/silent-server.ts'

/** A way in which a provider fails, and what is to come of it. */
export interface Fault {
  readonly name: string
  /** What it responds; with `'stopped'` it does not listen, with `'unaccepting'` its backlog is full. */
  readonly answer: ((issuer: TestIssuer) => Answer) | 'stopped' | 'unaccepting'
  /** The code of the failure. */
  readonly code: string
  /** Upstream requests in one refresh. */
  readonly requests: number
  /** Requests more in one refresh where a connection is reused: one that dies is replaced within its attempt. */
  readonly repeated?: number
  /** Attempts in one refresh: a redirect is a request, but no attempt. */
  readonly attempts: number
  /** True where only the end of the attempt's time ends it. */
  readonly hangs?: boolean
}

const unreachable = { code: 'ERR_UPSTREAM_UNREACHABLE', requests: 3, attempts: 3 }
const timedOut = { code: 'ERR_UPSTREAM_TIMED_OUT', requests: 3, attempts: 3, hangs: true }
const malformed = { code: 'ERR_KEY_SET_MALFORMED', requests: 1, attempts: 1 }
const tooLarge = { code: 'ERR_RESPONSE_TOO_LARGE', requests: 1, attempts: 1 }
const transient = { code: 'ERR_UPSTREAM_STATUS', requests: 3, attempts: 3 }
const final = { code: 'ERR_UPSTREAM_STATUS', requests: 1, attempts: 1 }
const tooMany = 2 * 1_048_576

export const faults: readonly Fault[] = [
  { name: 'refuses connections', answer: 'stopped', ...unreachable, requests: 0 },
  { name: 'swallows SYNs', answer: 'unaccepting', ...timedOut, requests: 0 },
  { name: 'resets the connection', answer: () => ({ kind: 'reset' }), ...unreachable, repeated: 1 },
  { name: 'closes the connection', answer: () => ({ kind: 'close' }), ...unreachable, repeated: 1 },
  { name: 'truncates the body', answer: () => ({ kind: 'truncated-body' }), ...unreachable },
  { name: 'truncates a gzip stream', answer: () => ({ kind: 'truncated-gzip' }), ...unreachable },
  {
    name: 'calls gzip what is none',
    answer: () => ({ kind: 'reply', body: 'plain', headers: { 'content-encoding': 'gzip' } }),
    ...unreachable,
  },
  {
    name: 'uses a coding that was not accepted',
    answer: () => ({ kind: 'reply', body: 'plain', headers: { 'content-encoding': 'zstd' } }),
    code: 'ERR_CONTENT_CODING_NOT_SUPPORTED',
    requests: 1,
    attempts: 1,
  },
  { name: 'hangs before the headers', answer: () => ({ kind: 'hang' }), ...timedOut },
  { name: 'hangs after the headers', answer: () => ({ kind: 'hang-after-headers' }), ...timedOut },
  { name: 'stalls in the body', answer: () => ({ kind: 'stalled-body' }), ...timedOut },
  {
    name: 'stalls in a gzip body',
    answer: () => ({ kind: 'stalled-body', headers: { 'content-encoding': 'gzip' }, bytes: 1 }),
    ...timedOut,
  },
  {
    name: 'trickles its body for too long',
    answer: () => ({ kind: 'slow-body', interval: 50, bytes: 1 }),
    ...timedOut,
  },
  {
    name: 'announces a body that is too large',
    answer: () => ({ kind: 'oversized-body', bytes: tooMany }),
    ...tooLarge,
  },
  {
    name: 'sends a body that is too large in chunks',
    answer: () => ({ kind: 'oversized-body', bytes: tooMany, framing: 'chunked' }),
    ...tooLarge,
  },
  { name: 'answers garbage with 200', answer: () => ({ kind: 'garbage' }), ...malformed },
  { name: 'answers an empty 200', answer: () => ({ kind: 'reply', body: '' }), ...malformed },
  { name: 'answers 408', answer: () => ({ kind: 'reply', status: 408 }), ...transient },
  { name: 'answers 429', answer: () => ({ kind: 'reply', status: 429 }), ...transient },
  { name: 'answers 500', answer: () => ({ kind: 'reply', status: 500, body: 'oops' }), ...transient },
  { name: 'answers 503', answer: () => ({ kind: 'reply', status: 503 }), ...transient },
  { name: 'answers 204', answer: () => ({ kind: 'reply', status: 204 }), ...final },
  {
    name: 'answers a 304 that is about something else',
    answer: () => ({ kind: 'reply', status: 304, headers: { etag: '"other"' } }),
    ...final,
  },
  { name: 'answers 401', answer: () => ({ kind: 'reply', status: 401 }), ...final },
  { name: 'answers 404', answer: () => ({ kind: 'reply', status: 404, body: 'none here' }), ...final },
  { name: 'answers 302 without a Location', answer: () => ({ kind: 'reply', status: 302 }), ...final },
  {
    name: 'redirects in a loop',
    answer: ({ jwksUri }) => ({ kind: 'redirect', location: jwksUri }),
    code: 'ERR_UPSTREAM_URL_NOT_ALLOWED',
    requests: 4,
    attempts: 1,
  },
  {
    name: 'redirects to what is no URL',
    answer: () => ({ kind: 'redirect', location: 'http://' }),
    code: 'ERR_UPSTREAM_URL_NOT_ALLOWED',
    requests: 1,
    attempts: 1,
  },
  {
    name: 'redirects to where clouds keep credentials',
    answer: () => ({ kind: 'redirect', location: 'http://169.254.169.254/' }),
    code: 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED',
    requests: 1,
    attempts: 1,
  },
]

/** Makes the issuer fail. The returned function makes way for it again. */
export async function befall(issuer: TestIssuer, { answer }: Fault): Promise<() => Promise<unknown>> {
  const { port } = new URL(issuer.issuer)
  if (answer === 'stopped' || answer === 'unaccepting') await issuer.stop()
  if (answer === 'unaccepting') return (await startUnacceptingServer(Number(port))).stop
  if (typeof answer === 'function') issuer.answerAlways('jwks', answer(issuer))
  return async () => undefined
}

/** Makes the issuer respond normally again. */
export async function recover(issuer: TestIssuer): Promise<void> {
  issuer.answerNormally()
  await issuer.start()
}
