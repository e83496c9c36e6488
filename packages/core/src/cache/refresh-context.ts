import type { Clock } from '../base/clock.ts'
import type { EventBus } from '../base/events.ts'
import type { Random } from './backoff.ts'
import type { RegistryEvents } from './cache-events.ts'
import type { FetchLimit } from './fetch-limit.ts'

/** What a registry's refreshers share. */
export interface RefreshContext {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventBus<RegistryEvents>
  readonly limit: FetchLimit
  /** Aborts when the registry closes. */
  readonly closed: AbortSignal
}
