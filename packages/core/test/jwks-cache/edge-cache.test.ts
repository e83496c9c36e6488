import type { Answer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { type Scene, setScene, until } from './scene.ts'

/** What a cache on the way holds: the key set as it is now, with the date that it has now. */
function cachedAnswer({ clock, issuer }: Scene): Answer {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'max-age=600',
    date: new Date(clock.now()).toUTCString(),
  }
  return { kind: 'reply', body: JSON.stringify(issuer.jwks), headers }
}

describe('a cache on the way that still has the set from before a rotation', () => {
  it('is bypassed by the refetch for the new key', async () => {
    const scene = await setScene()
    const { clock, issuer, resolve } = scene
    const old = cachedAnswer(scene)
    issuer.answerAlways('jwks', ({ headers }) => (headers['cache-control'] === 'no-cache' ? { kind: 'normal' } : old))
    await resolve()
    await clock.advance(60_000)
    await issuer.rotate()
    expect(await resolve('key-2')).toEqual(['key-1', 'key-2'])
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('does not take the new key away again when a refresh is due', async () => {
    const scene = await setScene()
    const { clock, issuer, resolve, pass, status, events } = scene
    const old = cachedAnswer(scene)
    issuer.answerAlways('jwks', ({ headers }) => (headers['cache-control'] === 'no-cache' ? { kind: 'normal' } : old))
    await resolve()
    await clock.advance(60_000)
    await issuer.rotate()
    await resolve('key-2')
    await pass(570_000)
    await until(() => status().state === 'ready')
    expect(status()).toMatchObject({ health: 'fresh', kids: ['key-1', 'key-2'] })
    expect(events.filter(({ type }) => type === 'key-removed')).toEqual([])
  })

  it('does not keep a new key from being found where each request waits for a refresh', async () => {
    const scene = await setScene({ provider: { prefetch: 'never', minTtl: 1_000, maxTtl: 1_000 } })
    const { clock, issuer, resolve } = scene
    const old = cachedAnswer(scene)
    issuer.answerAlways('jwks', ({ headers }) => (headers['cache-control'] === 'no-cache' ? { kind: 'normal' } : old))
    await resolve()
    await clock.advance(60_000)
    await issuer.rotate()
    expect(await resolve('key-2')).toEqual(['key-1', 'key-2'])
    // A refresh from the cache on the way, then one request past it.
    expect(issuer.requestCount('jwks')).toBe(3)
  })
})
