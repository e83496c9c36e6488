import type { AuthRequest } from '../base/auth-request.ts'
import { type Clock, type Instant, instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeyNotFoundError, KeyRevokedError } from '../base/errors/request-errors.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { TenantDirectory } from '../tenants/tenant-directory.ts'
import type { Auth } from './auth.ts'
import { askIsRevoked, askSchema } from './callbacks.ts'
import type { CheckedAuthOptions } from './check-auth-options.ts'
import { type FirstUse, verifyFirst } from './first-use.ts'
import type { AuthOutcome, AuthRefusal } from './outcome.ts'
import type { ParsedToken } from './parse-token.ts'
import { findProvider, objectionTo } from './provider-choice.ts'
import type { AuthProvider } from './provider-table.ts'
import type { TokenCache } from './token-cache.ts'
import { holdsAt } from './token-times.ts'
import { authFor, claimsFor, type VerifiedToken } from './verified-token.ts'

/** What one request asks. */
export interface Question {
  /** What the resolver said. */
  readonly tenantName: unknown
  readonly request: AuthRequest
  /** Headers for the application's answer, if there are any. */
  readonly headers: Readonly<Record<string, string>> | undefined
  /** When it began to wait. */
  readonly askedAt: Instant
}

type Outcome<Claims> = AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>

/** A token of which it is to be decided: taken apart only, or verified before. */
export type TokenInQuestion = ParsedToken | VerifiedToken

/** True for one that was verified before. */
export function isVerified(token: TokenInQuestion): token is VerifiedToken {
  return 'authorization' in token
}

/** Decides whether a token is accepted for a request of a tenant. */
export interface Acceptance<Claims> {
  /** What is known of a token that was verified and is within its times. */
  recall(token: string, now: number): VerifiedToken | undefined
  /** The same of the token in an `Authorization` header that is `Bearer`, a space and the token. */
  recallBearer(authorization: string, now: number): VerifiedToken | undefined
  /**
   * Accepts a token that was recalled at this very time, if there is nothing to find out about it. That is what most
   * requests come to, so it makes no {@link Question}. Where it is `undefined`, {@link accept} decides.
   */
  acceptAtOnce(
    token: VerifiedToken,
    tenantName: unknown,
    request: AuthRequest,
    headers: Question['headers'],
    now: Instant,
  ): Outcome<Claims> | undefined
  /** Accepts a token or refuses it; a promise only where there is something to wait for. */
  accept(token: TokenInQuestion, question: Question): Outcome<Claims>
}

/** What it takes to decide. */
export interface AcceptanceParts<Claims> {
  readonly clock: Clock
  readonly directory: TenantDirectory<AuthProvider>
  /** Absent where nothing is kept. */
  readonly tokens: TokenCache<FirstUse<Claims>> | undefined
  readonly callbacks: Pick<CheckedAuthOptions, 'claims' | 'validate' | 'isRevoked'>
  /** Told of each token whose signature was verified. */
  learn(token: ParsedToken): void
  /** Reads a token and checks what can be checked of any; returns the objection, or throws it. */
  readToken(text: string, now: number): ParsedToken | JwksAuthError
  /** Refuses for an error of ours. */
  refuse(error: JwksAuthError): AuthRefusal
  /** Refuses, or throws what is not ours to answer. */
  refuseThrown(error: unknown): AuthRefusal
}

