import { keepAlive } from '../base/clock.ts'
import { StoreFailedError } from '../base/errors/store-errors.ts'
import type { EventBus } from '../base/events.ts'
import { stringOption } from '../base/options.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { ProviderTable } from './provider-table.ts'
import type { Registry } from './registry.ts'

/** Creates the methods of a registry that revoke and forget single keys. */
export function createKeyOperations(
  { find }: Pick<ProviderTable, 'find'>,
  persistence: Persistence,
  events: EventBus<RegistryEvents>,
): Pick<Registry, 'revokeKey' | 'unrevokeKey' | 'forgetKey'> {
  const { revocations } = persistence
  return {
    async revokeKey(tenant, provider, kid) {
      const { key, cache } = find(tenant, provider)
      const revoke = () => revocations.of(key).revoke(stringOption('kid', kid), cache.state.cached?.published)
      const isRepeated = revocations.of(key).has(kid)
      let record = revoke()
      cache.revocationsChanged()
      events.emit('key-revoked', { ...key, kid })
      // Another process may have lifted that very record, and this one has not heard of it yet.
      if (isRepeated) await keepAlive(revocations.load(key).then(() => revocations.refresh()))
      if (!revocations.of(key).has(kid)) {
        record = revoke()
        cache.revocationsChanged()
      }
      await keepAlive(revocations.persist(key, [record]))
    },
    async unrevokeKey(tenant, provider, kid) {
      const { key, cache } = find(tenant, provider)
      // What another process has revoked just now is to be lifted, too.
      await revocations.load(key)
      await revocations.refresh()
      const lifted = revocations.of(key).lift(stringOption('kid', kid))
      if (lifted.length === 0) return false
      cache.revocationsChanged()
      events.emit('key-unrevoked', { ...key, kid })
      await keepAlive(revocations.persist(key, lifted))
      return true
    },
    async forgetKey(tenant, provider, kid) {
      const { cache, registration } = find(tenant, provider)
      if (registration.options.keyLifetime !== 'immutable') {
        throw new TypeError(
          "forgetKey is for providers with keyLifetime 'immutable'; refresh() replaces the keys of other providers",
        )
      }
      await persistence.load(cache)
      if (!cache.forget(stringOption('kid', kid))) return false
      if (!(await persistence.saved(cache))) {
        throw new StoreFailedError('the key is dropped from memory only', { operation: 'save', tenant, provider })
      }
      return true
    },
  }
}
