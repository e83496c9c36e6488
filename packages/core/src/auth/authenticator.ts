import type { AuthRequest } from '../base/auth-request.ts'
import { type Instant, instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import {
  AlgorithmNotAllowedError,
  AuthorizationMalformedError,
  TokenMissingError,
} from '../base/errors/request-errors.ts'
import { headerOf } from '../base/framework-request.ts'
import { isThenable } from '../base/thenable.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { internals, type Registry } from '../registry/registry.ts'
import { isTenantFromIssuer } from '../tenants/tenant-resolver.ts'
import { createAcceptance, isVerified, type Question, type TokenInQuestion } from './acceptance.ts'
import { answerTo, isAnswered, type Stage } from './answer.ts'
import type { AccessTokenClaims } from './auth.ts'
import type { JwksAuthOptions } from './auth-options.ts'
import { bearerCredentials, isBearerToken } from './bearer.ts'
import { callbackError } from './callback-error.ts'
import { CallbackFailure } from './callbacks.ts'
import { type CheckedAuthOptions, checkAuthOptions, defaultResolver } from './check-auth-options.ts'
import { checkBasicClaims } from './check-claims.ts'
import type { FirstUse } from './first-use.ts'
import { createLearnedHeaders } from './known-headers.ts'
import type { AuthOutcome, AuthRefusal } from './outcome.ts'
import { type ParsedToken, parseToken } from './parse-token.ts'
import { passable } from './passable-error.ts'
import { checkProviders, internalsOf } from './provider-table.ts'
import { createTokenCache } from './token-cache.ts'
import { findToken, isHeaderSource } from './token-sources.ts'

/** Authenticates requests of any framework. */
export interface Authenticator<Claims = AccessTokenClaims> {
  /**
   * Finds out who is asking. A refusal is an outcome; it throws or rejects only with what a callback of the
   * application threw, wrapped in an `Error` where it is none. Not a promise where there is nothing to wait for: a token
   * that was verified before, with keys that are held and callbacks that answer at once.
   */
  authenticate(request: AuthRequest): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
  /** The refusal for an error that a guard found, with this authenticator's challenge. */
  refuse(error: JwksAuthError): AuthRefusal
  /** The option of that name: refusals go the framework's own error path. */
  readonly passErrors: boolean
  /** The registry that holds the keys: the one given, or one made here. */
  readonly registry: Registry
  /** Forgets the tokens that were verified, and closes the registry if it was made here. */
  close(): Promise<void>
}

/** RFC 6750 §2.3. */
const PRIVATE: Readonly<Record<string, string>> = Object.freeze({ 'cache-control': 'private' })

/**
 * Makes an authenticator, the neutral core of every adapter.
 *
 * @throws TypeError that names a wrong option
 */
export function createAuthenticator<Claims = AccessTokenClaims>(
  options: JwksAuthOptions<Claims>,
): Authenticator<Claims> {
  const checked = checkAuthOptions(options)
  const ownsRegistry = checked.registryOptions !== undefined
  const registry = ownsRegistry ? createRegistry(checked.registryOptions) : internalsOf(checked.registry)
  const { clock } = internalsOf(registry)[internals]
  const { challenge, passErrors, credentialsRequired, maxTokenBytes, sources } = checked
  const providers = checkProviders(registry, checked.providers)
  const resolveTenant = checked.isSingleTenant ? undefined : tenantResolution(checked, providers.sharedIssuer)
  const { directory, all } = providers.register()
  // What every provider refuses can be refused before it is known whose token it is.
  const algorithms = new Set(all.flatMap((provider) => [...provider.algorithms]))
  const clockTolerance = Math.max(...new Set(all.map(({ rules }) => rules.clockTolerance)))
  const tokens = checked.tokenCache === undefined ? undefined : createTokenCache<FirstUse<Claims>>(checked.tokenCache)
  const learned = createLearnedHeaders()
  const readsHeaderOnly = sources.length === 1 && sources.every(isHeaderSource)
  const { recall, recallBearer, acceptAtOnce, accept } = createAcceptance<Claims>({
    clock,
    directory,
    tokens,
    callbacks: checked,
    learn: (token) => learned.learn(token),
    readToken,
    refuse: (error) => refuse(error, 'tenant-known'),
    refuseThrown: (error) => refuseThrown(error, 'tenant-known'),
  })

  function refuse(error: JwksAuthError, stage: Stage): AuthRefusal {
    const response = answerTo(error, challenge, stage)
    return { ok: false, error: passErrors ? passable(error, response) : error, response }
  }

  /** Whatever is not ours to answer is thrown on. */
  function refuseThrown(error: unknown, stage: Stage): AuthRefusal {
    if (error instanceof CallbackFailure) throw error.error
    if (isAnswered(error)) return refuse(error, stage)
    throw callbackError(error)
  }

  function readToken(text: string, now: number): ParsedToken | JwksAuthError {
    const token = parseToken(text, learned)
    if (!algorithms.has(token.header.alg)) return new AlgorithmNotAllowedError()
    return checkBasicClaims(token.payload, now, clockTolerance) ?? token
  }

  /** Reads credentials that nobody has looked at yet: what reads as a JWT need not be looked at by its characters, too. */
  function readCredentials(credentials: string, now: number): ParsedToken | JwksAuthError {
    try {
      return readToken(credentials, now)
    } catch (error) {
      throw isBearerToken(credentials) ? error : new AuthorizationMalformedError()
    }
  }

  /** What the request brings, read; an objection is returned or thrown. */
  function tokenOf(request: AuthRequest, now: number): { token: TokenInQuestion | JwksAuthError; isPrivate: boolean } {
    if (!readsHeaderOnly) {
      const { token, isPrivate } = findToken(request, sources, maxTokenBytes)
      return { token: recall(token, now) ?? readToken(token, now), isPrivate }
    }
    const credentials = bearerCredentials(headerOf(request, 'authorization'), maxTokenBytes)
    if (credentials === undefined) throw new TokenMissingError()
    return { token: recall(credentials, now) ?? readCredentials(credentials, now), isPrivate: false }
  }

  function tenantNameOf(request: AuthRequest, issuer: string, resolve: NonNullable<typeof resolveTenant>): unknown {
    try {
      return resolve(request, issuer)
    } catch (error) {
      throw callbackError(error)
    }
  }

  /** Asks for the tenant on each request: it is the request's, whatever is known of the token. */
  function acceptForTenant(
    token: TokenInQuestion,
    request: AuthRequest,
    headers: Question['headers'],
    askedAt: Instant,
  ): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>> {
    if (resolveTenant === undefined) return acceptNow(token, 'default', request, headers, askedAt)
    const issuer = isVerified(token) ? token.issuer : (token.payload['iss'] as string)
    const tenantName = tenantNameOf(request, issuer, resolveTenant)
    if (!isThenable(tenantName)) return acceptNow(token, tenantName, request, headers, askedAt)
    return Promise.resolve(tenantName).then(
      (name) => accept(token, { tenantName: name, request, headers, askedAt: instant(clock) }),
      (error: unknown) => Promise.reject(callbackError(error)),
    )
  }

  function acceptNow(
    token: TokenInQuestion,
    tenantName: unknown,
    request: AuthRequest,
    headers: Question['headers'],
    now: Instant,
  ): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>> {
    const outcome = isVerified(token) ? acceptAtOnce(token, tenantName, request, headers, now) : undefined
    return outcome ?? accept(token, { tenantName, request, headers, askedAt: now })
  }

  return {
    registry,
    passErrors,
    refuse: (error) => refuse(error, 'tenant-known'),
    authenticate(request) {
      const now = instant(clock)
      if (readsHeaderOnly) {
        // A token that was verified is in order, so that nothing of the header need be looked at again.
        const header = headerOf(request, 'authorization')
        const known = typeof header === 'string' ? recallBearer(header, now.wall) : undefined
        if (known !== undefined) return acceptForTenant(known, request, undefined, now)
      }
      let found: ReturnType<typeof tokenOf>
      try {
        found = tokenOf(request, now.wall)
      } catch (error) {
        if (error instanceof TokenMissingError && !credentialsRequired) return { ok: true, auth: undefined }
        return refuseThrown(error, 'before-tenant')
      }
      const { token, isPrivate } = found
      if (token instanceof JwksAuthError) return refuse(token, 'before-tenant')
      return acceptForTenant(token, request, isPrivate ? PRIVATE : undefined, now)
    },
    async close() {
      tokens?.close()
      if (ownsRegistry) await registry.close()
    },
  }

  /** The tenant's name by the request; for `tenantFromIssuer`, by the token. */
  function tenantResolution({ resolver }: CheckedAuthOptions, sharedIssuer: string | undefined) {
    const chosen = resolver ?? defaultResolver(sharedIssuer)
    if (!isTenantFromIssuer(chosen)) return (request: AuthRequest, _issuer: string): unknown => chosen(request)
    if (sharedIssuer !== undefined) defaultResolver(sharedIssuer)
    return (_request: AuthRequest, issuer: string): unknown => directory.findByIssuer(issuer)?.name
  }
}
