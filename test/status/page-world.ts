import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRegistry, createStatusHandler, type Registry, type RegistryEvents } from '@jwks-auth/express'
import { createManualClock, createTestIssuer, type ManualClock, type TestIssuer } from '@jwks-auth/testing'
import express from 'express'

/** What a page is served with. */
export interface PageWorld {
  readonly clock: ManualClock
  readonly registry: Registry
  /** Where the page is, with a slash at its end. */
  readonly url: string
  /** An issuer whose key set is cached for ten minutes. */
  startIssuer(kid: string): Promise<TestIssuer>
  /** Registers a provider by its key set, without retries; fetches the keys unless `isUnused`. */
  add(name: string, issuer: TestIssuer, options?: { readonly isUnused?: boolean }): Promise<void>
  /** Makes requests for the keys of a provider. */
  use(name: string, times: number): Promise<void>
  /** Plays refused requests. */
  refuse(count: number, refusal: RegistryEvents['refused']): void
  /** Refuses everything from now on. */
  forbid(): void
  close(): Promise<void>
}

/** Serves the status page of a registry at `/status`, with an Express app and a manual clock. */
export async function startPageWorld(): Promise<PageWorld> {
  const clock = createManualClock({ now: Date.UTC(2026, 4, 12, 2, 47, 10) })
  const created = createRegistry({
    requireHttps: false,
    clock,
    defaults: { retryPolicy: { maxRetries: 0 }, prefetch: 'never' },
  })
  const listeners = new Set<(event: RegistryEvents['refused']) => void>()
  // Requests are refused by an authenticator; here the event is enough.
  const registry: Registry = {
    ...created,
    on(type, listener) {
      if (type === 'refused') listeners.add(listener as (event: RegistryEvents['refused']) => void)
      return created.on(type, listener)
    },
  }
  const issuers: TestIssuer[] = []
  let isAllowed = true
  const app = express()
  app.use('/status', createStatusHandler(registry, { authorize: async () => isAllowed }))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const split = (name: string): [string, string] => {
    const [tenant = '', provider = ''] = name.split('/')
    return [tenant, provider]
  }
  return {
    clock,
    registry,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/status/`,
    async startIssuer(kid) {
      const issuer = await createTestIssuer({ algorithm: 'ES256', kid, clock })
      issuers.push(issuer)
      return issuer
    },
    async add(name, issuer, { isUnused = false } = {}) {
      const [tenant, provider] = split(name)
      await registry.register({ tenant, provider, jwksUri: issuer.jwksUri, network: 'any' })
      if (!isUnused) await registry.resolve(tenant, provider).catch(() => undefined)
    },
    async use(name, times) {
      for (let count = 0; count < times; count += 1) await registry.resolve(...split(name)).catch(() => undefined)
    },
    refuse(count, refusal) {
      for (let each = 0; each < count; each += 1) for (const listener of listeners) listener(refusal)
    },
    forbid() {
      isAllowed = false
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await Promise.all([created.close(), ...issuers.map((issuer) => issuer.close())])
    },
  }
}
