import { isThenable } from './thenable.ts'

/**
 * Calls the listeners of one event type. A listener that throws, or whose promise rejects, affects neither the emitter
 * nor the other listeners.
 */
export interface EventBus<Events extends object> {
  /** Adds a listener; the returned function removes it. */
  on<Type extends keyof Events & string>(type: Type, listener: (event: Events[Type]) => void): () => void
  /** Calls every listener of `type`. */
  emit<Type extends keyof Events & string>(type: Type, event: Events[Type]): void
}

/** An event bus for a closed set of types; listening to another one is a `TypeError`. */
export function createEventBus<Events extends object>(types: readonly (keyof Events & string)[]): EventBus<Events> {
  const listeners = new Map<string, Set<(event: never) => unknown>>()
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
      }
    },
    emit(type, event) {
      const ofType = listeners.get(type)
      if (ofType === undefined) return
      for (const call of [...ofType]) {
        try {
          const result = (call as (event: unknown) => unknown)(event)
          if (isThenable(result)) result.then(undefined, () => undefined)
        } catch {
          // A failing listener must not affect the emitter.
        }
      }
    },
  }
}
