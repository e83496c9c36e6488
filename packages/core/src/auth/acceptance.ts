import type { AuthRequest } from '../base/auth-request.ts'
import type { Clock } from '../base/clock.ts'
import {
  AlgorithmNotAllowedError,
  IssuerNotAllowedError,
  KeyNotFoundError,
  KeyRevokedError,
  TenantNotDeterminedError,
  TenantUnknownError,
} from '../base/errors/request-errors.ts'
import { isIdentifier } from '../base/options.ts'
import type { VerificationKey } from '../keys/verification-key.ts'
import type { TenantDirectory } from '../tenants/tenant-directory.ts'
import type { Auth } from './auth.ts'
import { askIsRevoked, askSchema } from './callbacks.ts'
import type { CheckedAuthOptions } from './check-auth-options.ts'
import { checkClaims, checkType } from './check-claims.ts'
import { type FirstUse, verifyFirst } from './first-use.ts'
import type { AuthOutcome, AuthRefusal } from './outcome.ts'
import type { ParsedToken } from './parse-token.ts'
import type { AuthProvider } from './provider-table.ts'
import type { TokenCache } from './token-cache.ts'
import { holdsAt } from './token-times.ts'
import { authFor, claimsFor, type VerifiedToken } from './verified-token.ts'

/** Headers for the application's answer, if there are any. */
type AnswerHeaders = Readonly<Record<string, string>> | undefined

type Outcome<Claims> = AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>

/** A token of which it is to be decided: taken apart only, or verified before. */
export type TokenInQuestion = ParsedToken | VerifiedToken

