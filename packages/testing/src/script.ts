import { choice, isObject, type Option, optional } from '@jwks-auth/core/adapter'
import type { Answer, AnswerFunction } from './answers.ts'
import { anyText, checkOptions, headerFields, headerValue, integer, milliseconds, valid } from './option-checks.ts'
import type { IssuerEndpoint, ReceivedRequest } from './request-log.ts'

/** The answers that an issuer is scripted to give. */
export interface AnswerScript {
  /** Adds to the answers that are given once each, in order. */
  readonly once: (endpoint: IssuerEndpoint, answers: readonly (Answer | AnswerFunction)[]) => void
  /** Says what to answer when no one-off answer is left. */
  readonly always: (endpoint: IssuerEndpoint, answer: Answer | AnswerFunction) => void
  /** Forgets one-off and standing answers, of one endpoint or of all. */
  readonly normally: (endpoint: IssuerEndpoint | undefined) => void
  /** What to answer now. Uses up a one-off answer. */
  readonly next: (endpoint: IssuerEndpoint, request: ReceivedRequest) => Answer | Promise<Answer>
}

/** The endpoints that can be scripted. */
export const issuerEndpoints: readonly IssuerEndpoint[] = Object.freeze(['jwks', 'openid', 'oauth'])

/** Refuses an endpoint that does not exist. */
export function checkEndpoint(method: string, endpoint: unknown, known: readonly string[] = issuerEndpoints): void {
  choice(known).check(`${method}: the endpoint`, endpoint)
}

const kind = optional(anyText)
const timed = { kind, delay: optional(milliseconds) }
const headed = { ...timed, headers: optional(headerFields) }
const bytes = optional(integer(0, Number.MAX_SAFE_INTEGER))
const body = optional(
  valid((value) => typeof value === 'string' || value instanceof Uint8Array, 'a string or a Uint8Array'),
)
const redirectStatus = optional(
  valid((value) => [301, 302, 303, 307, 308].some((status) => status === value), '301, 302, 303, 307 or 308'),
)

const members: Readonly<Record<Answer['kind'], Readonly<Record<string, Option<unknown>>>>> = Object.freeze({
  normal: headed,
  reply: { ...headed, status: optional(integer(200, 599)), body },
  redirect: { ...headed, location: optional(headerValue), status: redirectStatus },
  garbage: headed,
  hang: { kind },
  'hang-after-headers': headed,
  'stalled-body': { ...headed, bytes },
  'slow-body': { ...headed, interval: optional(milliseconds), bytes: optional(integer(1, Number.MAX_SAFE_INTEGER)) },
  'truncated-body': { ...headed, bytes },
  'oversized-body': { ...headed, bytes, framing: choice(['content-length', 'chunked']) },
  gzip: headed,
  'truncated-gzip': { ...headed, bytes },
  reset: timed,
  close: timed,
})

/** The members without which an answer means nothing. */
const required: Readonly<Partial<Record<Answer['kind'], string>>> = Object.freeze({
  redirect: 'location',
  'oversized-body': 'bytes',
})

/** Makes a script in which everything is answered normally. */
export function createAnswerScript(): AnswerScript {
  const queued = new Map<IssuerEndpoint, (Answer | AnswerFunction)[]>()
  const standing = new Map<IssuerEndpoint, Answer | AnswerFunction>()

  return {
    once(endpoint, answers) {
      checkEndpoint('answerOnce', endpoint)
      for (const answer of answers) checkAnswer('answerOnce', answer)
      queued.set(endpoint, [...(queued.get(endpoint) ?? []), ...answers])
    },
    always(endpoint, answer) {
      checkEndpoint('answerAlways', endpoint)
      checkAnswer('answerAlways', answer)
      standing.set(endpoint, answer)
    },
    normally(endpoint) {
      if (endpoint !== undefined) checkEndpoint('answerNormally', endpoint)
      for (const each of endpoint === undefined ? issuerEndpoints : [endpoint]) {
        queued.delete(each)
        standing.delete(each)
      }
    },
    next(endpoint, request) {
      const answer = queued.get(endpoint)?.shift() ?? standing.get(endpoint) ?? { kind: 'normal' }
      return typeof answer === 'function' ? decide(answer, request) : answer
    },
  }
}

async function decide(answerFunction: AnswerFunction, request: ReceivedRequest): Promise<Answer> {
  const answer = await answerFunction(request)
  checkPlainAnswer('an answer function', answer)
  return answer
}

function checkAnswer(method: string, answer: unknown): void {
  if (typeof answer !== 'function') checkPlainAnswer(method, answer)
}

function checkPlainAnswer(method: string, answer: unknown): void {
  if (!isObject(answer)) throw new TypeError(`${method}: an answer must be an object or a function`)
  const { kind } = answer
  if (!isKind(kind)) throw new TypeError(`${method}: unknown kind of answer '${String(kind)}'`)
  checkOptions(`${method}, '${kind}'`, answer, members[kind])
  const needed = required[kind]
  if (needed !== undefined && answer[needed] === undefined) {
    throw new TypeError(`${method}, '${kind}': option '${needed}' is required`)
  }
}

function isKind(kind: unknown): kind is Answer['kind'] {
  return typeof kind === 'string' && Object.hasOwn(members, kind)
}
