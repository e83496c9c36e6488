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

/** What one request asks. */
export interface Question {
  /** What the resolver said. */
  readonly tenantName: unknown
  readonly request: AuthRequest
  /** Headers for the application's answer, if there are any. */
  readonly headers: Readonly<Record<string, string>> | undefined
  /** When it began to wait, in milliseconds since the epoch. */
  readonly askedAt: number
}

type Outcome<Claims> = AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>

/** A token of which it is to be decided: taken apart only, or verified before. */
export type TokenInQuestion = ParsedToken | VerifiedToken

/** Decides whether a token is accepted for a request of a tenant. */
export interface Acceptance<Claims> {
  /** What is known of a token, if that may still be so: verified, of a provider that is there, and within its times. */
  recall(text: string, now: number): VerifiedToken | undefined
  /** Accepts a token or refuses it; a promise only where there is something to wait for. */
  accept(token: TokenInQuestion, question: Question): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
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
  /** Reads and checks what can be checked of any token; throws the refusal. */
  readToken(text: string, now: number): ParsedToken
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
  refuseThrown,
}: AcceptanceParts<Claims>): Acceptance<Claims> {
  const { claims: schema, validate, isRevoked } = callbacks
  const keep = tokens === undefined ? undefined : (verified: VerifiedToken): void => tokens.add(verified)

  function isCurrent({ times, provider }: VerifiedToken, now: number): boolean {
    return holdsAt(times, now) && !provider.registered.isRemoved
  }

  function recall(text: string, now: number): VerifiedToken | undefined {
    const verified = tokens?.find(text)
    if (verified === undefined || isCurrent(verified, now)) return verified
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

  function accept(token: TokenInQuestion, question: Question): Outcome<Claims> {
    if (!('times' in token)) return verify(token, question)
    const { issuer, provider } = token
    const { tenantName } = question
    const isOfTenant = typeof tenantName === 'string' && directory.find(tenantName)?.byIssuer.get(issuer) === provider
    // Otherwise it is another tenant's question, to which what is known is no answer.
    return isOfTenant ? recognize(token, question) : verifyText(token.text, question)
  }

  /** The same question that a first use asks, so that keys count as used, are refreshed and waited for alike. */
  function recognize(verified: VerifiedToken, question: Question): Outcome<Claims> {
    const { kid, alg } = verified.header
    let keys: readonly VerificationKey[] | Promise<readonly VerificationKey[]>
    try {
      keys = verified.provider.registered.cache.find(kid, alg, question.askedAt)
    } catch (error) {
      return refuseKnown(verified, error)
    }
    if (!(keys instanceof Promise)) return confirm(verified, keys, question)
    return keys.then(
      (awaited) =>
        isCurrent(verified, clock.now()) ? confirm(verified, awaited, question) : renew(verified, question),
      (error: unknown) => refuseKnown(verified, error),
    )
  }

  function refuseKnown(verified: VerifiedToken, error: unknown): AuthRefusal {
    // Not so for keys that cannot be had at the moment: when they are back, the token is as good as before.
    if (error instanceof KeyNotFoundError || error instanceof KeyRevokedError) tokens?.drop(verified)
    return refuseThrown(error)
  }

  function confirm(verified: VerifiedToken, keys: readonly VerificationKey[], question: Question): Outcome<Claims> {
    return isAmong(keys, verified.key) ? admitVerified(verified, question) : renew(verified, question)
  }

  /** What was known no longer counts. */
  function renew(verified: VerifiedToken, question: Question): Outcome<Claims> {
    tokens?.drop(verified)
    return verifyText(verified.text, question)
  }

  function verifyText(text: string, question: Question): Outcome<Claims> {
    let token: ParsedToken
    try {
      token = readToken(text, clock.now())
    } catch (error) {
      return refuseThrown(error)
    }
    return verify(token, question)
  }

  function verify(token: ParsedToken, question: Question): Outcome<Claims> {
    let provider: AuthProvider
    try {
      provider = findProvider(token, question.tenantName)
      if (!provider.algorithms.has(token.header.alg)) throw new AlgorithmNotAllowedError()
      checkType(token.header.typ, provider.rules)
      checkClaims(token.payload, provider.rules, clock.now())
    } catch (error) {
      return refuseThrown(error)
    }
    const underWay = tokens?.underWay(token.token, provider)
    if (underWay === undefined) return verifyFor(token, provider, question)
    return underWay.then(({ verified }) => {
      if (verified === undefined) return verifyFor(token, provider, question)
      // What another request has found out is to this one what was found out before.
      return isCurrent(verified, clock.now()) ? recognize(verified, question) : renew(verified, question)
    }, refuseThrown)
  }

  function verifyFor(token: ParsedToken, provider: AuthProvider, question: Question): Promise<AuthOutcome<Claims>> {
    const done = verifyFirst<Claims>(token, provider, question.askedAt, { schema, validate, keep })
    tokens?.share(token.token, provider, done)
    return done.then(({ auth }) => {
      learn(token)
      return admit(auth, question)
    }, refuseThrown)
  }

  function admitVerified(verified: VerifiedToken, question: Question): Outcome<Claims> {
    const claims = claimsFor(verified)
    if (verified.isFinal || schema === undefined) return admit(authFor(verified, claims as Claims), question)
    let output: unknown
    try {
      output = askSchema(schema, claims)
    } catch (error) {
      return refuseThrown(error)
    }
    if (!(output instanceof Promise)) return admit(authFor(verified, output as Claims), question)
    return output.then((awaited: Claims) => admit(authFor(verified, awaited), question), refuseThrown)
  }

  function admit(auth: Auth<Claims>, { request, headers }: Question): Outcome<Claims> {
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
