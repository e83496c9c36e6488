import type { Registry } from '@jwks-auth/core'

/** Collects what a registry reports of published keys that are not used: the reason and the `kid` of each. */
export function collectRefusals(registry: Registry): readonly { readonly reason: string; readonly kid: unknown }[] {
  const refusals: { readonly reason: string; readonly kid: unknown }[] = []
  registry.on('keys-refused', ({ refused }) => refusals.push(...refused))
  return refusals
}
