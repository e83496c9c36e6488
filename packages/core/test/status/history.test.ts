import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'
import { type RegistryEvents, registryEventTypes } from '../../src/jwks-cache/cache-events.ts'
import { recordHistory } from '../../src/status/timeline.ts'

const acme = { tenant: 'acme', provider: 'main' }

function start() {
  const clock = createManualClock()
  const events = createEventBus<RegistryEvents>(registryEventTypes)
  return { clock, events, history: recordHistory(events, clock) }
}

describe('the history of refused requests', () => {
  it('counts by code for a quarter of an hour, for all and for each provider', async () => {
    const { clock, events, history } = start()
    events.emit('refused', { ...acme, code: 'ERR_TOKEN_EXPIRED', status: 401 })
    await clock.advance(10 * 60_000)
    events.emit('refused', { ...acme, code: 'ERR_TOKEN_EXPIRED', status: 401 })
    events.emit('refused', { code: 'ERR_TENANT_UNKNOWN', status: 401 })
    const last = clock.now()
    expect(history.refusals()).toEqual([
      { code: 'ERR_TOKEN_EXPIRED', status: 401, count: 2, last },
      { code: 'ERR_TENANT_UNKNOWN', status: 401, count: 1, last },
    ])
    expect(history.refusals(acme)).toEqual([{ code: 'ERR_TOKEN_EXPIRED', status: 401, count: 2, last }])
    expect(history.refusals({ ...acme, provider: 'other' })).toEqual([])
    await clock.advance(6 * 60_000)
    expect(history.refusals().map(({ count }) => count)).toEqual([1, 1])
    await clock.advance(10 * 60_000)
    expect(history.refusals()).toEqual([])
  })

  it('is not confused by a wall clock that is set back', async () => {
    const { clock, events, history } = start()
    events.emit('refused', { code: 'ERR_TOKEN_EXPIRED', status: 401 })
    clock.set(0)
    events.emit('refused', { code: 'ERR_TOKEN_EXPIRED', status: 401 })
    expect(history.refusals()).toMatchObject([{ count: 2 }])
    await clock.advance(16 * 60_000)
    expect(history.refusals()).toEqual([])
  })
})

describe('the history of keys', () => {
  it('has the last twenty changes, newest first, with the names of keys cut', () => {
    const { events, history } = start()
    for (let number = 1; number <= 25; number += 1) events.emit('key-added', { ...acme, kid: `key-${number}` })
    events.emit('key-revoked', { ...acme, kid: 'x'.repeat(10_000) })
    const changes = history.keyChanges(acme)
    expect(changes).toHaveLength(20)
    expect(changes[0]).toMatchObject({ change: 'revoked', kid: 'x'.repeat(256) })
    expect(changes.at(-1)).toMatchObject({ change: 'added', kid: 'key-7' })
    expect(history.keyChanges({ ...acme, tenant: 'other' })).toEqual([])
  })

  it('is kept for two thousand providers', () => {
    const { events, history } = start()
    for (let number = 0; number <= 2_000; number += 1) {
      const provider = { tenant: `t${number}`, provider: 'main' }
      events.emit('key-added', { ...provider, kid: 'key-1' })
      events.emit('refused', { ...provider, code: 'ERR_TOKEN_EXPIRED', status: 401 })
    }
    const [first, second] = [0, 1].map((number) => ({ tenant: `t${number}`, provider: 'main' }))
    if (first === undefined || second === undefined) throw new Error('unreachable')
    expect([history.keyChanges(first), history.refusals(first)]).toEqual([[], []])
    expect([history.keyChanges(second).length, history.refusals(second).length]).toEqual([1, 1])
    expect(history.refusals()).toMatchObject([{ count: 2_001 }])
  })
})
