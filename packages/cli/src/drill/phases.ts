import type { TestIssuer } from '@jwks-auth/testing'
import { UsageError } from '../terminal/exit-codes.ts'
import { duration, type Progress } from '../terminal/terminal.ts'
import { type Api, type ApiResponse, isAccepted, pause, send, sendAll } from './requests.ts'

/** What a drill is made with. */
export interface Drill {
  readonly api: Api
  readonly issuer: TestIssuer
  /** Claims of every token, beside those that the issuer adds. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Milliseconds to wait for the API. */
  readonly wait: number
  /** Milliseconds of the outage. */
  readonly outage: number
  /** Tokens of the flood. */
  readonly flood: number
  readonly progress: Progress
}

/** What happened in one phase. */
export interface PhaseReport {
  readonly name: string
  readonly passed: boolean
  /** What was done. */
  readonly summary: string
  /** How often each status came; `none` for no response. */
  readonly statuses: Readonly<Record<string, number>>
  /** Of accepted requests, in milliseconds. */
  readonly latencyMs: { readonly median: number; readonly longest: number } | undefined
  /** Requests to the issuer. */
  readonly upstreamRequests: number
  /** What went wrong, as sentences. */
  readonly problems: readonly string[]
}

const SECOND = 1_000
/** The default of unknownKidCooldown. */
const COOLDOWN = 10 * SECOND
/** After this, a key that is published should be known: the cooldown, and some time for a busy machine. */
const KNOWN_AFTER = 15 * SECOND
const TOKENS = 20

/** Plays all phases, one after the other. Never gives up in the middle: an API that fails one may pass the next. */
export async function playDrill(drill: Drill): Promise<readonly PhaseReport[]> {
  const { progress } = drill
  progress.step(`Waiting until ${drill.api.url} accepts a token of ${drill.issuer.issuer}`)
  await waitForApi(drill)
  const phases: PhaseReport[] = []
  for (const [text, phase] of [
    ['Sending tokens of a known key', steady],
    ['Rotating the signing key', rotation],
    [`Stopping the issuer for ${duration(drill.outage)}`, outage],
    ['Starting the issuer again', recovery],
    [`Sending ${drill.flood} tokens with unknown kids`, flood],
    ['Rotating the signing key after the flood', rotationAfterFlood],
  ] as const) {
    progress.step(text)
    phases.push(await phase(drill))
    // A refetch that has brought a good key is free again after a second.
    await pause(1.1 * SECOND)
  }
  return phases
}

async function waitForApi({ api, issuer, claims, wait }: Drill): Promise<void> {
  const end = performance.now() + wait
  for (;;) {
    const response = await send(api, await issuer.sign(claims))
    if (isAccepted(response)) return
    if (performance.now() > end) {
      const shown = response.status === undefined ? 'does not respond' : `responds with ${response.status}`
      throw new UsageError(
        `The API ${shown} to a good token of the drill. It must accept the issuer ${issuer.issuer} ` +
          '(requireHttps: false), and the audience of --audience',
      )
    }
    await pause(250)
  }
}

/** Signs different tokens, so that no cache of verified tokens answers. */
function signMany({ issuer, claims }: Drill, count: number, overrides: Parameters<TestIssuer['sign']>[1] = {}) {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      issuer.sign({ jti: `${index}-${Math.random()}`, ...claims }, overrides),
    ),
  )
}

function report(
  name: string,
  summary: string,
  responses: readonly ApiResponse[],
  upstreamRequests: number,
  problems: readonly (string | undefined)[],
): PhaseReport {
  const statuses: Record<string, number> = {}
  for (const { status } of responses) {
    const key = String(status ?? 'none')
    statuses[key] = (statuses[key] ?? 0) + 1
  }
  const times = responses
    .filter(isAccepted)
    .map((each) => each.duration)
    .toSorted((a, b) => a - b)
  const latencyMs =
    times.length === 0
      ? undefined
      : { median: Math.round(times[Math.floor(times.length / 2)] ?? 0), longest: Math.round(times.at(-1) ?? 0) }
  const found = problems.filter((problem) => problem !== undefined)
  return { name, passed: found.length === 0, summary, statuses, latencyMs, upstreamRequests, problems: found }
}

/** A sentence about good tokens that were not let in. */
function refusedGood(responses: readonly ApiResponse[], what: string): string | undefined {
  const refused = responses.filter((response) => !isAccepted(response))
  return refused.length === 0
    ? undefined
    : `${refused.length} of ${responses.length} good tokens (${what}) were refused: ${statusList(refused)}`
}

function statusList(responses: readonly ApiResponse[]): string {
  return [...new Set(responses.map(({ status }) => (status === undefined ? 'no response' : `${status}`)))].join(', ')
}

function tooMany(requests: number, allowed: number): string | undefined {
  return requests <= allowed ? undefined : `The API has sent ${requests} requests to the issuer; ${allowed} are enough`
}

async function steady(drill: Drill): Promise<PhaseReport> {
  drill.issuer.clearRequests()
  const responses = await sendAll(drill.api, await signMany(drill, TOKENS), 5)
  const requests = drill.issuer.requestCount()
  return report('steady', 'tokens of a known key', responses, requests, [
    refusedGood(responses, 'of a known key'),
    tooMany(requests, 1),
  ])
}

