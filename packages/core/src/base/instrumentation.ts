import { JwksAuthError } from './errors/jwks-auth-error.ts'
import { KeysUnavailableError } from './errors/request-errors.ts'
import type { ProviderKey } from './provider-key.ts'

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
