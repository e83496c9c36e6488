import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'
import { registryEventTypes } from '../../src/jwks-cache/cache-events.ts'

interface Events {
  hit: { readonly n: number }
}

function listen(name: string): unknown[] {
  const messages: unknown[] = []
  const listener = (message: unknown): unknown => messages.push(message)
  subscribe(name, listener)
  onTestFinished(() => {
    unsubscribe(name, listener)
  })
  return messages
}

describe('the diagnostics channels', () => {
  it('get what registry.on gets, from every registry', async () => {
    const channels = new Map(registryEventTypes.map((type) => [type, listen(`jwks-auth:${type}`)]))
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const events = new Map(registryEventTypes.map((type) => [type, [] as unknown[]]))
    for (const type of registryEventTypes) registry.on(type, (event) => events.get(type)?.push(event))
    await registry.resolve('acme', 'auth0')
    issuer.answerOnce('jwks', { kind: 'reply', status: 500 })
    await registry.refresh('acme', 'auth0')
    await registry.resolve('acme', 'auth0', 'unknown').catch(() => undefined)
    await registry.revokeKey('acme', 'auth0', 'key-1')
    expect(channels).toEqual(events)
    expect([...channels].flatMap(([type, messages]) => (messages.length > 0 ? [type] : [])).toSorted()).toEqual(
      ['fetch', 'key-added', 'key-revoked', 'refresh', 'refresh-failed', 'unknown-kid'].toSorted(),
    )
  })

  it('have listeners or not, as the bus has', () => {
    const bus = createEventBus<Events>(['hit'])
    expect(bus.hasListeners('hit')).toBe(false)
    const remove = bus.on('hit', () => undefined)
    expect(bus.hasListeners('hit')).toBe(true)
    remove()
    expect(bus.hasListeners('hit')).toBe(false)
    listen('jwks-auth:hit')
    expect(bus.hasListeners('hit')).toBe(true)
  })

  it('get an event that no listener can change for the next one', () => {
    const bus = createEventBus<Events>(['hit'])
    const messages = listen('jwks-auth:hit')
    bus.on('hit', (event) => {
      Object.assign(event, { n: 2 })
    })
    bus.emit('hit', { n: 1 })
    expect(messages).toEqual([{ n: 1 }])
  })

  it('keep the error of a subscriber from the emitter: Node raises it later, as an uncaught exception', async () => {
    const bus = createEventBus<Events>(['hit'])
    const broken = (): never => {
      throw new Error('subscriber')
    }
    subscribe('jwks-auth:hit', broken)
    const messages = listen('jwks-auth:hit')
    // The test runner has a listener of its own, which would fail the run.
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const uncaught: unknown[] = []
    process.on('uncaughtException', (error) => uncaught.push(error.message))
    try {
      bus.emit('hit', { n: 1 })
      expect(messages).toEqual([{ n: 1 }])
      await new Promise((resolve) => setImmediate(resolve))
      expect(uncaught).toEqual(['subscriber'])
    } finally {
      unsubscribe('jwks-auth:hit', broken)
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    }
  })
})
