import type { JSONWebKeySet } from 'jose'
import type { Answer, AnswerFunction } from './answers.ts'
import type { AnswerHeaders } from './document.ts'
import type { RotateOptions, TestKey, TestKeyOptions } from './keys.ts'
import type { MetadataMembers } from './metadata.ts'
import type { IssuerEndpoint, ReceivedRequest, RequestEndpoint } from './request-log.ts'
import type { SignOverrides, TokenClaims } from './sign.ts'

/** An issuer of tokens on 127.0.0.1 that does as the test says. */
export interface TestIssuer {
  /** The issuer identifier: `http://127.0.0.1:PORT` and the path, no slash at the end. */
  readonly issuer: string
  /** Where the key set is: at first the issuer identifier and `/jwks`. */
  readonly jwksUri: string
  /** The keys that are published, oldest first. */
  readonly keys: readonly TestKey[]
  /** The key that signs. */
  readonly signingKey: TestKey
  /** The published keys as a set, for jose's `createLocalJWKSet`. `setJwks` does not change it. */
  readonly jwks: JSONWebKeySet

  /**
   * Signs a token. Unless `claims` says otherwise: `iss` the issuer, `aud` as configured, `sub`
   * `user-1`, `iat` now, `exp` five minutes after now.
   *
   * @throws TypeError for an unknown override, or a `key` that is not published.
   */
  sign(claims?: TokenClaims, overrides?: SignOverrides): Promise<string>
  /** Makes and publishes a key that signs from now on. */
  rotate(options?: RotateOptions): Promise<TestKey>
  /** Makes and publishes a key that does not sign. */
  addKey(options?: TestKeyOptions): Promise<TestKey>
  /**
   * Stops publishing a key. If it is the one that signs, it still does: such tokens are to be refused.
   *
   * @throws TypeError when no such key is published.
   */
  removeKey(kid: string): void

  /** Publishes this instead of the key set: a string to the letter, all else as JSON. `undefined` brings it back. */
  setJwks(document: unknown): void
  /** Serves the key set at this path under the issuer only, such as `/keys`; metadata and `jwksUri` follow. */
  moveJwks(path: string): void
  /**
   * Replaces members of the metadata, such as `issuer` or `jwks_uri`; `undefined` leaves one out. Each call
   * starts from the usual members. Default: both documents.
   */
  setMetadata(members: MetadataMembers, endpoint?: 'openid' | 'oauth'): void
  /**
   * Replaces header fields of a document, such as `Cache-Control`, `Expires`, `Age`, `ETag` or `Date`;
   * `undefined` leaves one out. Each call starts from the usual fields.
   */
  setHeaders(endpoint: IssuerEndpoint, headers: AnswerHeaders): void

  /**
   * Adds answers that are given once each, in order, before the standing one.
   *
   * @throws TypeError for an unknown kind or option of an answer.
   */
  answerOnce(endpoint: IssuerEndpoint, ...answers: (Answer | AnswerFunction)[]): void
  /**
   * Gives this answer until another one is set.
   *
   * @throws TypeError for an unknown kind or option of the answer.
   */
  answerAlways(endpoint: IssuerEndpoint, answer: Answer | AnswerFunction): void
  /** Forgets one-off and standing answers. Default: of all endpoints. */
  answerNormally(endpoint?: IssuerEndpoint): void

  /** What was received since the log was last cleared, oldest first. It grows without bound. */
  readonly requests: readonly ReceivedRequest[]
  /** How many requests are in the log. Default: for any endpoint. */
  requestCount(endpoint?: RequestEndpoint): number
  /** Resolves when that many are in the log. Rejects after `timeout` milliseconds of real time, by default 5 000. */
  waitForRequests(count: number, endpoint?: RequestEndpoint, timeout?: number): Promise<void>
  /** Empties the log. */
  clearRequests(): void

  /** Goes down: stops listening and cuts all connections. Nothing else is forgotten. */
  stop(): Promise<void>
  /** Comes back at the same address. Rejects when another process has taken the port, and after `close`. */
  start(): Promise<void>
  /** Stops the issuer permanently; pending waits for requests reject. */
  close(): Promise<void>
  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}