/** The decision for one authenticator. */
export function createAcceptance<Claims>({
  clock,
  directory,
  tokens,
  callbacks,
  learn,
  readToken,
  refuse,
  refuseThrown,
}: AcceptanceParts<Claims>): Acceptance<Claims> {
  const { claims: schema, validate, isRevoked } = callbacks
  const keep = tokens === undefined ? undefined : (verified: VerifiedToken): void => tokens.add(verified)

  function isCurrent(verified: VerifiedToken, now: number): boolean {
    return holdsAt(verified, now) && !verified.provider.registered.isRemoved
  }

  function ifHolding(verified: VerifiedToken | undefined, now: number): VerifiedToken | undefined {
    if (verified === undefined || holdsAt(verified, now)) return verified
    tokens?.drop(verified)
    return undefined
  }

  function accept(token: TokenInQuestion, question: Question): Outcome<Claims> {
    if (!isVerified(token)) return verify(token, question, question.askedAt.wall)
    // Otherwise it is another tenant's question, to which what is known is no answer.
    if (question.tenantName !== token.tenant) return verifyText(token.text, question)
    // Finding out the tenant may have taken its time.
    if (!isCurrent(token, question.askedAt.wall)) return renew(token, question)
    return recognize(token, question, question.askedAt)
  }

  /** Asks for the key as a first use does, so that keys count as used, are refreshed and waited for alike. */
  function recognize(verified: VerifiedToken, question: Question, now: Instant): Outcome<Claims> {
    const { cache } = verified.provider.registered
    if (cache.hasCurrentKey(verified.key, now)) return admitVerified(verified, question.request, question.headers)
    const { kid, alg } = verified.header
    const keys = cache.findKeys(kid, alg, question.askedAt)
    if (keys instanceof Error) return refuseKnown(verified, keys)
    if (!(keys instanceof Promise)) return confirm(verified, keys, question)
    return keys.then((awaited) => {
      if (awaited instanceof Error) return refuseKnown(verified, awaited)
      return isCurrent(verified, clock.now()) ? confirm(verified, awaited, question) : renew(verified, question)
    })
  }

  function refuseKnown(verified: VerifiedToken, error: unknown): AuthRefusal {
    // Not so for keys that cannot be had at the moment: when they are back, the token is as good as before.
    if (error instanceof KeyNotFoundError || error instanceof KeyRevokedError) tokens?.drop(verified)
    return refuseThrown(error)
  }

  function confirm(verified: VerifiedToken, keys: readonly VerificationKey[], question: Question): Outcome<Claims> {
    const key = sameAmong(keys, verified.key)
    if (key === undefined) return renew(verified, question)
    verified.key = key
    return admitVerified(verified, question.request, question.headers)
  }

  /** What was known no longer counts. */
  function renew(verified: VerifiedToken, question: Question): Outcome<Claims> {
    tokens?.drop(verified)
    return verifyText(verified.text, question)
  }

  function verifyText(text: string, question: Question): Outcome<Claims> {
    const now = clock.now()
    let token: ParsedToken | JwksAuthError
    try {
      token = readToken(text, now)
    } catch (error) {
      return refuseThrown(error)
    }
    return token instanceof JwksAuthError ? refuse(token) : verify(token, question, now)
  }

  function verify(token: ParsedToken, question: Question, now: number): Outcome<Claims> {
    const provider = findProvider(directory, question.tenantName, token)
    if (provider instanceof JwksAuthError) return refuse(provider)
    const objection = objectionTo(token, provider, now)
    if (objection !== undefined) return refuse(objection)
    const underWay = tokens?.underWay(token.token, provider)
    if (underWay === undefined) return verifyFor(token, provider, question)
    return underWay.then(({ verified }) => {
      if (verified === undefined) return verifyFor(token, provider, question)
      // What another request has found out is to this one what was found out before.
      const later = instant(clock)
      return isCurrent(verified, later.wall) ? recognize(verified, question, later) : renew(verified, question)
    }, refuseThrown)
  }

  function verifyFor(token: ParsedToken, provider: AuthProvider, question: Question): Outcome<Claims> {
    const { askedAt } = question
    // Before there is a promise: a flood of unknown `kid`s is refused here.
    const keys = provider.registered.cache.findKeys(token.header.kid, token.header.alg, askedAt)
    if (keys instanceof Error) return refuse(keys)
    const done = verifyFirst<Claims>(token, provider, keys, askedAt, { schema, validate, keep })
    tokens?.share(token.token, provider, done)
    return done.then(
      ({ auth }) => {
        tokens?.unshare(token.token, done)
        learn(token)
        return admit(auth, question.request, question.headers)
      },
      (error: unknown) => {
        tokens?.unshare(token.token, done)
        return refuseThrown(error)
      },
    )
  }

  function admitVerified(verified: VerifiedToken, request: AuthRequest, headers: Question['headers']): Outcome<Claims> {
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

  function admit(auth: Auth<Claims>, request: AuthRequest, headers: Question['headers']): Outcome<Claims> {
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

  return {
    recall: (token, now) => ifHolding(tokens?.find(token), now),
    recallBearer: (authorization, now) => ifHolding(tokens?.findBearer(authorization), now),
    acceptAtOnce(verified, tenantName, request, headers, now) {
      if (tenantName !== verified.tenant) return undefined
      const { cache } = verified.provider.registered
      return cache.hasCurrentKey(verified.key, now) ? admitVerified(verified, request, headers) : undefined
    },
    accept,
  }
}

/** By what the key is and not by which object: keys that were dropped from memory come back as others. */
function sameAmong(keys: readonly VerificationKey[], key: VerificationKey): VerificationKey | undefined {
  return keys.find((candidate) => candidate === key || candidate.identity === key.identity)
}
