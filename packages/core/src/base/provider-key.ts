/** What a key set belongs to. Both names are case-sensitive everywhere. */
export interface ProviderKey {
  /** The tenant's name. */
  readonly tenant: string
  /** The provider's name within its tenant. */
  readonly provider: string
}
