import { type AuthRequestLike, isFrameworkRequest, toAuthRequest } from '../base/auth-request.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { identifierOption, knownOptions, objectOption } from '../base/options.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { internals, internalsOf, type Registry } from '../registry/registry.ts'
import type { AccessTokenClaims, Auth } from './auth.ts'
import type { JwksAuthOptions } from './auth-options.ts'
import { createAuthentication } from './authenticate.ts'
import { checkAuthOptions } from './check-auth-options.ts'
import { createTenants } from './create-tenants.ts'
import type { AuthOutcome, RefusingAuthenticator, VerifyOutcome } from './refusal.ts'
import { createInvalidations, type UntilInvalidOptions } from './until-invalid.ts'

/** Options of `authenticator.verify`. */
export interface VerifyOptions {
  /**
   * The tenant that the token must come from. Absent: the only tenant, or the tenant whose issuer the token has. Where two
   * tenants share an issuer, it is required: a token without it is refused with `ERR_TENANT_NOT_DETERMINED`.
   */
  readonly tenant?: string | undefined
}

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
   * Verifies a token that comes without an HTTP request: from a socket, a queue or a file. The same as `authenticate` once
   * the token is extracted: size, tenant, provider, claims, signature, `validate` and `isRevoked`, which sees a request
   * whose `method` and `url` are `''` and which has no headers. The options `getToken`, `credentialsRequired` and `tenant`
   * have no effect. What a client may have sent is never an exception: no token is `ERR_TOKEN_MISSING`, anything but a
   * string `ERR_TOKEN_MALFORMED`.
   *
   * @param token the token alone, without `Bearer`
   * @throws TypeError for unknown options; what a callback of the application threw. The promise rejects with the same.
   */
  verify(token: string, options?: VerifyOptions): VerifyOutcome<Claims> | Promise<VerifyOutcome<Claims>>
  /**
   * Looks a tenant up again at its next request, instead of when `tenantCache.ttl` has passed; until that succeeds, its last
   * configuration is kept. Without effect where `tenants` is not a function.
   *
   * @throws TypeError for what cannot be the name of a tenant
   */
  invalidateTenant(tenant: string): void
  /**
   * Waits until a token is no longer valid, for connections that outlive the request that opened them. Resolves with the
   * reason: the token expires by its `exp` (or `maxTokenAge`), its key is withdrawn by the provider or revoked, its
   * provider is removed, or the authenticator closes. A key that is revoked here counts at once, one that another process
   * revokes within five seconds. While the keys are due for a refresh they are refreshed, as requests would do; an outage
   * of the provider alone ends no connection. `isRevoked` is not called. An abort of the signal rejects with its reason
   * and leaves nothing behind. Costs no timer of its own, and does not keep the process alive: the connection does.
   *
   * @param auth what this authenticator has returned, not a copy
   * @throws TypeError for anything else (the promise rejects)
   */
  untilInvalid(auth: Auth<Claims>, options?: UntilInvalidOptions): Promise<JwksAuthError>
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
  const { tenants, resolveTenant, tenantOfIssuer, reportIssuer } = createTenants(registryInternals, checked)
  const authentication = createAuthentication<Claims>({
    clock: registryInternals.clock,
    registry: registryInternals,
    options: checked,
    tenants,
    resolveTenant,
    tenantOfIssuer,
    reportIssuer,
  })
  const invalidations = createInvalidations(registryInternals.clock, registryInternals)
  return {
    registry,
    passErrors,
    authenticate: (request) =>
      authentication.authenticate(isFrameworkRequest(request) ? request : toAuthRequest(request)),
    verify(token, verifyOptions = {}) {
      const given = objectOption('verify options', verifyOptions)
      knownOptions('verify', given, ['tenant'])
      return authentication.verify({ token, tenant: given['tenant'] })
    },
    untilInvalid: (auth, untilOptions = {}) => invalidations.untilInvalid(auth, untilOptions),
    now: () => registryInternals.clock.now(),
    refuse: (error, request, auth) => authentication.refuse(error, request, auth),
    invalidateTenant: (tenant) => tenants.invalidate(identifierOption('tenant', tenant)),
    async close() {
      authentication.close()
      tenants.close()
      invalidations.close()
      if (registryOptions !== undefined) await registry.close()
    },
  }
}
