import {
  audience,
  authenticate,
  startAuthenticator,
  startIssuer,
  startRegistryWith,
} from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { type EventLogger, type LogEventsOptions, logEvents } from '../../src/index.ts'

type Line = readonly [level: string, fields: Readonly<Record<string, unknown>>, message: string]

function recorder() {
  const lines: Line[] = []
  const at = (level: string) => (fields: object, message: string) => lines.push([level, { ...fields }, message])
  return { lines, logger: { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') } }
}

async function scene(options?: LogEventsOptions) {
  const clock = createManualClock()
  const issuer = await startIssuer({ clock })
  const registry = await startRegistryWith(issuer, { clock }, { prefetch: 'never', staleWhileError: 60_000 })
  const { lines, logger } = recorder()
  return { clock, issuer, registry, lines, stop: logEvents(registry, logger, options) }
}

const provider = { tenant: 'acme', provider: 'auth0' }

describe('the log of events', () => {
  it('has the story of an outage, each line at its level', async () => {
    const { clock, issuer, registry, lines } = await scene()
    await registry.resolve('acme', 'auth0')
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await clock.advance(600_000)
    await registry.resolve('acme', 'auth0')
    await clock.advance(60_000)
    issuer.answerAlways('jwks', { kind: 'normal' })
    await registry.refresh('acme', 'auth0')
    expect(lines.map(([level, { event, tenant }]) => [level, event, tenant])).toEqual([
      ['debug', 'fetch', 'acme'],
      ['info', 'key-added', 'acme'],
      ['debug', 'refresh', 'acme'],
      ['debug', 'fetch', 'acme'],
      ['warn', 'refresh-failed', 'acme'],
      ['warn', 'stale', 'acme'],
      ['error', 'unavailable', 'acme'],
      ['debug', 'fetch', 'acme'],
      ['debug', 'refresh', 'acme'],
      ['info', 'recovered', 'acme'],
    ])
    expect(lines[4]).toEqual([
      'warn',
      {
        event: 'refresh-failed',
        ...provider,
        reason: 'due',
        duration: 0,
        error: {
          code: 'ERR_UPSTREAM_STATUS',
          message: 'The provider responded with status 503 to a request for its key set',
        },
      },
      'refresh failed',
    ])
  })

  it('has refused requests as information, those for want of keys as a warning, and a published private key as an error', async () => {
    const { issuer, registry, lines } = await scene()
    const authenticator = startAuthenticator({
      registry,
      tenants: { other: { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience, retryPolicy: { maxRetries: 0 } } },
    })
    await authenticate(authenticator, 'garbage')
    await issuer.stop()
    await authenticate(authenticator, await issuer.sign())
    await issuer.start()
    issuer.setJwks({
      keys: [...issuer.jwks.keys, { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA', kid: 'leaked' }],
    })
    await registry.resolve('acme', 'auth0')
    const seen = lines.map(([level, { event, code, status }]) => [level, event, code, status])
    expect(seen).toContainEqual(['info', 'refused', 'ERR_TOKEN_MALFORMED', 401])
    expect(seen).toContainEqual(['warn', 'refused', 'ERR_KEYS_UNAVAILABLE', 503])
    expect(seen).toContainEqual(['error', 'keys-refused', undefined, undefined])
  })

  it('is limited for each type, and says how many lines were left out', async () => {
    const { clock, issuer, registry, lines } = await scene({ maxLinesPerMinute: 2 })
    const authenticator = startAuthenticator({ registry, issuer: issuer.issuer, audience })
    for (let count = 0; count < 10; count += 1) await authenticate(authenticator, 'garbage')
    await registry.resolve('acme', 'auth0')
    const refused = () => lines.filter(([, { event }]) => event === 'refused').map(([, { suppressed }]) => suppressed)
    expect(refused()).toEqual([undefined, undefined])
    expect(lines.some(([, { event }]) => event === 'key-added')).toBe(true)
    await clock.advance(60_000)
    await authenticate(authenticator, 'garbage')
    await authenticate(authenticator, 'garbage')
    expect(refused()).toEqual([undefined, undefined, 8, undefined])
  })

  it('has no text of a token or an upstream body', async () => {
    const { issuer, registry, lines } = await scene()
    const authenticator = startAuthenticator({
      registry,
      tenants: { other: { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience, retryPolicy: { maxRetries: 0 } } },
    })
    const token = await issuer.sign({ aud: 'elsewhere', sub: 'secret' })
    await authenticate(authenticator, token)
    issuer.answerAlways('jwks', { kind: 'reply', status: 500, body: 'secret' })
    await registry.refresh('acme', 'auth0')
    const text = JSON.stringify(lines)
    for (const part of ['secret', ...token.split('.')]) expect(text).not.toContain(part)
  })

  it('ends when it is stopped', async () => {
    const { registry, lines, stop } = await scene()
    stop()
    await registry.resolve('acme', 'auth0')
    expect(lines).toEqual([])
  })

  it('affects nothing with a logger that throws', async () => {
    const { registry } = await scene()
    const fail = () => {
      throw new Error('logger')
    }
    logEvents(registry, { error: fail, warn: fail, info: fail, debug: fail })
    await expect(registry.resolve('acme', 'auth0')).resolves.toMatchObject({ keys: [{ kid: 'key-1' }] })
  })

  it.each([
    ['logger must have a method debug', { error() {}, warn() {}, info() {} }, {}],
    ['logger', undefined, {}],
    ['maxLinesPerMinute', recorder().logger, { maxLinesPerMinute: 0 }],
    ['maxLines', recorder().logger, { maxLines: 5 }],
  ])('is refused with a TypeError: %s', async (message, logger, options) => {
    const { registry } = await scene()
    const log = () => logEvents(registry, logger as EventLogger, options as LogEventsOptions)
    expect(log).toThrow(TypeError)
    expect(log).toThrow(message)
  })
})
