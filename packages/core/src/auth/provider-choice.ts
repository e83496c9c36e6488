import type { RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import {
  AlgorithmNotAllowedError,
  IssuerNotAllowedError,
  TenantNotDeterminedError,
  TenantUnknownError,
} from '../base/errors/request-errors.ts'
import { isIdentifier } from '../base/options.ts'
import type { TenantDirectory } from '../tenants/tenant-directory.ts'
import { checkClaims, checkType, type Objection } from './check-claims.ts'
import type { ParsedToken } from './parse-token.ts'
import type { AuthProvider } from './provider-table.ts'

/** The provider of this tenant that issued the token, by its `iss`; or why there is none. */
export function findProvider(
  directory: TenantDirectory<AuthProvider>,
  tenantName: unknown,
  { payload }: ParsedToken,
): AuthProvider | RequestRefusedError {
  const tenant = typeof tenantName === 'string' ? directory.find(tenantName) : undefined
  // Only then, since the name of one that is there is in order.
  if (tenant === undefined) return isIdentifier(tenantName) ? new TenantUnknownError() : new TenantNotDeterminedError()
  const provider = tenant.byIssuer.get(payload['iss'] as string)
  return provider === undefined || provider.registered.isRemoved ? new IssuerNotAllowedError() : provider
}

/** What this provider's rules have against a token, by what that says. */
export function objectionTo(
  { header, payload }: ParsedToken,
  { algorithms, rules }: AuthProvider,
  now: number,
): Objection {
  if (!algorithms.has(header.alg)) return new AlgorithmNotAllowedError()
  return checkType(header.typ, rules) ?? checkClaims(payload, rules, now)
}
