/** What a key set belongs to. Both names are case-sensitive everywhere. */
export interface ProviderKey {
  /** The tenant's name. */
  readonly tenant: string
  /** The provider's name within its tenant. */
  readonly provider: string
}

/** Both names as one. Identifiers have no line break, so two keys never make the same. */
export function providerName({ tenant, provider }: ProviderKey): string {
  return `${tenant}\n${provider}`
}

const identities = new WeakMap<object, number>()
let lastIdentity = 0

/**
 * A text that is the same for two values exactly if they are equal: JSON, in which a function stands for itself alone.
 * Good within one process only, and as secret as what is in the value.
 */
export function valueText(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'function' ? identityOf(member) : member))
}

/** A number for a function. The counter is process-wide so that no two registries confuse two functions. */
function identityOf(value: object): string {
  const known = identities.get(value)
  if (known !== undefined) return `function ${known}`
  lastIdentity += 1
  identities.set(value, lastIdentity)
  return `function ${lastIdentity}`
}
