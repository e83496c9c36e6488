import { type Complete, choice, isObject, type OptionTable, optional } from '@jwks-auth/core/adapter'
import { type SigningAlgorithm, signingAlgorithms } from './keys.ts'
import { checkOptions, headerValue, integer, text, valid } from './option-checks.ts'

/** A source of time. */
export interface IssuerClock {
  /** The time in epoch milliseconds. */
  now(): number
}

/** How to set up an issuer. */
export interface TestIssuerOptions {
  /** The algorithm of the first key. Default: `'RS256'`. `'ES256'` and `'EdDSA'` are made much faster. */
  readonly algorithm?: SigningAlgorithm
  /** The name of the first key. Default: `key-1`. */
  readonly kid?: string
  /** The `aud` of signed tokens. Default: tokens have none. */
  readonly audience?: string | readonly string[]
  /**
   * The path of the issuer identifier, such as `/oauth2/default`: segments of unreserved characters
   * (RFC 3986 §2.3), no slash at the end. Default: none.
   */
  readonly path?: string
  /** The port on 127.0.0.1, 0 to 65535. Default: 0, one that is free. */
  readonly port?: number
  /** The `Cache-Control` of key sets; `undefined` for none. Default: `max-age=600`. */
  readonly cacheControl?: string | undefined
  /**
   * The only media type that key sets are served as, such as `application/jwk-set+json`: a request whose `Accept` does not
   * include it gets 406, as from Kubernetes' API server. Default: `application/json`, whatever `Accept` says.
   */
  readonly keySetType?: string
  /** Where `iat`, `exp` and `Date` come from. Default: `Date.now()`. Delays of answers are real time always. */
  readonly clock?: IssuerClock
}

/** What an issuer is set up with, nothing left open. */
export type IssuerSettings = Complete<TestIssuerOptions, 'kid' | 'audience' | 'cacheControl' | 'keySetType'>

/** Whether a string is a path that an issuer or its key set can have. */
export function isIssuerPath(value: unknown): value is string {
  if (typeof value !== 'string' || !/^(?:\/[A-Za-z0-9._~-]+)+$/.test(value)) return false
  return !value.split('/').some((segment) => segment === '.' || segment === '..')
}

const table = {
  algorithm: choice(signingAlgorithms, 'RS256'),
  kid: optional(text),
  audience: optional(
    valid<string | readonly string[]>(
      (value) => [value].flat().every((one) => typeof one === 'string'),
      'a string or a list of strings',
    ),
  ),
  path: optional(valid<string>(isIssuerPath, "a path such as '/oauth2/default'"), ''),
  port: optional(integer(0, 65_535), 0),
  cacheControl: optional(headerValue, 'max-age=600'),
  keySetType: optional(headerValue),
  // Not `Date` itself: a test framework may replace it after the issuer was created.
  clock: optional(valid<IssuerClock>(isClock, 'an object with a function now'), { now: () => Date.now() }),
} satisfies OptionTable<TestIssuerOptions>

function isClock(value: unknown): boolean {
  return (typeof value === 'function' || isObject(value)) && typeof Reflect.get(value, 'now') === 'function'
}

/** Checks options and fills in the defaults. */
export function settle(options: TestIssuerOptions): IssuerSettings {
  const settings = checkOptions('createTestIssuer', options, table)
  const hasCacheControl = Object.hasOwn(options, 'cacheControl')
  return { ...settings, cacheControl: hasCacheControl ? options.cacheControl : settings.cacheControl }
}
