import { type Clock, schedule } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { RegistryClosedError } from '../base/errors/jwks-auth-error.ts'
import {
  IssuerNotAllowedError,
  KeyNotFoundError,
  KeyRevokedError,
  TokenExpiredError,
  TokenTooOldError,
} from '../base/errors/request-errors.ts'
import { argumentOptions, type OptionTable, optional } from '../base/options.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { RegisteredProvider } from '../registry/registry.ts'
import { type VerifiedToken, verifiedOf } from './token-cache.ts'

/** Options of `authenticator.untilInvalid`. */
export interface UntilInvalidOptions {
  /** Ends the waiting: the promise rejects with the signal's reason, and nothing remains. */
  readonly signal?: AbortSignal | undefined
}

const table = { signal: optional(checkSignal) } satisfies OptionTable<UntilInvalidOptions>

/** The tokens of long-lived connections. */
export interface Invalidations {
  /** Resolves when the token is no longer valid; rejects where the signal aborts first, or with a `TypeError`. */
  untilInvalid(auth: unknown, options: unknown): Promise<JwksAuthError>
  /** Ends all waiting, as the authenticator closes. */
  close(): void
}

/** One token that is waited for. */
interface Watch {
  readonly key: VerificationKey
  /** Wall clock. */
  readonly endsAt: number
  readonly isTooOld: boolean
  end(error: JwksAuthError): void
}

/** The tokens of one provider. */
interface WatchedProvider {
  readonly registered: RegisteredProvider
  readonly watches: Set<Watch>
  stop(): void
}

/**
 * Milliseconds between two readings of the wall clock: a suspended machine, or a step of the clock, is noticed within
 * this time. It is one timer for all tokens.
 */
const LONGEST_PAUSE = 1_000

/** Milliseconds between two searches for tokens that have expired: there may be ten thousand. */
const SHORTEST_PAUSE = 50

/**
 * Creates what waits for tokens to become invalid. Each provider says when its keys have changed, and one timer serves all
 * tokens, so that a token that is waited for costs a place in a set.
 */
export function createInvalidations(clock: Clock, registry: { readonly closed: AbortSignal }): Invalidations {
  const providers = new Map<RegisteredProvider, WatchedProvider>()
  let earliest = Number.POSITIVE_INFINITY
  let cancelTimer: (() => void) | undefined
  let isClosed = false

  function whyInvalid({ registered }: Pick<WatchedProvider, 'registered'>, watch: Watch): JwksAuthError | undefined {
    if (isClosed || registry.closed.aborted) return new RegistryClosedError()
    if (registered.isRemoved) return new IssuerNotAllowedError()
    if (clock.now() >= watch.endsAt) return watch.isTooOld ? new TokenTooOldError() : new TokenExpiredError()
    const standing = registered.cache.standingOf(watch.key)
    if (standing === 'current') return undefined
    return standing === 'revoked' ? new KeyRevokedError() : new KeyNotFoundError()
  }

  function endInvalid(provider: WatchedProvider): void {
    for (const watch of provider.watches) {
      const error = whyInvalid(provider, watch)
      if (error !== undefined) watch.end(error)
    }
  }

  function endAllInvalid(): void {
    for (const provider of providers.values()) endInvalid(provider)
  }

  function watched(registered: RegisteredProvider): WatchedProvider {
    const known = providers.get(registered)
    if (known !== undefined) return known
    const provider: WatchedProvider = {
      registered,
      watches: new Set(),
      stop: registered.cache.onChange(() => endInvalid(provider)),
    }
    providers.set(registered, provider)
    return provider
  }

  function remove(provider: WatchedProvider, watch: Watch): void {
    provider.watches.delete(watch)
    if (provider.watches.size > 0) return
    provider.stop()
    providers.delete(provider.registered)
    if (providers.size > 0) return
    cancelTimer?.()
    cancelTimer = undefined
    earliest = Number.POSITIVE_INFINITY
  }

  /** Sets the timer anew. */
  function arm(): void {
    cancelTimer?.()
    const wait = Math.min(Math.max(earliest - clock.now(), SHORTEST_PAUSE), LONGEST_PAUSE)
    cancelTimer = schedule(clock, wait, tick)
  }

  function tick(): void {
    cancelTimer = undefined
    for (const { registered } of providers.values()) registered.cache.keepCurrent()
    if (clock.now() >= earliest) {
      endAllInvalid()
      earliest = Number.POSITIVE_INFINITY
      for (const { watches } of providers.values()) {
        for (const { endsAt } of watches) earliest = Math.min(earliest, endsAt)
      }
    }
    if (providers.size > 0) arm()
  }

  function watch(verified: VerifiedToken, signal: AbortSignal | undefined): Promise<JwksAuthError> {
    const { registered } = verified.provider
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        remove(provider, added)
        reject(signal?.reason)
      }
      const added: Watch = {
        key: verified.key,
        ...endOf(verified, clock.now()),
        end(error) {
          remove(provider, added)
          signal?.removeEventListener('abort', onAbort)
          resolve(error)
        },
      }
      const error = whyInvalid({ registered }, added)
      if (error !== undefined) {
        resolve(error)
        return
      }
      const provider = watched(registered)
      provider.watches.add(added)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (cancelTimer === undefined || added.endsAt < earliest) {
        earliest = Math.min(earliest, added.endsAt)
        arm()
      }
    })
  }

  return {
    async untilInvalid(auth, options) {
      const { signal } = argumentOptions('untilInvalid', options, table)
      const verified = typeof auth === 'object' && auth !== null ? verifiedOf(auth) : undefined
      if (verified === undefined) throw new TypeError('untilInvalid takes an auth that an authenticator has returned')
      signal?.throwIfAborted()
      return await watch(verified, signal)
    },
    close() {
      isClosed = true
      endAllInvalid()
    },
  }
}

/**
 * When a token ends: at its `exp`, or when it is older than `maxTokenAge`. One that was accepted after that, within
 * `clockTolerance`, ends with the tolerance: otherwise its connection would be closed as soon as it is open.
 */
function endOf(verified: VerifiedToken, now: number): Pick<Watch, 'endsAt' | 'isTooOld'> {
  const { expiresAt, until, last, authentication } = verified
  // `last` is the last moment at which the token is not too old, with the tolerance.
  const tooOldAt = last + 1
  const nominal = Math.min(expiresAt, tooOldAt - authentication.clockTolerance)
  const endsAt = now < nominal ? nominal : Math.min(until, tooOldAt)
  return { endsAt, isTooOld: tooOldAt < until }
}

function checkSignal(name: string, value: unknown): AbortSignal {
  if (value instanceof AbortSignal) return value
  throw new TypeError(`${name} must be an AbortSignal`)
}
