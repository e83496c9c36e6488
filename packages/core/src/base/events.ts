import diagnosticsChannel from 'node:diagnostics_channel'
import { JwksAuthError } from './errors/jwks-auth-error.ts'
import { KeysUnavailableError } from './errors/request-errors.ts'
import type { ProviderKey } from './provider-key.ts'
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

/** Something that takes time, and that a tracer may record as a span. */
export type OperationName =
  /** The authentication of a request whose token is not in the cache of verified tokens. */
  | 'authenticate'
  /** A request waits for keys. */
  | 'resolve'
  /** A provider's keys are refreshed: the lease of the fleet and the store included. */
  | 'refresh'
  /** A key set is requested upstream, retries included; several providers may share it. */
  | 'fetch'

/** How an operation ended. */
export interface OperationOutcome extends Partial<ProviderKey> {
  /** The error's code; `undefined` for success. */
  readonly code?: string | undefined
  /** True where something failed; false where a request was refused as it should be. */
  readonly isFault?: boolean
}

/** What is known of an operation when it starts. */
export interface Operation<Result> extends Partial<ProviderKey> {
  /** What it does. */
  readonly name: OperationName
  /** Why a fetch is made. */
  readonly reason?: string
  /** Reads the outcome of the result. */
  outcomeOf(result: Result): OperationOutcome
}

/** A request waits for a provider's keys. */
export function resolveOperation({ tenant, provider }: ProviderKey): Operation<unknown> {
  return {
    name: 'resolve',
    tenant,
    provider,
    outcomeOf(result) {
      if (!(result instanceof JwksAuthError)) return {}
      return { code: result.code, isFault: result instanceof KeysUnavailableError }
    },
  }
}

/** What a tracer implements. None of its methods may throw. */
export interface Tracer {
  /**
   * Calls `work` with the operation's span active, and returns what it returns: the very promise, because
   * {@link Tracer.waitsFor} gets it. Where `work` throws or rejects, so does this.
   */
  run<Result, Returned extends Result | Promise<Result>>(operation: Operation<Result>, work: () => Returned): Returned
  /** The active operation waits for another one, whose `work` has returned this promise. */
  waitsFor(shared: Promise<unknown>): void
}

/** The place of a registry's tracer. */
export interface Instrumentation {
  /** `undefined` without tracing. */
  tracer: Tracer | undefined
}

/** Runs an operation in a span; without a tracer, it is a plain call. */
export function traced<Result, Returned extends Result | Promise<Result>>(
  { tracer }: Instrumentation,
  operation: Operation<Result>,
  work: () => Returned,
): Returned {
  return tracer === undefined ? work() : tracer.run(operation, work)
}
