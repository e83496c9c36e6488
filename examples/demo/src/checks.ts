import type { ProtectedApi } from './apps/protected-api.ts'
import type { Cell, Line } from './table.ts'

/** A request, sent to every API alike. */
export interface Check {
  /** What is sent, in words. */
  readonly subject: string
  readonly path: '/whoami' | '/admin'
  /** The value of `x-tenant-id`. */
  readonly tenant: string
  readonly token?: string
  /** How many times at once. Default 1. */
  readonly times?: number
  /** What should come back. */
  readonly status: number
  readonly says: RegExp
}

interface Answer {
  readonly status: number | undefined
  /** The body, or the challenge of a refusal. */
  readonly text: string
}

const answerTimeout = 15_000

/** Sends a check's request to every API and compares the answers with what they should be. */
export async function check(apis: readonly ProtectedApi[], wanted: Check): Promise<Line> {
  const { subject, status, says, times = 1 } = wanted
  const isRight = (answer: Answer): boolean => answer.status === status && says.test(answer.text)
  const answers = await Promise.all(
    apis.map(async ({ url }) => {
      const all = await Promise.all(Array.from({ length: times }, () => ask(url, wanted)))
      // One that is wrong stands for all.
      return all.find((answer) => !isRight(answer)) ?? all[0] ?? noAnswer('was not asked')
    }),
  )
  const cells = answers.map((answer): Cell => {
    const right = isRight(answer)
    return { text: `${answer.status ?? 'none'}${right && times > 1 ? ` × ${times}` : ''}`, isExpected: right }
  })
  const complaint = answers.every(isRight) ? [] : [`should be ${status} with ${says.source}`]
  const notes = [...notesOf(apis, answers), ...complaint]
  return { subject, expected: String(status), cells, notes, requests: times * apis.length }
}

/** Compares something that is known of every API by itself. */
export function compareEach(
  subject: string,
  expected: string,
  apis: readonly ProtectedApi[],
  actual: (api: ProtectedApi) => string,
): Line {
  const cells = apis.map(actual).map((text): Cell => ({ text, isExpected: text === expected }))
  return { subject, expected, cells, notes: [], requests: 0 }
}

/** Compares one thing. */
export function compare(subject: string, expected: string, actual: string, note: string): Line {
  return { subject, expected, cells: [{ text: actual, isExpected: actual === expected }], notes: [note], requests: 0 }
}

/** What becomes of a request to a URL: its status, `refused`, or another error's code. */
export async function reach(url: string): Promise<string> {
  try {
    return String((await fetch(url, { signal: AbortSignal.timeout(answerTimeout) })).status)
  } catch (error) {
    const cause = causeOf(error)
    return cause === 'ECONNREFUSED' ? 'refused' : cause
  }
}

async function ask(url: string, { path, tenant, token }: Check): Promise<Answer> {
  const headers = { 'x-tenant-id': tenant, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  try {
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(answerTimeout) })
    const body = await response.text()
    return { status: response.status, text: textOf(response, body) }
  } catch (error) {
    return noAnswer(causeOf(error))
  }
}

function textOf({ headers }: Response, body: string): string {
  const challenge = headers.get('www-authenticate')
  // The sentences for people would take a line of their own.
  if (challenge !== null) return challenge.replace(/(error_description=)"[^"]*"/, '$1"…"')
  const retryAfter = headers.get('retry-after')
  if (retryAfter === null) return body
  return `Retry-After: ${retryAfter}, ${body.replace(/("error_description":)"[^"]*"/, '$1"…"')}`
}

function noAnswer(text: string): Answer {
  return { status: undefined, text }
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}

/** One note where the APIs agree, as they should; otherwise each one's own. */
function notesOf(apis: readonly ProtectedApi[], answers: readonly Answer[]): string[] {
  const [first] = answers
  if (first !== undefined && answers.every(({ text }) => text === first.text)) return [first.text]
  return answers.map(({ text }, index) => `${apis[index]?.name}: ${text}`)
}
