import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { provider, setScene, startAuthenticator, tenant, until } from '../jwks-cache/scene.ts'

const steps = [
  'resolve',
  'resolve-known',
  'resolve-unknown',
  'new-token',
  'same-token',
  'forged-token',
  'refresh',
  'rotate',
  'fail',
  'work',
  'revoke',
  'second',
  'minute',
  'quarter',
  'day',
] as const

describe('the counters of a provider', () => {
  it('add up after any steps, and agree with state, health and the events', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...steps), { minLength: 10, maxLength: 60 }), async (chosen) => {
        const scene = await setScene({ provider: { staleWhileError: 600_000 } })
        const { clock, issuer, registry, resolve, status } = scene
        const authenticate = startAuthenticator(scene)
        const seen = { refresh: 0, 'refresh-failed': 0 }
        let asked = 0
        let token = await issuer.sign()
        registry.on('refresh', () => (seen.refresh += 1))
        registry.on('refresh-failed', () => (seen['refresh-failed'] += 1))
        const ask = async (question: Promise<unknown>): Promise<void> => {
          asked += 1
          await question.catch(() => undefined)
        }
        const perform = {
          resolve: () => ask(resolve()),
          'resolve-known': () => ask(resolve('key-1')),
          'resolve-unknown': () => ask(resolve('unknown')),
          'new-token': async () => {
            token = await issuer.sign({ exp: 4_000_000_000 })
            await ask(authenticate(token))
          },
          'same-token': () => ask(authenticate(token)),
          'forged-token': () => ask(authenticate(`${token.slice(0, -12)}AAAAAAAAAAAA`)),
          refresh: () => registry.refresh(tenant, provider),
          rotate: () => issuer.rotate(),
          fail: async () => issuer.answerAlways('jwks', { kind: 'reply', status: 503 }),
          work: async () => issuer.answerAlways('jwks', { kind: 'normal' }),
          revoke: () => registry.revokeKey(tenant, provider, 'key-2'),
          second: () => clock.advance(1_000),
          minute: () => clock.advance(60_000),
          quarter: () => clock.advance(900_000),
          day: () => clock.advance(86_400_000),
        } satisfies Record<(typeof steps)[number], () => Promise<unknown>>
        for (const step of chosen) {
          await perform[step]()
          await until(() => !['loading', 'refreshing'].includes(status().state))
          const { state, health, errorCount, metrics } = status()
          const { requests, hits, misses, stale, refreshes, refreshErrors } = metrics
          // A token that expired is refused without a question.
          expect(requests).toBeLessThanOrEqual(asked)
          expect(hits + misses).toBe(requests)
          expect(stale).toBeLessThanOrEqual(hits)
          expect(refreshErrors).toBeLessThanOrEqual(refreshes)
          expect({ refreshes, refreshErrors }).toEqual({
            refreshes: seen.refresh + seen['refresh-failed'],
            refreshErrors: seen['refresh-failed'],
          })
          expect(state === 'empty').toBe(health === 'unavailable')
          // What cannot serve may have failed, or not been asked for in a long time.
          expect(health === 'unavailable' || errorCount > 0 === (health === 'failing')).toBe(true)
        }
      }),
      { numRuns: 25 },
    )
  })

  it.each([
    ['resolve with a cached kid', ['resolve', 'key-1'], { requests: 1, hits: 1, misses: 0 }],
    ['resolve with an unknown kid', ['resolve', 'unknown'], { requests: 1, hits: 0, misses: 1 }],
    ['resolve without a kid', ['resolve'], { requests: 1, hits: 1, misses: 0 }],
    ['a token whose signature is checked for the first time', ['token'], { requests: 1, hits: 1, misses: 0 }],
    ['a forged token', ['forged'], { requests: 1, hits: 1, misses: 0 }],
  ] as const)('count %s once', async (_, [action, kid], counted) => {
    const scene = await setScene()
    const authenticate = startAuthenticator(scene)
    const token = await scene.issuer.sign()
    await scene.registry.refresh(tenant, provider)
    if (action === 'resolve') await scene.resolve(kid).catch(() => undefined)
    else await authenticate(action === 'token' ? token : `${token.slice(0, -12)}AAAAAAAAAAAA`)
    expect(scene.status().metrics).toMatchObject(counted)
  })

  it('count once what waited for the first fetch, with a kid and without, and what served stale after waiting', async () => {
    const { clock, issuer, resolve, status } = await setScene({ provider: { prefetch: 'never' } })
    await Promise.all([resolve(), resolve('key-1')])
    expect(status().metrics).toMatchObject({ requests: 2, hits: 0, misses: 2 })
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await clock.advance(600_000)
    await Promise.all([resolve(), resolve('key-1')])
    expect(status().metrics).toMatchObject({ requests: 4, hits: 2, misses: 2, stale: 2 })
  })

  it('count a token once whose key is checked again after a callback was waited for', async () => {
    const scene = await setScene()
    const authenticate = startAuthenticator(scene, { isRevoked: async () => false })
    const token = await scene.issuer.sign()
    expect(await authenticate(token)).toMatchObject({ ok: true })
    expect(scene.status().metrics).toMatchObject({ requests: 1, hits: 0, misses: 1 })
    expect(await authenticate(token)).toMatchObject({ ok: true })
    expect(scene.status().metrics).toMatchObject({ requests: 2, hits: 1, misses: 1 })
  })
})
