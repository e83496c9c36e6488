import type { AuthRequest } from '../base/auth-request.ts'
import { type Clock, instant } from '../base/clock.ts'
import { JwksAuthError, RegistryClosedError, RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import {
  AlgorithmNotAllowedError,
  AuthorizationMalformedError,
  ClaimsRejectedError,
  IssuerNotAllowedError,
  KeyNotFoundError,
  KeysUnavailableError,
  TokenMissingError,
  TokenRejectedError,
  TokenRevokedError,
} from '../base/errors/request-errors.ts'
import type { EventBus, Instrumentation, Tracer } from '../base/events.ts'
import { isThenable, runSteps, type Steps } from '../base/steps.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { Tenant } from '../tenants/tenant-directory.ts'
import type { Auth } from './auth.ts'
import { type AuthProvider, type AuthTenants, selectProvider } from './auth-providers.ts'
import {
  type GivenToken,
  isAccepted,
  isRevokedBy,
  NO_REQUEST,
  observe,
  type RequestContext,
  schemaOutput,
  throwCallbackError,
  wait,
} from './callbacks.ts'
import type { CheckedAuthOptions } from './check-auth-options.ts'
import { checkBasicClaims, checkToken, checkValidity, issuerOf } from './check-claims.ts'
import { createHeaderCache, type ParsedToken, parseToken } from './parse-token.ts'
import { type AuthOutcome, type AuthRefusal, refusalResponse, type VerifyOutcome } from './refusal.ts'
import { createSigningKeySearch, type FoundSigningKeys } from './signing-key.ts'
import {
  authFor,
  bytesOf,
  claimsFor,
  createTokenCache,
  createVerifiedToken,
  inputFor,
  type VerifiedToken,
} from './token-cache.ts'
import { type FoundToken, findToken, isBearerToken, readGiven } from './token-sources.ts'

/** Authenticates requests by the options of one authenticator. */
export interface Authentication<Claims> {
  /**
   * Authenticates a request; a promise only where something has to be waited for. Throws or rejects only with what a
   * callback of the application threw.
   */
  authenticate(request: AuthRequest): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
  /** The same for a token that comes without a request. */
  verify(given: GivenToken): VerifyOutcome<Claims> | Promise<VerifyOutcome<Claims>>
  /** The refusal for an error of a guard. */
  refuse(
    error: JwksAuthError,
    request: AuthRequest,
    auth: Pick<Auth<unknown>, 'tenant' | 'provider'> | undefined,
  ): AuthRefusal
  /** Drops the cached tokens; every request is refused afterwards, also those that are waiting. */
  close(): void
}

/** What requests are authenticated with. */
export interface AuthenticationParts {
  readonly clock: Clock
  readonly registry: {
    readonly events: EventBus<RegistryEvents>
    readonly instrumentation: Instrumentation
    readonly closed: AbortSignal
  }
  readonly options: CheckedAuthOptions
  readonly tenants: AuthTenants
  /** The tenant of a request: an identifier, or what a callback returned, perhaps a promise. */
  readonly resolveTenant: (request: AuthRequest, issuer: string) => unknown
  /** The tenant of a token that comes without a request; `undefined` where its issuer does not decide. */
  readonly tenantOfIssuer: (issuer: string) => string | undefined
  /** Reports the issuer of a token that is not one of the tenant's, where it is almost one. */
  readonly reportIssuer: (tenant: Tenant<AuthProvider> | undefined, issuer: string) => void
}

/** A token that is accepted for one request, and its cache entry. */
interface Acceptance<Claims> {
  readonly verified: VerifiedToken
  readonly auth: Auth<Claims>
}

type VerificationResult<Claims> = Acceptance<Claims> | JwksAuthError

/** RFC 6750 §2.3. */
const PRIVATE: Readonly<Record<string, string>> = Object.freeze({ 'cache-control': 'private' })

/** Creates the authentication of one authenticator. */
export function createAuthentication<Claims>(parts: AuthenticationParts): Authentication<Claims> {
  const { clock, registry, options, tenants, resolveTenant, tenantOfIssuer, reportIssuer } = parts
  const {
    challenge,
    credentialsRequired,
    maxTokenBytes,
    sources,
    claims: schema,
    validate,
    isRevoked,
    onRefused,
    scopesOf,
  } = options
  const { algorithms, clockTolerance } = tenants
  const { events, instrumentation } = registry
  const tokens =
    options.tokenCache === undefined
      ? undefined
      : createTokenCache<VerifiedToken, VerificationResult<Claims>>(options.tokenCache)
  const headers = createHeaderCache()
  const findSigningKey = createSigningKeySearch()
  let isClosed = false

  /** The one way to refuse a request. */
  function fail(error: JwksAuthError, context: Pick<RequestContext, 'request' | 'stage' | 'origin'>): AuthRefusal {
    const { request, stage, origin } = context
    const response = refusalResponse(error, challenge, stage)
    if (onRefused !== undefined) observe(() => onRefused(error, request))
    if (events.hasListeners('refused')) {
      events.emit('refused', { ...origin, code: error.code, status: response.status })
    }
    return { ok: false, error, response }
  }

  /** The whole of authentication, from top to bottom. */
  function* authenticate(context: RequestContext): Steps<AuthOutcome<Claims>> {
    const { request, given } = context
    if (isClosed || registry.closed.aborted) return fail(new RegistryClosedError(), context)

    // 1. Extract the token.
    const extracted = context.found ?? extract(context)
    const found = isThenable(extracted) ? yield* wait(context, extracted) : extracted
    if (found instanceof RequestRefusedError) return fail(found, context)
    if (found === undefined) {
      const isRequired = credentialsRequired || given !== undefined
      return isRequired ? fail(new TokenMissingError(), context) : { ok: true, auth: undefined }
    }

    // 2. Find it in the token cache, or parse it and check what holds for every provider.
    const cached = findCached(found.text, context)
    const { tracer } = instrumentation
    if (tracer !== undefined && cached === undefined && !context.isTraced) {
      context.found = found
      return yield* authenticateInSpan(tracer, context)
    }
    const parsed = cached === undefined ? readToken(found, context) : undefined
    if (parsed instanceof RequestRefusedError) return fail(parsed, context)

    // 3. Find the tenant, on each request: it depends on the request, not on the token alone.
    const issuer = cached?.issuer ?? (parsed === undefined ? '' : issuerOf(parsed.payload))
    const resolved = given === undefined ? resolveTenant(request, issuer) : tenantOfGiven(given, issuer)
    const tenantName = isThenable(resolved) ? yield* wait(context, resolved) : resolved
    context.stage = 'tenant-known'
    const foundTenant = tenants.find(tenantName, context.now)
    const tenant = isThenable(foundTenant) ? yield* wait(context, foundTenant) : foundTenant
    if (tenant instanceof RequestRefusedError) return fail(tenant, context)
    if (tenant !== undefined) context.origin = { tenant: tenant.name }

    // 4. Accept a cached token of this tenant while the key that verified it is in the current key set.
    let accepted: Acceptance<Claims> | undefined
    if (cached !== undefined && cached.provider === tenant?.byIssuer.get(cached.issuer)) {
      context.origin = cached.provider.registered.key
      const result = canReuseNow(cached, context) ? reuse(cached) : yield* reuseAfterWaiting(cached, context)
      if (result instanceof JwksAuthError) return fail(result, context)
      if (result === undefined) tokens?.drop(cached)
      accepted = result
    }

    // 5. Otherwise verify it: provider, claims, key, signature, schema and `validate`.
    if (accepted === undefined) {
      const token = parsed ?? readToken(found, context)
      const result = token instanceof RequestRefusedError ? token : yield* verify(token, tenant, tenantName, context)
      if (result instanceof JwksAuthError) return fail(result, context)
      accepted = result
    }

    // 6. Call `isRevoked`, which sees each request.
    const { auth } = accepted
    if (isRevoked !== undefined) {
      const result = isRevoked(auth as Auth<never>, request)
      const isTokenRevoked = isRevokedBy(isThenable(result) ? yield* wait(context, result) : result)
      if (isTokenRevoked) return fail(new TokenRevokedError(), context)
    }

    // 7. Check again what may have changed while anything was waited for.
    const { verified } = accepted
    const refusal = context.hasWaitedSinceKey ? yield* recheck(verified, context) : hasEnded(verified, context)
    if (refusal !== undefined) return fail(refusal, context)
    return found.isPrivate ? { ok: true, auth, headers: PRIVATE } : { ok: true, auth }
  }

  function extract({ request, given }: RequestContext) {
    return given === undefined ? findToken(request, sources, maxTokenBytes) : readGiven(given, maxTokenBytes)
  }

  function tenantOfGiven({ tenant }: GivenToken, issuer: string): unknown {
    return tenant === undefined ? tenantOfIssuer(issuer) : tenant
  }

  /** Starts again within a span. Accepting a cached token has none, which would take longer than all the rest. */
  function* authenticateInSpan(tracer: Tracer, context: RequestContext): Steps<AuthOutcome<Claims>> {
    context.isTraced = true
    const outcome = tracer.run(
      {
        name: 'authenticate',
        outcomeOf: (result: AuthOutcome<Claims>) =>
          result.ok
            ? { ...context.origin }
            : { ...context.origin, code: result.error.code, isFault: result.response.status >= 500 },
      },
      () => runSteps(authenticate(context)),
    )
    return yield* wait(context, outcome)
  }

  function findCached(text: string, { now }: RequestContext): VerifiedToken | undefined {
    const verified = tokens?.find(text)
    if (verified === undefined || checkValidity(verified, now.wall) === undefined) return verified
    tokens?.drop(verified)
    return undefined
  }

  /** Parses a token, and checks what can be checked before its provider is known. */
  function readToken({ text, isFromHeader }: FoundToken, { now }: RequestContext): ParsedToken | RequestRefusedError {
    const token = parseToken(text, headers)
    if (token instanceof RequestRefusedError) {
      if (!isFromHeader || isBearerToken(text)) return token
      return new AuthorizationMalformedError('the Authorization header is not "Bearer" and one token')
    }
    if (!algorithms.has(token.header.alg)) return new AlgorithmNotAllowedError()
    return checkBasicClaims(token.payload, now.wall, clockTolerance) ?? token
  }

  /** True where a cached token is accepted without waiting: most requests come with one. */
  function canReuseNow(verified: VerifiedToken, context: RequestContext): boolean {
    return !verified.needsSchema && hasEnded(verified, context) === undefined && hasCurrentKey(verified, context)
  }

  function reuse(verified: VerifiedToken): Acceptance<Claims> {
    // Without a schema `Claims` is AccessTokenClaims, of which `iss` and `exp` were checked.
    return { verified, auth: authFor(verified, claimsFor(verified) as Claims) }
  }

  /** Accepts or refuses a cached token; `undefined` where it must be verified anew. */
  function* reuseAfterWaiting(
    verified: VerifiedToken,
    context: RequestContext,
  ): Steps<Acceptance<Claims> | JwksAuthError | undefined> {
    if (hasEnded(verified, context) !== undefined) return undefined
    const state = hasCurrentKey(verified, context) ? 'current' : yield* findKeyAgain(verified, context)
    if (state instanceof JwksAuthError) return state
    if (state === 'replaced' || hasEnded(verified, context) !== undefined) return undefined
    if (!verified.needsSchema) return reuse(verified)
    const claims = yield* applySchema(claimsFor(verified), context)
    return claims instanceof ClaimsRejectedError ? claims : { verified, auth: authFor(verified, claims as Claims) }
  }

  /** True where the key that verified a token may be used now. Counts as a use of the provider's keys. */
  function hasCurrentKey({ provider, key }: VerifiedToken, context: RequestContext): boolean {
    if (!provider.registered.cache.hasCurrentKey(key, context.now, context.asks)) return false
    context.asks = 'again'
    context.hasWaitedSinceKey = false
    return true
  }

  /** Finds the key of a verified token as for a new token: keys are refreshed and waited for in the same way. */
  function* findKeyAgain(
    verified: VerifiedToken,
    context: RequestContext,
  ): Steps<'current' | 'replaced' | JwksAuthError> {
    const { kid, alg } = verified.header
    const found = verified.provider.registered.cache.findKeys(kid, alg, context.now, context.asks)
    context.asks = 'again'
    const keys = yield* wait(context, found)
    context.hasWaitedSinceKey = false
    if (keys instanceof JwksAuthError) return keys
    // Not by object alone: keys that were dropped from memory come back as other objects.
    const same = keys.find((key) => key === verified.key || key.identity === verified.key.identity)
    if (same === undefined) return 'replaced'
    verified.key = same
    return 'current'
  }

  /** Verifies a token for a tenant. */
  function* verify(
    token: ParsedToken,
    tenant: Tenant<AuthProvider> | undefined,
    tenantName: unknown,
    context: RequestContext,
  ): Steps<VerificationResult<Claims>> {
    const provider = selectProvider(tenant, tenantName, token.payload)
    if (provider instanceof RequestRefusedError) {
      reportIssuer(tenant, issuerOf(token.payload))
      return provider
    }
    context.origin = provider.registered.key
    const refusal = checkToken(token, provider, context.now.wall)
    if (refusal !== undefined) return refusal

    // Each request waits for keys by itself, within its own time limit: the cache shares the fetch.
    const askedAt = context.now
    const { kid, alg } = token.header
    const finding = provider.registered.cache.findKeys(kid, alg, askedAt, context.asks)
    context.asks = 'again'
    const keys = yield* wait(context, finding)
    context.hasWaitedSinceKey = false
    if (keys instanceof JwksAuthError) return keys

    // Treat a verification by a concurrent request, over or in flight, as a cache hit.
    const cached = tokens?.find(token.text)
    const other = cached?.provider === provider ? cached : tokens?.inFlight(token.text, provider)
    if (other !== undefined) {
      const result = yield* wait<VerifiedToken | VerificationResult<Claims>>(context, other)
      if (!(result instanceof JwksAuthError)) {
        const accepted = yield* reuseAfterWaiting('verified' in result ? result.verified : result, context)
        if (accepted !== undefined) return accepted
      } else if (!(result instanceof KeysUnavailableError)) {
        return result
      }
      // The key has changed since, or the other request's time limit was over: this request goes on by itself.
    }

    const bytes = bytesOf(token)
    const verification = runSteps(verifyWith({ keys, askedAt }, provider, token, bytes, context))
    if (isThenable(verification) && Number.isFinite(bytes)) tokens?.share(token.text, provider, verification)
    return yield* wait(context, verification)
  }

  /** Verifies the signature of a token whose claims are in order, applies the schema and calls `validate`. */
  function* verifyWith(
    found: FoundSigningKeys,
    provider: AuthProvider,
    token: ParsedToken,
    bytes: number,
    context: RequestContext,
  ): Steps<VerificationResult<Claims>> {
    const key = yield* findSigningKey(found, token, provider.registered.cache, context)
    if (key instanceof JwksAuthError) return key
    provider.registered.cache.signatureVerified(key)
    const output = schema === undefined ? token.payload : yield* applySchema(inputFor(token, bytes), context)
    if (output instanceof ClaimsRejectedError) return output
    const verified = createVerifiedToken(token, provider, key, output, { bytes, scopes: scopesOf(token.payload) })
    // Without a schema `Claims` is AccessTokenClaims, of which `iss` and `exp` were checked.
    const auth = authFor(verified, (schema === undefined ? claimsFor(verified) : output) as Claims)
    if (validate !== undefined && !isAccepted(yield* wait(context, validate(auth as Auth<never>)))) {
      return new TokenRejectedError()
    }
    if (verified.isCloneable) {
      headers.set(token)
      tokens?.add(verified)
    }
    return { verified, auth }
  }

  function* applySchema(input: unknown, context: RequestContext): Steps<unknown> {
    if (schema === undefined) return input
    const result = schemaOutput(yield* wait<unknown>(context, schema['~standard'].validate(input)))
    return result instanceof ClaimsRejectedError ? result : result.claims
  }

  /** Why a token is refused that was accepted before something was waited for. */
  function* recheck(verified: VerifiedToken, context: RequestContext): Steps<JwksAuthError | undefined> {
    const ended = hasEnded(verified, context)
    if (ended !== undefined || hasCurrentKey(verified, context)) return ended
    const state = yield* findKeyAgain(verified, context)
    if (state === 'replaced') return new KeyNotFoundError()
    return state === 'current' ? hasEnded(verified, context) : state
  }

  /** Why a verified token is no longer accepted, its key aside. */
  function hasEnded(verified: VerifiedToken, { now }: RequestContext): JwksAuthError | undefined {
    if (isClosed || registry.closed.aborted) return new RegistryClosedError()
    return verified.provider.registered.isRemoved ? new IssuerNotAllowedError() : checkValidity(verified, now.wall)
  }

  function run(
    request: AuthRequest,
    given: GivenToken | undefined,
  ): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>> {
    const context: RequestContext = {
      request,
      given,
      clock,
      now: instant(clock),
      hasWaitedSinceKey: false,
      stage: 'before-tenant',
      found: undefined,
      isTraced: false,
      asks: 'first',
      origin: undefined,
    }
    // Refusals are returned; whatever is thrown comes from a callback of the application.
    try {
      const outcome = runSteps(authenticate(context))
      return isThenable(outcome) ? outcome.catch(throwCallbackError) : outcome
    } catch (thrown) {
      return throwCallbackError(thrown)
    }
  }

  return {
    authenticate: (request) => run(request, undefined),
    // `auth` is there: a token that is given is required, whatever `credentialsRequired` says.
    verify: (given) => run(NO_REQUEST, given) as VerifyOutcome<Claims> | Promise<VerifyOutcome<Claims>>,
    refuse: (error, request, auth) =>
      fail(error, {
        request,
        stage: 'tenant-known',
        origin: auth && { tenant: auth.tenant, provider: auth.provider },
      }),
    close() {
      isClosed = true
      tokens?.close()
    },
  }
}
