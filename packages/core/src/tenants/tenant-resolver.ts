import type { AuthRequest } from '../base/auth-request.ts'

/**
 * Derives the tenant's name from a request; `undefined` where it names none. The result is checked before it is used, so
 * a resolver may return text of the request unchecked.
 */
export type TenantResolver = (request: AuthRequest) => string | undefined | Promise<string | undefined>

/** Marks the resolver that reads the token instead of the request; the same mark in every copy of this package. */
const fromIssuer: unique symbol = Symbol.for('@jwks-auth/core: tenant from issuer') as never

/**
 * Takes the tenant from the token's own `iss`: whichever tenant has that issuer. Only for tenants of which no two
 * share an issuer, and only where nothing else in the request names a tenant: the token alone decides.
 */
export function tenantFromIssuer(): TenantResolver {
  return Object.assign(() => undefined, { [fromIssuer]: true })
}

/** True for what {@link tenantFromIssuer} made. */
export function isTenantFromIssuer(resolver: TenantResolver): boolean {
  return fromIssuer in resolver
}

/** True where the request target names a host of its own (RFC 9112 §3.2.2), which may differ from every header. */
export function isAbsoluteForm(url: string): boolean {
  return !url.startsWith('/')
}
