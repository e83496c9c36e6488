import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Exchange } from './exchange.ts'

/** True on Bun, which has no undici client and makes its connections by itself, whatever an agent would do. */
export const isBun: boolean = 'bun' in process.versions

/**
 * Sends requests on Bun. No address rule, pin or certificate authority holds for its connections, so registrations that
 * need one are refused there.
 */
export const bunExchange: Exchange = async ({ url, headers, onSent }, attempt) => {
  attempt.step = 'waiting for the response'
  onSent?.()
  const { signal } = attempt
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestTls : requestPlain
    send(url, { headers, signal }, resolve).on('error', reject).end()
  })
  return { status: response.statusCode ?? 0, headers: response.headersDistinct, body: response }
}
