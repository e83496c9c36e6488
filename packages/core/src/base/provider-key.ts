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
