import type { Tracer } from '../base/instrumentation.ts'
import type { ProviderUsage } from './provider-usage.ts'
import { internals, internalsOf } from './registry.ts'

// `object`: the entry point for adapters has to compile without the types of the whole registry.

/**
 * Reads what was counted of every provider that was used; idle ones are left out. For exporters of metrics.
 *
 * @throws TypeError for anything that `createRegistry` did not create
 */
export function usageOf(registry: object): readonly ProviderUsage[] {
  return internalsOf(registry)[internals].usage()
}

/**
 * Records the registry's operations, and those of its authenticators, with a tracer. The returned function stops it.
 *
 * @throws TypeError for anything that `createRegistry` did not create, or where another tracer records already
 */
export function instrument(registry: object, tracer: Tracer): () => void {
  const { instrumentation } = internalsOf(registry)[internals]
  if (instrumentation.tracer !== undefined) throw new TypeError('the registry has a tracer already: close it first')
  instrumentation.tracer = tracer
  return () => {
    if (instrumentation.tracer === tracer) instrumentation.tracer = undefined
  }
}
