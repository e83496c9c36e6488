import { identifierOption, knownOptions, objectOption, type Unchecked } from '../base/options.ts'
import { checkEffects, mergeProviderOptions } from '../registry/check-provider-options.ts'
import { providerLocationNames } from '../registry/provider-location.ts'
import { providerOptionNames } from '../registry/provider-options.ts'
import type { TenantCacheBounds } from '../tenants/tenant-cache.ts'
import type { CheckedProvider } from './auth-providers.ts'
import { type ClaimRules, checkClaimRules, claimRuleNames } from './claim-rules.ts'
import { checkIssuerTemplate } from './issuer-template.ts'

/** The options of a provider, in the short form or of a tenant. */
export const providerConfigNames: readonly string[] = Object.freeze([
  ...providerLocationNames,
  ...providerOptionNames,
  ...claimRuleNames,
])

/** The name of the tenant and of its provider in the short form. */
export const DEFAULT_NAME = 'default'

/** The option `tenants` as a function, and what goes with it. */
export interface CheckedLookup {
  readonly lookUp: (tenant: string) => unknown
  readonly bounds: TenantCacheBounds
  /** The options beside `tenants`. */
  readonly providerDefaults: Unchecked
  /** The claim rules beside `tenants`. */
  readonly defaultRules: ClaimRules
}

/**
 * Checks the option `tenants` as a record.
 *
 * @throws TypeError that names the option
 */
export function checkTenants(value: unknown, providerDefaults: Unchecked): readonly CheckedProvider[] {
  const tenants = Object.entries(objectOption('tenants', value))
  if (tenants.length === 0) throw new TypeError('tenants must have at least one tenant')
  const rulesOf = createSharedRules()
  return tenants.flatMap(([tenant, config]) => {
    identifierOption(`tenants: the name ${JSON.stringify(tenant)}`, tenant)
    return checkTenant(tenant, config, providerDefaults, rulesOf)
  })
}

/**
 * Checks the option `tenants` as a function. What is beside it is checked now, not with the first tenant.
 *
 * @throws TypeError that names the option
 */
export function checkLookup(lookUp: unknown, bounds: TenantCacheBounds, providerDefaults: Unchecked): CheckedLookup {
  return {
    lookUp: lookUp as CheckedLookup['lookUp'],
    bounds,
    providerDefaults,
    // Each tenant may have an audience of its own.
    defaultRules: checkClaimRules('', { audience: false, ...providerDefaults }),
  }
}

/**
 * Checks the configuration of a tenant that was looked up.
 *
 * @throws TypeError that names the option
 */
export function checkLookedUpTenant(
  tenant: string,
  config: unknown,
  { providerDefaults, defaultRules }: CheckedLookup,
): readonly CheckedProvider[] {
  const providers = checkTenant(tenant, config, providerDefaults, checkClaimRules)
  for (const { where, rules } of providers) {
    // Tokens that have expired are refused before a tenant is looked up, and so by the tolerance beside `tenants`.
    if (rules.clockTolerance > defaultRules.clockTolerance) {
      throw new TypeError(`${where}clockTolerance must not be greater than the one beside tenants`)
    }
  }
  return providers
}

function checkTenant(
  tenant: string,
  value: unknown,
  providerDefaults: Unchecked,
  rulesOf: typeof checkClaimRules,
): readonly CheckedProvider[] {
  const where = `tenants.${tenant}`
  const config = objectOption(where, value)
  if (config['providers'] === undefined) {
    return [checkProvider(tenant, DEFAULT_NAME, `${where}.`, config, providerDefaults, rulesOf)]
  }
  knownOptions(where, config, ['providers'])
  const providers = Object.entries(objectOption(`${where}.providers`, config['providers']))
  if (providers.length === 0) throw new TypeError(`${where}.providers must have at least one provider`)
  return providers.map(([provider, ofProvider]) => {
    identifierOption(`${where}.providers: the name ${JSON.stringify(provider)}`, provider)
    const path = `${where}.providers.${provider}`
    return checkProvider(tenant, provider, `${path}.`, objectOption(path, ofProvider), providerDefaults, rulesOf)
  })
}

/**
 * Checks one provider's options.
 *
 * @throws TypeError that names the option
 */
export function checkProvider(
  tenant: string,
  provider: string,
  where: string,
  config: Unchecked,
  providerDefaults: Unchecked,
  rulesOf: typeof checkClaimRules = checkClaimRules,
): CheckedProvider {
  knownOptions(where === '' ? 'jwksAuth' : where.slice(0, -1), config, providerConfigNames)
  checkEffects(where, config)
  const merged = mergeProviderOptions(providerDefaults, config)
  if (merged['issuer'] === undefined) {
    throw new TypeError(`${where}issuer is required: exactly the iss of the provider's tokens`)
  }
  // In the short form, all options are given together.
  const ofProvider = checkIssuerTemplate(where, where === '' ? merged : config, merged)
  const registration = { tenant, provider, ...pick(merged, [...providerLocationNames, ...providerOptionNames]) }
  return { tenant, provider, where, registration, rules: rulesOf(where, ofProvider) }
}

/** {@link checkClaimRules} with one object for all providers with the same rules, as most tenants have. */
function createSharedRules(): typeof checkClaimRules {
  const shared = new Map<string, ClaimRules>()
  return (where, given) => {
    const rules = checkClaimRules(where, given)
    // These differ between tenants.
    if (rules.boundClaims.size > 0) return rules
    const text = JSON.stringify(pick(given, claimRuleNames))
    const known = shared.get(text)
    if (known === undefined) shared.set(text, rules)
    return known ?? rules
  }
}

/** The members of these names, without those that are absent. */
export function pick(from: Unchecked, names: readonly string[]): Unchecked {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]))
}
