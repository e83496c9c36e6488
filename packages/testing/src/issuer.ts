import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAcceptable } from './document.ts'
import { createKeyRing } from './keys.ts'
import { createLoopbackServer } from './loopback-server.ts'
import { integer, milliseconds } from './option-checks.ts'
import { type IssuerClock, settle, type TestIssuerOptions } from './options.ts'
import { createPublication, type Publication } from './publication.ts'
import { createRequestLog, type ReceivedRequest } from './request-log.ts'
import { type AnswerScript, checkEndpoint, createAnswerScript, issuerEndpoints } from './script.ts'
import { send } from './send.ts'
import { checkSign, signToken } from './sign.ts'
import type { TestIssuer } from './test-issuer.ts'

const lifetimeSeconds = 300
const defaultWait = 5_000
const requestEndpoints: readonly string[] = Object.freeze([...issuerEndpoints, 'other'])
const requestNumber = integer(0, Number.MAX_SAFE_INTEGER)

/**
 * Starts an issuer on 127.0.0.1, with one key.
 *
 * @throws TypeError for an unknown or wrong option, before anything is started.
 */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const settings = settle(options)
  const keys = await createKeyRing(settings.algorithm, settings.kid)
  const script = createAnswerScript()
  const log = createRequestLog()
  const server = createLoopbackServer((request, response) => {
    const received = receive(request, publication, settings.clock)
    log.record(received)
    const { keySetType } = settings
    const isRefused = received.endpoint === 'jwks' && keySetType !== undefined
    if (isRefused && !isAcceptable(received.headers.accept, keySetType)) return refuse(response, 406)
    void answer(received, { request, response }, script, publication)
  }, settings.port)
  const origin = (): string => `http://127.0.0.1:${server.port}`
  const issuer = (): string => `${origin()}${settings.path}`
  const publication = createPublication(settings, keys, origin)
  await server.start()

  const close = async (): Promise<void> => {
    log.abandon()
    await server.close()
  }

  return {
    get issuer() {
      return issuer()
    },
    get jwksUri() {
      return publication.jwksUri
    },
    get keys() {
      return keys.published
    },
    get signingKey() {
      return keys.signing
    },
    get jwks() {
      return keys.jwks
    },
    async sign(claims = {}, overrides = {}) {
      checkSign(claims, overrides)
      const { key = keys.signing } = overrides
      const iat = Math.floor(settings.clock.now() / 1000)
      const usual = { iss: issuer(), aud: settings.audience, sub: 'user-1', iat, exp: iat + lifetimeSeconds }
      return signToken({
        claims: { ...usual, ...claims },
        key: typeof key === 'string' ? keys.find(key) : key,
        overrides,
      })
    },
    rotate: (wanted = {}) => keys.rotate(wanted),
    addKey: (wanted = {}) => keys.add(wanted),
    removeKey: keys.remove,
    setJwks: publication.setJwks,
    moveJwks: publication.moveJwks,
    setMetadata: publication.setMetadata,
    setHeaders: publication.setHeaders,
    answerOnce: (endpoint, ...answers) => script.once(endpoint, answers),
    answerAlways: script.always,
    answerNormally: script.normally,
    requests: log.requests,
    requestCount(endpoint) {
      if (endpoint !== undefined) checkEndpoint('requestCount', endpoint, requestEndpoints)
      return log.count(endpoint)
    },
    async waitForRequests(count, endpoint, timeout = defaultWait) {
      requestNumber('waitForRequests: count', count)
      milliseconds('waitForRequests: timeout', timeout)
      if (endpoint !== undefined) checkEndpoint('waitForRequests', endpoint, requestEndpoints)
      await log.waitFor(count, endpoint, timeout)
    },
    clearRequests: log.clear,
    stop: server.stop,
    start: server.start,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function receive(request: IncomingMessage, publication: Publication, clock: IssuerClock): ReceivedRequest {
  const { method = '', url = '', headers } = request
  const endpoint = publication.endpointAt(url.split('?', 1)[0] ?? '')
  return { endpoint, method, url, headers: Object.freeze({ ...headers }), time: clock.now() }
}

async function answer(
  received: ReceivedRequest,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  script: AnswerScript,
  publication: Publication,
): Promise<void> {
  const { endpoint, method } = received
  if (endpoint === 'other') return refuse(response, 404)
  if (method !== 'GET' && method !== 'HEAD') return refuse(response.setHeader('allow', 'GET, HEAD'), 405)

  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    const decided = await script.next(endpoint, received)
    await send(decided, { request, response, document: publication.document(endpoint), signal: gone.signal })
  } catch (error) {
    // A wait that the end of the connection cut short is no failure.
    if (gone.signal.aborted) return
    if (response.headersSent) response.destroy()
    else refuse(response, 500, error instanceof Error ? error.message : String(error))
  }
}

function refuse(response: ServerResponse, status: number, reason = ''): void {
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(reason)
}
