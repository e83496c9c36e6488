import { createManualClock } from '@jwks-auth/testing'
import { createRegistry, type Registry, type RegistryEvents, type RegistryOptions } from '../../../src/index.ts'
import { registryEventTypes } from '../../../src/jwks-cache/cache-events.ts'
import { closeAfterwards } from '../process.ts'

/** A registry, nothing registered in it, with what it tells. */
export interface ToldRegistry {
  readonly registry: Registry
  readonly clock: ReturnType<typeof createManualClock>
  /** The types of all events, oldest first. */
  types(): readonly (keyof RegistryEvents)[]
  /** The events of a type, each without what an error is made of. */
  told(type: keyof RegistryEvents): readonly object[]
}

/** A registry for the length of one test, on a clock that stands still, and nothing registered yet. */
export function registryOn(options: RegistryOptions): ToldRegistry {
  const clock = createManualClock()
  const registry = createRegistry({ requireHttps: false, clock, ...options })
  closeAfterwards(registry)
  const events: { readonly type: keyof RegistryEvents; readonly event: object }[] = []
  for (const type of registryEventTypes) registry.on(type, (event) => events.push({ type, event }))
  return {
    registry,
    clock,
    types: () => events.map(({ type }) => type),
    told: (type) => events.filter((event) => event.type === type).map(({ event }) => event),
  }
}
