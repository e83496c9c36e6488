import type { Authenticator, AuthOutcome } from '@jwks-auth/core'
import {
  checkGuard,
  frameworkError,
  frameworkRequest,
  isResponseOver,
  recordAuthentication,
} from '@jwks-auth/core/adapter'
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common'
import { accessOf } from './access.ts'
import { type Call, callOf } from './call.ts'
import { refuse, setHeaders } from './refuse.ts'

/** The running authenticator of one `JwksAuthModule`, which all instances of its guard share. */
export interface RunningAuth {
  /** Authenticates requests. */
  readonly authenticator: Authenticator<unknown>
  /** Where the result goes. */
  readonly property: string
  /** The outcome of each unit: several guards, or the resolvers of one GraphQL request, authenticate once. */
  readonly outcomes: WeakMap<object, Promise<AuthOutcome<unknown>>>
}

/** Injects {@link RunningAuth}. */
export const RUNNING_AUTH: unique symbol = Symbol('@jwks-auth/nestjs: running authenticator')

/**
 * The guard that authenticates, and checks what the decorators of the handler and its class require. `JwksAuthModule` makes
 * it global, and the decorators that require something add it to their handlers; with `global: false`, others opt in by
 * `@UseGuards(JwksAuthGuard)`. An application without `JwksAuthModule` that uses it does not start.
 */
@Injectable()
export class JwksAuthGuard implements CanActivate {
  readonly #running: RunningAuth

  constructor(@Inject(RUNNING_AUTH) running: RunningAuth) {
    this.#running = running
  }

  /**
   * Resolves with `true` where the handler may run.
   *
   * @throws RequestNotAuthenticatedException, for WebSockets `WsException`, where the request is refused
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = accessOf(context)
    if (access === 'public') return true
    const call = callOf(context)
    const outcome = await this.#outcomeOf(call)
    const { response } = call
    if (response !== undefined && isResponseOver(response.raw ?? response)) return false
    if (!outcome.ok) return refuse(frameworkError(outcome), call)
    for (const guard of access) {
      const refusal = checkGuard(call.request, guard, () => access)
      if (refusal !== undefined) return refuse(frameworkError(refusal), call)
    }
    return true
  }

  #outcomeOf(call: Call): Promise<AuthOutcome<unknown>> {
    const { outcomes } = this.#running
    const outcome = outcomes.get(call.unit) ?? this.#authenticate(call)
    outcomes.set(call.unit, outcome)
    return outcome
  }

  async #authenticate(call: Call): Promise<AuthOutcome<unknown>> {
    const { authenticator, property } = this.#running
    const { request } = call
    const authRequest = frameworkRequest(request, request.raw ?? request)
    const outcome = await authenticator.authenticate(authRequest)
    if (!outcome.ok) return outcome
    setHeaders(call, outcome.headers ?? {})
    recordAuthentication(request, authenticator, outcome.auth, authRequest)
    Object.assign(request, { [property]: outcome.auth })
    return outcome
  }
}
