import {
  audience,
  startAuthenticator,
  startIssuer,
  startRegistry,
  startRegistryWith,
} from '@jwks-auth/test-support/start'
import { type Answer, createManualClock } from '@jwks-auth/testing'
import { jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Registry } from '../../src/index.ts'

describe('a closed registry', () => {
  const provider = { tenant: 'globex', provider: 'okta', jwksUri: 'https://issuer.example/jwks' }
  it.each<[string, (registry: Registry, token: string) => Promise<unknown>]>([
    ['resolve', (registry) => registry.resolve('acme', 'auth0')],
    ['resolve of a held kid', (registry) => registry.resolve('acme', 'auth0', 'key-1')],
    ['refresh', (registry) => registry.refresh('acme', 'auth0')],
    ['register', (registry) => registry.register(provider)],
    ['revokeKey', (registry) => registry.revokeKey('acme', 'auth0', 'key-1')],
    ['unrevokeKey', (registry) => registry.unrevokeKey('acme', 'auth0', 'key-1')],
    ['keyResolver', (registry, token) => jwtVerify(token, registry.keyResolver('acme', 'auth0'))],
    ['status', async (registry) => registry.status('acme', 'auth0')],
  ])('refuses %s', async (_, ask) => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    await registry.close()
    await expect(ask(registry, await issuer.sign())).rejects.toMatchObject({
      name: 'RegistryClosedError',
      code: 'ERR_REGISTRY_CLOSED',
    })
    expect(issuer.requestCount()).toBe(1)
  })

  it('may be closed again', async () => {
    const registry = startRegistry()
    await Promise.all([registry.close(), registry.close()])
    await expect(registry.close()).resolves.toBeUndefined()
  })

  it('cannot be given to an authenticator', async () => {
    const registry = startRegistry()
    await registry.close()
    expect(() => startAuthenticator({ issuer: 'http://127.0.0.1:1', audience, registry })).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_CLOSED' }),
    )
  })
})

describe('closing', () => {
  it.each<[string, Answer]>([
    ['before the headers', { kind: 'hang' }],
    ['before the body', { kind: 'hang-after-headers' }],
    ['within the body', { kind: 'stalled-body' }],
  ])('ends a request that waits %s, and leaves no timer', async (_, answer) => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    issuer.answerAlways('jwks', answer)
    const registry = await startRegistryWith(issuer, { clock }, { retryPolicy: { maxRetries: 5 } })
    const resolved = registry.resolve('acme', 'auth0')
    const ended = expect(resolved).rejects.toMatchObject({ cause: { code: 'ERR_REGISTRY_CLOSED' } })
    await issuer.waitForRequests(1)
    await registry.close()
    await ended
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends a pause between two attempts, and leaves no timer', async () => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    const retryPolicy = { maxRetries: 5, initialBackoff: 1_000, jitter: 'none' } as const
    const registry = await startRegistryWith(issuer, { clock }, { retryPolicy })
    const failed = new Promise((resolve) => {
      registry.on('refresh-failed', resolve)
    })
    const resolved = registry.resolve('acme', 'auth0')
    const ended = expect(resolved).rejects.toMatchObject({ cause: { code: 'ERR_REGISTRY_CLOSED' } })
    await issuer.waitForRequests(1)
    await registry.close()
    await Promise.all([ended, failed])
    expect(clock.pendingTimers).toBe(0)
    expect(issuer.requestCount()).toBe(1)
  })

  it.each(['active', 'always'] as const)("leaves no timer of prefetch: '%s'", async (prefetch) => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    const registry = await startRegistryWith(issuer, { clock }, { prefetch })
    await registry.resolve('acme', 'auth0')
    await registry.resolve('acme', 'auth0')
    expect(clock.pendingTimers).toBe(1)
    await registry.close()
    expect(clock.pendingTimers).toBe(0)
    await clock.advance(3_600_000)
    expect(issuer.requestCount()).toBe(1)
  })

  it('lets those go who wait for a place', async () => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    issuer.answerAlways('jwks', { kind: 'hang' })
    const registry = await startRegistryWith(issuer, { clock, maxConcurrentFetches: 1 })
    await registry.register({ tenant: 'globex', provider: 'auth0', jwksUri: issuer.jwksUri, network: 'any' })
    const waiting = Promise.allSettled([registry.resolve('acme', 'auth0'), registry.resolve('globex', 'auth0')])
    await issuer.waitForRequests(1)
    await registry.close()
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(clock.pendingTimers).toBe(0)
    expect(issuer.requestCount()).toBe(1)
  })
})

describe('closing an authenticator', () => {
  it('closes the registry that it made', async () => {
    const authenticator = startAuthenticator({ issuer: 'http://127.0.0.1:1', audience })
    await authenticator.close()
    await expect(authenticator.registry.resolve('default', 'default')).rejects.toMatchObject({
      code: 'ERR_REGISTRY_CLOSED',
    })
  })

  it('leaves one open that it was given', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await startAuthenticator({ issuer: issuer.issuer, audience, registry }).close()
    await expect(registry.resolve('acme', 'auth0')).resolves.toHaveProperty('keys')
  })

  it('answers what comes afterwards with 503: it is no fault of the client', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience })
    const authorization = `Bearer ${await issuer.sign()}`
    await authenticator.close()
    const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization } })
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: 'ERR_REGISTRY_CLOSED' },
      response: { status: 503, headers: { 'retry-after': '1' } },
    })
  })
})
