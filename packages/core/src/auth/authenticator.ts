import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AuthRequest } from '../base/auth-request.ts'
import { ClaimsRejectedError } from '../base/errors/claim-errors.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import {
  AlgorithmNotAllowedError,
  IssuerNotAllowedError,
  TenantNotDeterminedError,
  TenantUnknownError,
  TokenMissingError,
} from '../base/errors/request-errors.ts'
import { isIdentifier } from '../base/options.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { internals, type Registry } from '../registry/registry.ts'
import { isTenantFromIssuer } from '../tenants/tenant-resolver.ts'
import { type AuthAnswer, answerTo, isAnswered, type Stage } from './answer.ts'
import { type AccessTokenClaims, type Auth, createAuth } from './auth.ts'
import type { JwksAuthOptions } from './auth-options.ts'
import { callbackError } from './callback-error.ts'
import { type CheckedAuthOptions, checkAuthOptions, defaultResolver } from './check-auth-options.ts'
import { checkBasicClaims, checkClaims, checkType } from './check-claims.ts'
import { type ParsedToken, parseToken } from './parse-token.ts'
import { passable } from './passable-error.ts'
import { type AuthProvider, checkProviders, internalsOf } from './provider-table.ts'
import { findToken } from './token-sources.ts'
import { verifyToken } from './verify-token.ts'

/** A request that is refused. */
export interface AuthRefusal {
  /** Always `false`. */
  readonly ok: false
  /** Why. Its `code` is for logs, not for clients. */
  readonly error: JwksAuthError
  /** What to answer. */
  readonly response: AuthAnswer
}

/** How a request's authentication ended. */
export type AuthOutcome<Claims> =
  | {
      /** Always `true`. */
      readonly ok: true
      /** Absent where there were no credentials and `credentialsRequired` is false. */
      readonly auth: Auth<Claims> | undefined
      /** Headers for the answer that the application gives, by lower-case name. */
      readonly headers?: Readonly<Record<string, string>>
    }
  | AuthRefusal

/** Authenticates requests of any framework. */
export interface Authenticator<Claims = AccessTokenClaims> {
  /**
   * Finds out who is asking. A refusal is an outcome; it throws or rejects only with what a callback of the
   * application threw, wrapped in an `Error` where it is none.
   */
  authenticate(request: AuthRequest): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
  /** The refusal for an error that a guard found, with this authenticator's challenge. */
  refuse(error: JwksAuthError): AuthRefusal
  /** The option of that name: refusals go the framework's own error path. */
  readonly passErrors: boolean
  /** The registry that holds the keys: the one given, or one made here. */
  readonly registry: Registry
  /** Closes the registry if it was made here. */
  close(): Promise<void>
}

/** What an outcome says of the headers of the application's answer. */
interface AnswerHeaders {
  readonly headers?: Readonly<Record<string, string>>
}

const PUBLIC: AnswerHeaders = Object.freeze({})
/** RFC 6750 §2.3. */
const PRIVATE: AnswerHeaders = Object.freeze({ headers: Object.freeze({ 'cache-control': 'private' }) })

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

  function refuse(error: JwksAuthError, stage: Stage): AuthRefusal {
    const response = answerTo(error, challenge, stage)
    return { ok: false, error: passErrors ? passable(error, response) : error, response }
  }

  /** Whatever is not ours to answer is thrown on. */
  function refuseThrown(error: unknown, stage: Stage): AuthRefusal {
    if (isAnswered(error)) return refuse(error, stage)
    throw callbackError(error)
  }

  function readToken(text: string): ParsedToken {
    const token = parseToken(text)
    if (!algorithms.has(token.header.alg)) throw new AlgorithmNotAllowedError()
    checkBasicClaims(token.payload, clock.now(), clockTolerance)
    return token
  }

  function findProvider(token: ParsedToken, tenantName: unknown): AuthProvider {
    if (!isIdentifier(tenantName)) throw new TenantNotDeterminedError()
    const tenant = directory.find(tenantName)
    if (tenant === undefined) throw new TenantUnknownError()
    const provider = tenant.byIssuer.get(token.payload['iss'] as string)
    if (provider === undefined || provider.registered.isRemoved) throw new IssuerNotAllowedError()
    return provider
  }

  function tenantNameOf(request: AuthRequest, token: ParsedToken, resolve: NonNullable<typeof resolveTenant>): unknown {
    try {
      return resolve(request, token)
    } catch (error) {
      throw callbackError(error)
    }
  }

  async function verify(
    token: ParsedToken,
    tenantName: unknown,
    answerHeaders: AnswerHeaders,
  ): Promise<AuthOutcome<Claims>> {
    try {
      const { registered, rules, algorithms: allowed } = findProvider(token, tenantName)
      if (!allowed.has(token.header.alg)) throw new AlgorithmNotAllowedError()
      checkType(token.header.typ, rules)
      const now = clock.now()
      checkClaims(token.payload, rules, now)
      await verifyToken(token, registered.cache, now)
      const { claims: schema } = checked
      const claims = schema === undefined ? token.payload : await validateClaims(schema, token.payload)
      // Without a schema `Claims` is AccessTokenClaims, of which `iss` and `exp` were checked.
      return { ok: true, auth: createAuth(registered.key, token, claims as Claims), ...answerHeaders }
    } catch (error) {
      return refuseThrown(error, 'tenant-known')
    }
  }

  return {
    registry,
    passErrors,
    refuse: (error) => refuse(error, 'tenant-known'),
    authenticate(request) {
      let token: ParsedToken
      let answerHeaders: AnswerHeaders
      try {
        const found = findToken(request, sources, maxTokenBytes)
        token = readToken(found.token)
        answerHeaders = found.isPrivate ? PRIVATE : PUBLIC
      } catch (error) {
        if (error instanceof TokenMissingError && !credentialsRequired) return { ok: true, auth: undefined }
        return refuseThrown(error, 'before-tenant')
      }
      if (resolveTenant === undefined) return verify(token, 'default', answerHeaders)
      const tenantName = tenantNameOf(request, token, resolveTenant)
      if (!isThenable(tenantName)) return verify(token, tenantName, answerHeaders)
      return Promise.resolve(tenantName).then(
        (name) => verify(token, name, answerHeaders),
        (error: unknown) => Promise.reject(callbackError(error)),
      )
    },
    async close() {
      if (ownsRegistry) await registry.close()
    },
  }

  /** The tenant's name by the request; for `tenantFromIssuer`, by the token. */
  function tenantResolution({ resolver }: CheckedAuthOptions, sharedIssuer: string | undefined) {
    const chosen = resolver ?? defaultResolver(sharedIssuer)
    if (!isTenantFromIssuer(chosen)) return (request: AuthRequest, _token: ParsedToken): unknown => chosen(request)
    if (sharedIssuer !== undefined) defaultResolver(sharedIssuer)
    return (_request: AuthRequest, token: ParsedToken): unknown =>
      directory.findByIssuer(token.payload['iss'] as string)?.name
  }
}

async function validateClaims(schema: StandardSchemaV1<unknown, unknown>, claims: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(claims)
  if (result.issues !== undefined) throw new ClaimsRejectedError()
  return result.value
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
