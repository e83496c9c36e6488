import { describe, expect, it } from 'vitest'
import { startSilentServer, startUnacceptingServer } from '../http/silent-server.ts'
import { provider, rejectionOf, type Scene, setScene, tenant, unhurried, until } from './scene.ts'

/** Registers tenants whose providers are at this URL, and asks for their keys. Nothing of it ends before the registry. */
async function askDead({ registry }: Scene, count: number, url: (index: number) => string): Promise<() => number> {
  let settled = 0
  for (let index = 0; index < count; index += 1) {
    const name = `dead-${index}`
    const jwksUri = url(index)
    await registry.register({ tenant: name, provider, jwksUri, network: 'any', retryPolicy: unhurried })
    rejectionOf(registry.resolve(name, provider)).then(
      () => {
        settled += 1
      },
      () => undefined,
    )
  }
  return () => settled
}

const deadUrls: readonly (readonly [string, () => Promise<(index: number) => string>])[] = [
  [
    'whose addresses swallow packets',
    async () => {
      const { port } = await startUnacceptingServer()
      return (index) => `http://127.0.0.1:${port}/${index}`
    },
  ],
  [
    'whose TLS handshakes are never answered',
    async () => {
      const { port } = await startSilentServer()
      return (index) => `https://127.0.0.1:${port}/${index}`
    },
  ],
]

describe.each(deadUrls)('forty tenants %s', (_, start) => {
  it('do not keep a healthy tenant waiting until their attempts time out', async () => {
    const scene = await setScene()
    const { clock, issuer, resolve } = scene
    const settled = await askDead(scene, 40, await start())
    // By default 32 requests are in flight: the healthy one waits for a slot.
    const keys = resolve()
    let isServed = false
    keys.then(
      () => {
        isServed = true
      },
      () => undefined,
    )
    await until(() => clock.pendingTimers >= 32)
    expect(isServed).toBe(false)
    expect(issuer.requestCount('jwks')).toBe(0)
    await clock.advance(250)
    expect(await keys).toEqual(['key-1'])
    expect(settled()).toBe(0)
  })

  it('do not delay the refetch for a rotated key of a healthy tenant', async () => {
    const scene = await setScene()
    const { clock, issuer, resolve } = scene
    await resolve()
    await issuer.rotate()
    const settled = await askDead(scene, 40, await start())
    const keys = resolve('key-2')
    await clock.advance(250)
    expect(await keys).toContain('key-2')
    expect(settled()).toBe(0)
  })
})

describe('providers of one tenant whose addresses swallow packets', () => {
  it('do not keep its healthy provider waiting', async () => {
    const scene = await setScene({ registry: { maxConcurrentFetches: 32 } })
    const { clock, registry, resolve } = scene
    const { port } = await startUnacceptingServer()
    for (let index = 0; index < 4; index += 1) {
      const jwksUri = `http://127.0.0.1:${port}/${index}`
      await registry.register({ tenant, provider: `dead-${index}`, jwksUri, network: 'any', retryPolicy: unhurried })
      rejectionOf(registry.resolve(tenant, `dead-${index}`)).catch(() => undefined)
    }
    const keys = resolve()
    await clock.advance(250)
    expect(await keys).toEqual(['key-1'])
  })
})
