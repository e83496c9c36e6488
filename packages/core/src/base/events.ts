import diagnosticsChannel from 'node:diagnostics_channel'
import { isThenable } from './steps.ts'

/**
 * Calls the listeners of one event type, and publishes the event on `node:diagnostics_channel`. A listener that throws,
 * or whose promise rejects, affects neither the emitter nor the other listeners.
 */
export interface EventBus<Events extends object> {
  /** Adds a listener; the returned function removes it. */
  on<Type extends keyof Events & string>(type: Type, listener: (event: Events[Type]) => void): () => void
  /** True where there is a listener, here or on the diagnostics channel: otherwise no event has to be built. */
  hasListeners(type: keyof Events & string): boolean
  /** Calls every listener of `type`. */
  emit<Type extends keyof Events & string>(type: Type, event: Events[Type]): void
}

/** Prefix of the names of the diagnostics channels. */
const CHANNEL_PREFIX = 'jwks-auth:'

/** An event bus for a closed set of types; listening to another one is a `TypeError`. */
export function createEventBus<Events extends object>(types: readonly (keyof Events & string)[]): EventBus<Events> {
  const listeners = new Map<string, Set<(event: never) => unknown>>()
  // The process has one channel of each name: every registry publishes on it.
  const channels = new Map(types.map((type) => [type, diagnosticsChannel.channel(`${CHANNEL_PREFIX}${type}`)]))
  return {
    on(type, listener) {
      if (!types.includes(type))
        throw new TypeError(`there is no event ${JSON.stringify(type)}; there are ${types.join(', ')}`)
      if (typeof listener !== 'function') throw new TypeError('listener must be a function')
      const ofType = listeners.get(type) ?? new Set()
      listeners.set(type, ofType)
      // Wrapped, so that one function added twice is called twice and removed once.
      const call = (event: Events[typeof type]): unknown => listener(event)
      ofType.add(call)
      return () => {
        ofType.delete(call)
        if (ofType.size === 0 && listeners.get(type) === ofType) listeners.delete(type)
      }
    },
    hasListeners: (type) => listeners.has(type) || channels.get(type)?.hasSubscribers === true,
    emit(type, event) {
      const ofType = listeners.get(type)
      const channel = channels.get(type)
      if (ofType === undefined && channel?.hasSubscribers !== true) return
      // One object for all listeners: none may change what the next one sees.
      Object.freeze(event)
      for (const call of [...(ofType ?? [])]) {
        try {
          const result = (call as (event: unknown) => unknown)(event)
          if (isThenable(result)) result.then(undefined, () => undefined)
        } catch {
          // A failing listener must not affect the emitter.
        }
      }
      // Node throws the error of a subscriber in a later tick, as an uncaught exception: nothing here can catch it.
      channel?.publish(event)
    },
  }
}
