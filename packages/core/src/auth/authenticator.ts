import { type AuthRequestLike, toAuthRequest } from '../base/auth-request.ts'
import { isFrameworkRequest } from '../base/framework-request.ts'
import { identifierOption } from '../base/options.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { internals, type Registry } from '../registry/registry.ts'
import type { AccessTokenClaims } from './auth.ts'
import type { JwksAuthOptions } from './auth-options.ts'
import { internalsOf } from './auth-providers.ts'
import { createAuthentication } from './authenticate.ts'
import { checkAuthOptions } from './check-auth-options.ts'
import { createTenants } from './create-tenants.ts'
import type { AuthOutcome, RefusingAuthenticator } from './refusal.ts'

/** Authenticates requests of any framework. */
export interface Authenticator<Claims = AccessTokenClaims> extends RefusingAuthenticator {
  /**
   * Authenticates a request: an `AuthRequest`, whose header names may be in any case, or a fetch `Request`. A refusal is an
   * outcome. Returns a promise only where something has to be waited for: keys to be fetched, an asynchronous callback, or a
   * signature that is checked on the thread pool.
   *
   * @throws TypeError for anything else than a request; what a callback of the application threw, wrapped in an `Error` if
   *   it is not one. The promise rejects with the same.
   */
  authenticate(request: AuthRequestLike): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
  /**
   * Looks a tenant up again at its next request, instead of when `tenantCache.ttl` has passed; until that succeeds, its last
   * configuration is kept. Without effect where `tenants` is not a function.
   *
   * @throws TypeError for what cannot be the name of a tenant
   */
  invalidateTenant(tenant: string): void
  /** The registry that holds the keys: the one given, or one created here. */
  readonly registry: Registry
  /**
   * Drops the cached tokens, and closes the registry if it was created here. Every request is refused afterwards with
   * `ERR_REGISTRY_CLOSED` (503), also those that are waiting.
   */
  close(): Promise<void>
}

/**
 * Creates an authenticator, the part of every adapter that is independent of the framework.
 *
 * @throws TypeError that names a wrong option
 */
export function createAuthenticator<Claims = AccessTokenClaims>(
  options: JwksAuthOptions<Claims>,
): Authenticator<Claims> {
  const checked = checkAuthOptions(options)
  const { passErrors, registryOptions } = checked
  const registry = registryOptions === undefined ? internalsOf(checked.registry) : createRegistry(registryOptions)
  const registryInternals = internalsOf(registry)[internals]
  const { tenants, resolveTenant, reportIssuer } = createTenants(registryInternals, checked)
  const authentication = createAuthentication<Claims>({
    clock: registryInternals.clock,
    registry: registryInternals,
    options: checked,
    tenants,
    resolveTenant,
    reportIssuer,
  })
  return {
    registry,
    passErrors,
    authenticate: (request) =>
      authentication.authenticate(isFrameworkRequest(request) ? request : toAuthRequest(request)),
    refuse: (error) => authentication.refuse(error),
    invalidateTenant: (tenant) => tenants.invalidate(identifierOption('tenant', tenant)),
    async close() {
      authentication.close()
      tenants.close()
      if (registryOptions !== undefined) await registry.close()
    },
  }
}
