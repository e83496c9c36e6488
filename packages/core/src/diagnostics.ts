/**
 * What only `@jwks-auth/cli` needs: the rules themselves, so that it judges as an authenticator does. No public contract:
 * it changes in any release, as docs/decisions/021-diagnostics.md says.
 *
 * @packageDocumentation
 */

export { checkProviders, selectProvider } from './auth/auth-providers.ts'
export { checkAuthOptions, DEFAULT_NAME, requestOptionNames } from './auth/check-auth-options.ts'
export { checkBasicClaims, checkClaims, checkType, issuerOf } from './auth/check-claims.ts'
export { claimRuleNames } from './auth/claim-rules.ts'
export { parseToken } from './auth/parse-token.ts'
export { verifySignature, vouchesForIssuer } from './auth/signing-key.ts'
export { instant, systemClock } from './base/clock.ts'
export { isObject, nearestName, type Unchecked } from './base/options.ts'
export { createNameResolver, isAddressOrBlock } from './http/addresses.ts'
export {
  Attempt,
  type Connect,
  type ConnectionRules,
  createConnect,
  createDefaultTrustAnchors,
  splitPem,
} from './http/connection.ts'
export { contentCodings, decodeBody, withoutByteOrderMark } from './http/content-coding.ts'
export { createGuardedClients, type GuardedClients } from './http/exchange.ts'
export type { ResponseHeaders } from './http/freshness.ts'
export { parseHttpDate, type StoredPolicy, storedPolicy, validatorsOf } from './http/freshness.ts'
export { checkUrl, parseUrl } from './http/url-rules.ts'
export { readKeySet } from './jwks/key-set.ts'
export {
  algorithmDefinition,
  createKeyImporter,
  fitsAlgorithm,
  readKey,
  thumbprintOf,
  type VerificationKey,
} from './jwks/verification-key.ts'
export { type Lifetimes, lifetimesOf } from './jwks-cache/policy.ts'
export { wellKnownUrls } from './registry/discovery.ts'
export { providerDefaults } from './registry/provider-options.ts'
export { internals, internalsOf } from './registry/registry.ts'
export { isTenantFromIssuer } from './tenants/tenant-resolvers.ts'