async function rotation(drill: Drill): Promise<PhaseReport> {
  const { issuer, api } = drill
  const old = await signMany(drill, TOKENS)
  await rotate(issuer)
  issuer.clearRequests()
  const responses = await sendAll(api, await signMany(drill, TOKENS), TOKENS)
  const oldResponses = await sendAll(api, old, 5)
  const requests = issuer.requestCount()
  return report(
    'rotation',
    'tokens of a new key, published just now, and of the previous one',
    [...responses, ...oldResponses],
    requests,
    [
      refusedGood(responses, 'of the new key'),
      refusedGood(oldResponses, 'of the previous key, still published'),
      tooMany(requests, 3),
    ],
  )
}

/** The key that signed before stays published. */
function rotate(issuer: TestIssuer): Promise<unknown> {
  return issuer.rotate({ kid: `drill-${Math.random().toString(36).slice(2)}` })
}

async function outage(drill: Drill): Promise<PhaseReport> {
  const { issuer, api } = drill
  const known = issuer.signingKey.kid
  await issuer.stop()
  const responses: ApiResponse[] = []
  const end = performance.now() + drill.outage
  while (performance.now() < end) {
    responses.push(...(await sendAll(api, await signMany(drill, 5), 5)))
    await pause(200)
  }
  // The key is new, and the API cannot know it yet: it must say that it cannot check, not that the token is wrong.
  await rotate(issuer)
  const unknown = await sendAll(api, await signMany(drill, 3), 1)
  const again = await sendAll(api, await signMany(drill, 5, { key: known }), 5)
  return report(
    'outage',
    'the issuer is down; then tokens of a key that the API cannot have',
    [...responses, ...unknown, ...again],
    0,
    [refusedGood([...responses, ...again], 'of a known key'), unknownKeyProblem(unknown)],
  )
}

function unknownKeyProblem(responses: readonly ApiResponse[]): string | undefined {
  const others = responses.filter(({ status }) => status !== 503)
  if (others.some(({ status }) => status === 401 || status === 403)) {
    return `A good token whose key cannot be fetched is refused with ${statusList(others)}: clients discard it. Respond with 503`
  }
  if (others.length > 0) {
    return `A good token whose key cannot be fetched gets ${statusList(others)}. Respond with 503 and Retry-After`
  }
  return responses.every(({ hasRetryAfter }) => hasRetryAfter) ? undefined : 'The 503 has no Retry-After'
}

async function recovery(drill: Drill): Promise<PhaseReport> {
  await drill.issuer.start()
  return await untilKnown(drill, 'recovery', 'the issuer is back; tokens of the new key')
}

/** Sends tokens of the current key until one is accepted. */
async function untilKnown(drill: Drill, name: string, summary: string): Promise<PhaseReport> {
  const { api, issuer, claims } = drill
  issuer.clearRequests()
  const start = performance.now()
  const responses: ApiResponse[] = []
  for (;;) {
    const response = await send(api, await issuer.sign(claims))
    responses.push(response)
    const time = performance.now() - start
    if (isAccepted(response))
      return report(name, `${summary}: accepted after ${duration(time)}`, responses, issuer.requestCount(), [])
    if (time > KNOWN_AFTER) {
      const problem = `A key that is published is not known after ${duration(time)}: ${statusList(responses)}`
      return report(name, summary, responses, issuer.requestCount(), [problem])
    }
    await pause(500)
  }
}

async function flood(drill: Drill): Promise<PhaseReport> {
  const { issuer, api } = drill
  const unknown = await Promise.all(
    Array.from({ length: drill.flood }, (_, index) =>
      issuer.sign(drill.claims, { kid: `unknown-${index}-${Math.random()}` }),
    ),
  )
  const valid = await signMany(drill, Math.ceil(drill.flood / 10))
  issuer.clearRequests()
  const start = performance.now()
  const [refused, accepted] = await Promise.all([sendAll(api, unknown, 20), sendAll(api, valid, 2)])
  const forged = await send(api, await forge(drill))
  const allowed = 2 + Math.ceil((performance.now() - start) / COOLDOWN)
  const requests = issuer.requestCount()
  return report(
    'flood',
    `${unknown.length} tokens with unknown kids, beside ${valid.length} good ones`,
    [...refused, ...accepted, forged],
    requests,
    [
      refusedGood(accepted, 'during the flood'),
      badTokenProblem(refused, 'with an unknown kid'),
      badTokenProblem([forged], 'with a forged signature'),
      tooMany(requests, allowed),
    ],
  )
}

/** A token with the signature of another one. */
async function forge(drill: Drill): Promise<string> {
  const [one = '', other = ''] = await signMany(drill, 2)
  return `${one.slice(0, one.lastIndexOf('.'))}${other.slice(other.lastIndexOf('.'))}`
}

function badTokenProblem(responses: readonly ApiResponse[], what: string): string | undefined {
  const accepted = responses.filter(isAccepted).length
  if (accepted > 0) return `${accepted} tokens ${what} were accepted`
  const others = responses.filter(({ status }) => status !== 401)
  return others.length === 0
    ? undefined
    : `${others.length} of ${responses.length} tokens ${what} got ${statusList(others)} instead of 401`
}

async function rotationAfterFlood(drill: Drill): Promise<PhaseReport> {
  await rotate(drill.issuer)
  return await untilKnown(drill, 'rotation after the flood', 'tokens of a new key')
}