/** Decides whether a token is accepted for a request of a tenant. */
export interface Acceptance<Claims> {
  /** What is known of a token, if that may still be so: verified, of a provider that is there, and within its times. */
  recall(text: string): VerifiedToken | undefined
  /** Accepts a token or refuses it; a promise only where there is something to wait for. */
  accept(
    token: TokenInQuestion,
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
}

/** What it takes to decide. */
export interface AcceptanceParts<Claims> {
  readonly clock: Clock
  readonly directory: TenantDirectory<AuthProvider>
  /** Absent where nothing is kept. */
  readonly tokens: TokenCache<FirstUse<Claims>> | undefined
  readonly callbacks: Pick<CheckedAuthOptions, 'claims' | 'validate' | 'isRevoked'>
  /** Reads and checks what can be checked of any token; throws the refusal. */
  readToken(text: string): ParsedToken
  /** Refuses, or throws what is not ours to answer. */
  refuseThrown(error: unknown): AuthRefusal
}

/** The decision for one authenticator. */
export function createAcceptance<Claims>({
  clock,
  directory,
  tokens,
  callbacks,
  readToken,
  refuseThrown,
}: AcceptanceParts<Claims>): Acceptance<Claims> {
  const { claims: schema, validate, isRevoked } = callbacks
  const keep = tokens === undefined ? undefined : (verified: VerifiedToken): void => tokens.add(verified)

  function isCurrent({ times, provider }: VerifiedToken): boolean {
    return holdsAt(times, clock.now()) && !provider.registered.isRemoved
  }

  function recall(text: string): VerifiedToken | undefined {
    const verified = tokens?.find(text)
    if (verified === undefined || isCurrent(verified)) return verified
    tokens?.drop(verified)
    return undefined
  }

  function findProvider(token: ParsedToken, tenantName: unknown): AuthProvider {
    if (!isIdentifier(tenantName)) throw new TenantNotDeterminedError()
    const tenant = directory.find(tenantName)
    if (tenant === undefined) throw new TenantUnknownError()
    const provider = tenant.byIssuer.get(token.payload['iss'] as string)
    if (provider === undefined || provider.registered.isRemoved) throw new IssuerNotAllowedError()
    return provider
  }

  function accept(
    token: TokenInQuestion,
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Outcome<Claims> {
    if (!('times' in token)) return verify(token, tenantName, request, headers)
    const { issuer, provider } = token
    const isOfTenant = typeof tenantName === 'string' && directory.find(tenantName)?.byIssuer.get(issuer) === provider
    // Otherwise it is another tenant's question, to which what is known is no answer.
    return (isOfTenant ? recognize : verifyText)(token, tenantName, request, headers)
  }

  /** The same question that a first use asks, so that keys count as used, are refreshed and waited for alike. */
  function recognize(
    verified: VerifiedToken,
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Outcome<Claims> {
    const { kid, alg } = verified.header
    let keys: readonly VerificationKey[] | Promise<readonly VerificationKey[]>
    try {
      keys = verified.provider.registered.cache.find(kid, alg, clock.now())
    } catch (error) {
      return refuseKnown(verified, error)
    }
    if (!(keys instanceof Promise)) return confirm(verified, keys, tenantName, request, headers)
    return keys.then(
      (awaited) =>
        isCurrent(verified)
          ? confirm(verified, awaited, tenantName, request, headers)
          : verifyAnew(verified, tenantName, request, headers),
      (error: unknown) => refuseKnown(verified, error),
    )
  }

  function refuseKnown(verified: VerifiedToken, error: unknown): AuthRefusal {
    // Not so for keys that cannot be had at the moment: when they are back, the token is as good as before.
    if (error instanceof KeyNotFoundError || error instanceof KeyRevokedError) tokens?.drop(verified)
    return refuseThrown(error)
  }

  function confirm(
    verified: VerifiedToken,
    keys: readonly VerificationKey[],
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Outcome<Claims> {
    return isAmong(keys, verified.key)
      ? admitVerified(verified, request, headers)
      : verifyAnew(verified, tenantName, request, headers)
  }

  function verifyAnew(
    verified: VerifiedToken,
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Outcome<Claims> {
    tokens?.drop(verified)
    return verifyText(verified, tenantName, request, headers)
  }

  function verifyText(
    { text }: VerifiedToken,
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Outcome<Claims> {
    let token: ParsedToken
    try {
      token = readToken(text)
    } catch (error) {
      return refuseThrown(error)
    }
    return verify(token, tenantName, request, headers)
  }

  function verify(
    token: ParsedToken,
    tenantName: unknown,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Outcome<Claims> {
    const askedAt = clock.now()
    let provider: AuthProvider
    try {
      provider = findProvider(token, tenantName)
      if (!provider.algorithms.has(token.header.alg)) throw new AlgorithmNotAllowedError()
      checkType(token.header.typ, provider.rules)
      checkClaims(token.payload, provider.rules, askedAt)
    } catch (error) {
      return refuseThrown(error)
    }
    return (
      tokens?.underWay(token.token, provider)?.then(
        // What another request has found out is to this one what was found out before.
        ({ verified }) =>
          verified === undefined
            ? verifyAlone(token, provider, askedAt, request, headers)
            : recognize(verified, tenantName, request, headers),
        refuseThrown,
      ) ?? verifyAlone(token, provider, askedAt, request, headers)
    )
  }

  function verifyAlone(
    token: ParsedToken,
    provider: AuthProvider,
    askedAt: number,
    request: AuthRequest,
    headers: AnswerHeaders,
  ): Promise<AuthOutcome<Claims>> {
    const done = verifyFirst<Claims>(token, provider, askedAt, { schema, validate, keep })
    tokens?.share(token.token, provider, done)
    return done.then(({ auth }) => admit(auth, request, headers), refuseThrown)
  }

  function admitVerified(verified: VerifiedToken, request: AuthRequest, headers: AnswerHeaders): Outcome<Claims> {
    const claims = claimsFor(verified)
    if (verified.isFinal || schema === undefined) return admit(authFor(verified, claims as Claims), request, headers)
    let output: unknown
    try {
      output = askSchema(schema, claims)
    } catch (error) {
      return refuseThrown(error)
    }
    if (!(output instanceof Promise)) return admit(authFor(verified, output as Claims), request, headers)
    return output.then((awaited: Claims) => admit(authFor(verified, awaited), request, headers), refuseThrown)
  }

  function admit(auth: Auth<Claims>, request: AuthRequest, headers: AnswerHeaders): Outcome<Claims> {
    const outcome: AuthOutcome<Claims> = headers === undefined ? { ok: true, auth } : { ok: true, auth, headers }
    if (isRevoked === undefined) return outcome
    let waiting: unknown
    try {
      waiting = askIsRevoked(isRevoked, auth, request)
    } catch (error) {
      return refuseThrown(error)
    }
    return waiting instanceof Promise ? waiting.then(() => outcome, refuseThrown) : outcome
  }

  return { recall, accept }
}

/** By what the key is and not by which object: keys that were dropped from memory come back as others. */
function isAmong(keys: readonly VerificationKey[], key: VerificationKey): boolean {
  for (const candidate of keys) if (candidate === key || candidate.identity === key.identity) return true
  return false
}
