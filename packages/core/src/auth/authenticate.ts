import type { AuthRequest } from '../base/auth-request.ts'
import { type Clock, type Instant, instant } from '../base/clock.ts'
import { ClaimsRejectedError, TokenRejectedError, TokenRevokedError } from '../base/errors/claim-errors.ts'
import { JwksAuthError, RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import { RegistryClosedError } from '../base/errors/registry-errors.ts'
import {
  AlgorithmNotAllowedError,
  AuthorizationMalformedError,
  IssuerNotAllowedError,
  KeyNotFoundError,
  KeyRevokedError,
  SignatureInvalidError,
  TokenMissingError,
} from '../base/errors/request-errors.ts'
import { runSteps, type Steps } from '../base/steps.ts'
import { isThenable } from '../base/thenable.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { Auth } from './auth.ts'
import { type AuthProvider, type AuthProviders, selectProvider } from './auth-providers.ts'
import { callbackError, isAccepted, isRefused, schemaOutput } from './callbacks.ts'
import type { CheckedAuthOptions } from './check-auth-options.ts'
import { checkBasicClaims, checkToken, checkValidity, issuerOf } from './check-claims.ts'
import { vouchesForIssuer } from './key-issuer.ts'
import { createHeaderCache, type ParsedToken, parseToken } from './parse-token.ts'
import { type AuthOutcome, type AuthRefusal, refusalResponse, type Stage } from './refusal.ts'
import { createTokenCache } from './token-cache.ts'
import { type FoundToken, findToken, isBearerToken } from './token-sources.ts'
import { authFor, bytesOf, claimsFor, createVerifiedToken, inputFor, type VerifiedToken } from './verified-token.ts'
import { createSignatureCheck } from './verify-signature.ts'

/** Authenticates requests by the options of one authenticator. */
export interface Authentication<Claims> {
  /**
   * Authenticates a request; a promise only where something has to be waited for. Throws or rejects only with what a
   * callback of the application threw.
   */
  authenticate(request: AuthRequest): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
  /** The refusal for an error of a guard. */
  refuse(error: JwksAuthError): AuthRefusal
  /** Drops the cached tokens; every request is refused afterwards, also those that are waiting. */
  close(): void
}

/** What requests are authenticated with. */
export interface AuthenticationParts {
  readonly clock: Clock
  readonly registry: { isClosed(): boolean }
  readonly options: CheckedAuthOptions
  readonly providers: AuthProviders
  /** The tenant of a request: an identifier, or what a callback returned, perhaps a promise. */
  readonly resolveTenant: (request: AuthRequest, issuer: string) => unknown
}

/** One request in the course of its authentication. */
interface RequestContext {
  readonly request: AuthRequest
  /** The current time: when the request began, or the end of the last wait. */
  now: Instant
  /** True where something was waited for since keys were found: the key may be withdrawn or revoked. */
  hasWaitedSinceKey: boolean
  stage: Stage
  isPrivate: boolean
}

/** A token verified for one request, and the cache entry for later ones. */
interface Verification<Claims> {
  readonly verified: VerifiedToken
  readonly auth: Auth<Claims>
}

type VerificationResult<Claims> = Verification<Claims> | JwksAuthError

/** RFC 6750 §2.3. */
const PRIVATE: Readonly<Record<string, string>> = Object.freeze({ 'cache-control': 'private' })

/** Creates the authentication of one authenticator. */
export function createAuthentication<Claims>(parts: AuthenticationParts): Authentication<Claims> {
  const { clock, registry, options, providers, resolveTenant } = parts
  const { challenge, credentialsRequired, maxTokenBytes, sources, claims: schema, validate, isRevoked } = options
  const { directory } = providers
  // What every provider refuses is refused before the token's provider is known.
  const algorithms = new Set(providers.all.flatMap((provider) => [...provider.algorithms]))
  const clockTolerance = Math.max(...new Set(providers.all.map(({ rules }) => rules.clockTolerance)))
  const tokens =
    options.tokenCache === undefined ? undefined : createTokenCache<VerificationResult<Claims>>(options.tokenCache)
  const headers = createHeaderCache()
  const checkSignature = createSignatureCheck()
  let isClosed = false

  /** The one way to refuse a request. */
  function fail(error: JwksAuthError, stage: Stage): AuthRefusal {
    return { ok: false, error, response: refusalResponse(error, challenge, stage) }
  }

  /** Waits for a value if it is a promise, and notes that time has passed. */
  function* wait<Value>(context: RequestContext, value: Value | PromiseLike<Value>): Steps<Value> {
    if (!isThenable(value)) return value
    // What `runSteps` hands back is what the promise resolved with.
    const result = (yield value) as Value
    context.now = instant(clock)
    context.hasWaitedSinceKey = true
    return result
  }

  /** The whole of authentication, from top to bottom. */
  function* authenticate(context: RequestContext): Steps<AuthOutcome<Claims>> {
    const { request } = context
    if (isClosed || registry.isClosed()) return fail(new RegistryClosedError(), context.stage)

    // 1. Extract the token.
    const found = yield* wait(context, runSteps(findToken(request, sources, maxTokenBytes)))
    if (found instanceof RequestRefusedError) return fail(found, context.stage)
    if (found === undefined) {
      return credentialsRequired ? fail(new TokenMissingError(), context.stage) : { ok: true, auth: undefined }
    }
    context.isPrivate = found.isPrivate

    // 2. Find it in the token cache, or parse it and check what holds for every provider.
    const hit = findCached(found.text, context.now.wall)
    const parsed = hit === undefined ? readToken(found, context.now.wall) : undefined
    if (parsed instanceof RequestRefusedError) return fail(parsed, context.stage)

    // 3. Find out the tenant, on each request: it depends on the request, not on the token alone.
    const issuer = hit?.issuer ?? (parsed === undefined ? '' : issuerOf(parsed.payload))
    const tenantName = yield* wait(context, resolveTenant(request, issuer))
    context.stage = 'tenant-known'

    // 4. Accept a cached token, unless it is another tenant's or its key has changed.
    if (hit !== undefined && hit.tenant === tenantName) {
      const outcome = yield* acceptCached(hit, context)
      if (outcome !== undefined) return outcome
    }
    const token = parsed ?? readToken(found, context.now.wall)
    if (token instanceof RequestRefusedError) return fail(token, context.stage)

    // 5. Select the provider by issuer, and check the claims by its rules.
    const provider = selectProvider(directory, tenantName, token.payload)
    if (provider instanceof RequestRefusedError) return fail(provider, context.stage)
    const refusal = checkToken(token, provider, context.now.wall)
    if (refusal !== undefined) return fail(refusal, context.stage)

    // 6. Treat a concurrent request's verification as a cache hit.
    const inFlight = tokens?.inFlight(token.text, provider)
    if (inFlight !== undefined) {
      const other = yield* wait(context, inFlight)
      if (other instanceof JwksAuthError) return fail(other, context.stage)
      const outcome = yield* acceptCached(other.verified, context)
      if (outcome !== undefined) return outcome
    }

    // 7. Verify the signature and run the callbacks that see a token once.
    const bytes = bytesOf(token)
    const verifying = runSteps(verify(token, provider, bytes, context))
    if (isThenable(verifying) && Number.isFinite(bytes)) tokens?.share(token.text, provider, verifying)
    const verification = yield* wait(context, verifying)
    if (verification instanceof JwksAuthError) return fail(verification, context.stage)

    // 8. Run the callback that sees each request.
    return yield* authorize(verification.verified, verification.auth, context)
  }

  function findCached(text: string, now: number): VerifiedToken | undefined {
    const verified = tokens?.find(text)
    if (verified === undefined || checkValidity(verified, now) === undefined) return verified
    tokens?.drop(verified)
    return undefined
  }

  /** Parses a token, and checks what can be checked before its provider is known. */
  function readToken({ text, isFromHeader }: FoundToken, now: number): ParsedToken | RequestRefusedError {
    const token = parseToken(text, headers)
    if (token instanceof RequestRefusedError) {
      if (!isFromHeader || isBearerToken(text)) return token
      return new AuthorizationMalformedError('the Authorization header is not "Bearer" and one token')
    }
    if (!algorithms.has(token.header.alg)) return new AlgorithmNotAllowedError()
    return checkBasicClaims(token.payload, now, clockTolerance) ?? token
  }

  /** Accepts or refuses a verified token; `undefined` where it must be verified anew. */
  function* acceptCached(verified: VerifiedToken, context: RequestContext): Steps<AuthOutcome<Claims> | undefined> {
    const state = hasEnded(verified, context) === undefined ? yield* checkKey(verified, context) : 'ended'
    if (state instanceof JwksAuthError) {
      // Where keys are unavailable the entry stays: it is as good as before once they are back.
      if (state instanceof KeyNotFoundError || state instanceof KeyRevokedError) tokens?.drop(verified)
      return fail(state, context.stage)
    }
    if (state !== 'current' || hasEnded(verified, context) !== undefined) {
      tokens?.drop(verified)
      return undefined
    }
    const input = claimsFor(verified)
    const claims = verified.needsSchema ? yield* applySchema(input, context) : input
    if (claims instanceof ClaimsRejectedError) return fail(claims, context.stage)
    // Without a schema `Claims` is AccessTokenClaims, of which `iss` and `exp` were checked.
    return yield* authorize(verified, authFor(verified, claims as Claims), context)
  }

  /**
   * Whether the key that verified a token may be used now. Asks the provider's cache as for a new token, so that keys count
   * as used, are refreshed and are waited for in the same way.
   */
  function* checkKey(verified: VerifiedToken, context: RequestContext): Steps<'current' | 'replaced' | JwksAuthError> {
    const { cache } = verified.provider.registered
    if (cache.hasCurrentKey(verified.key, context.now)) {
      context.hasWaitedSinceKey = false
      return 'current'
    }
    const { kid, alg } = verified.header
    const keys = yield* wait(context, cache.findKeys(kid, alg, context.now))
    context.hasWaitedSinceKey = false
    if (keys instanceof JwksAuthError) return keys
    // Not by object alone: keys that were dropped from memory come back as other objects.
    const same = keys.find((key) => key === verified.key || key.identity === verified.key.identity)
    if (same === undefined) return 'replaced'
    verified.key = same
    return 'current'
  }

  /** Verifies the signature of a token whose claims are in order, applies the schema and calls `validate`. */
  function* verify(
    token: ParsedToken,
    provider: AuthProvider,
    bytes: number,
    context: RequestContext,
  ): Steps<VerificationResult<Claims>> {
    const key = yield* findSigningKey(token, provider, context)
    if (key instanceof JwksAuthError) return key
    provider.registered.cache.signatureVerified(key)
    const output = schema === undefined ? token.payload : yield* applySchema(inputFor(token, bytes), context)
    if (output instanceof ClaimsRejectedError) return output
    const verified = createVerifiedToken(token, provider, key, output, bytes)
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

  /** The key that verifies a token's signature, or why there is none. */
  function* findSigningKey(
    token: ParsedToken,
    provider: AuthProvider,
    context: RequestContext,
  ): Steps<VerificationKey | JwksAuthError> {
    const { cache } = provider.registered
    const { kid, alg } = token.header
    const askedAt = context.now
    const keys = yield* wait(context, cache.findKeys(kid, alg, askedAt))
    context.hasWaitedSinceKey = false
    if (keys instanceof JwksAuthError) return keys
    const signer = yield* signerAmong(keys, token, cache, context)
    if (signer !== undefined) return signer
    // The provider may have published new material under the same `kid`: one more search, within the refetch budget.
    const others = yield* wait(context, cache.findOtherKeys(kid, alg, keys, askedAt))
    context.hasWaitedSinceKey = false
    if (others instanceof JwksAuthError) return others
    const other = others.length === 0 ? undefined : yield* signerAmong(others, token, cache, context)
    return other ?? new SignatureInvalidError()
  }

  /** The one of these keys that verifies the signature; `undefined` if none does, an error if none may be used. */
  function* signerAmong(
    keys: readonly VerificationKey[],
    token: ParsedToken,
    cache: ProviderCache,
    context: RequestContext,
  ): Steps<VerificationKey | KeyNotFoundError | undefined> {
    let isAnyUsable = false
    for (const key of keys) {
      if (!vouchesForIssuer(key, token.payload)) continue
      const imported = cache.importKey(key, token.header.alg)
      if (imported === undefined) continue
      isAnyUsable = true
      if (yield* wait(context, checkSignature(imported, token))) return key
    }
    return isAnyUsable ? undefined : new KeyNotFoundError()
  }

  /** Calls `isRevoked`, and checks again what may have changed meanwhile. */
  function* authorize(
    verified: VerifiedToken,
    auth: Auth<Claims>,
    context: RequestContext,
  ): Steps<AuthOutcome<Claims>> {
    if (isRevoked !== undefined) {
      const answer = yield* wait(context, isRevoked(auth as Auth<never>, context.request))
      if (isRefused(answer)) return fail(new TokenRevokedError(), context.stage)
    }
    const refusal = yield* recheck(verified, context)
    if (refusal !== undefined) return fail(refusal, context.stage)
    return context.isPrivate ? { ok: true, auth, headers: PRIVATE } : { ok: true, auth }
  }

  /** Checks again what may have changed while something was waited for. */
  function* recheck(verified: VerifiedToken, context: RequestContext): Steps<JwksAuthError | undefined> {
    const ended = hasEnded(verified, context)
    if (ended !== undefined || !context.hasWaitedSinceKey) return ended
    const state = yield* checkKey(verified, context)
    if (state === 'current') return hasEnded(verified, context)
    return state === 'replaced' ? new KeyNotFoundError() : state
  }

  /** Why a verified token is no longer accepted, its key aside. */
  function hasEnded(verified: VerifiedToken, { now }: RequestContext): JwksAuthError | undefined {
    if (isClosed || registry.isClosed()) return new RegistryClosedError()
    return verified.provider.registered.isRemoved ? new IssuerNotAllowedError() : checkValidity(verified, now.wall)
  }

  /** Errors that are returned are refusals; whatever is thrown comes from a callback of the application. */
  function* normalizeErrors(steps: Steps<AuthOutcome<Claims>>): Steps<AuthOutcome<Claims>> {
    try {
      return yield* steps
    } catch (thrown) {
      throw callbackError(thrown)
    }
  }

  return {
    authenticate(request) {
      const now = instant(clock)
      const context: RequestContext = {
        request,
        now,
        hasWaitedSinceKey: false,
        stage: 'before-tenant',
        isPrivate: false,
      }
      return runSteps(normalizeErrors(authenticate(context)))
    },
    refuse: (error) => fail(error, 'tenant-known'),
    close() {
      isClosed = true
      tokens?.close()
    },
  }
}
