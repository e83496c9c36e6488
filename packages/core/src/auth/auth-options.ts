import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AuthRequest } from '../base/auth-request.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { ProviderOptions } from '../registry/provider-options.ts'
import type { ProviderLocation } from '../registry/registration.ts'
import type { Registry } from '../registry/registry.ts'
import type { RegistryOptions } from '../registry/registry-options.ts'
import type { TenantCacheOptions } from '../tenants/tenant-lookup.ts'
import type { TenantResolver } from '../tenants/tenant-resolvers.ts'
import type { Auth } from './auth.ts'
import type { ScopeSource } from './check-claims.ts'
import type { ClaimRuleOptions } from './claim-rules.ts'
import type { TokenSource } from './token-sources.ts'

/** One provider of a tenant: its issuer, the rules for its tokens, and how its keys are cached. */
export interface ProviderConfig extends ProviderLocation, ProviderOptions, ClaimRuleOptions {
  /** As in {@link ProviderLocation}, and required: the provider of a token is found by its `iss`. */
  readonly issuer: string | readonly string[]
}

/** A tenant: one provider, or several by name. */
export type TenantConfig =
  | ProviderConfig
  | {
      /** The tenant's providers by name. No two of them have the same issuer. */
      readonly providers: Readonly<Record<string, ProviderConfig>>
    }

/** As methods, whose parameters TypeScript compares bivariantly: options for certain claims are options for any. */
interface Callbacks<Seen> {
  // biome-ignore lint/suspicious/noConfusingVoidType: a callback that throws its refusal need not return anything.
  validate(auth: Auth<Seen>): boolean | void | Promise<boolean | void>
  isRevoked(auth: Auth<Seen>, request: AuthRequest): boolean | Promise<boolean>
}

/**
 * Options for every request, of any tenant.
 *
 * @typeParam Seen the claims as `validate` and `isRevoked` see them, where that is not the schema's output
 */
export interface RequestOptions<Claims, Seen = Claims> {
  /**
   * A Standard Schema (zod, valibot, arktype, …) for the verified claims. Its output becomes `auth.claims`; a token that it
   * refuses gets 401.
   */
  readonly claims?: StandardSchemaV1<unknown, Claims> | undefined
  /**
   * Called once per verified token, without access to the request; checks that depend on the request belong in a guard.
   * `false` gets 401; `true` or nothing accepts; any other result, or an error that it throws, is an error of the
   * application. May be asynchronous. Without `tokenCache` it is called on each request.
   */
  readonly validate?: Callbacks<Seen>['validate'] | undefined
  /**
   * Called on each request, to say whether an otherwise valid token was revoked. `true` gets 401; only `false` lets the
   * request pass; any other result, or an error that it throws, is an error of the application. May be asynchronous. Revoke
   * by `jti` or `sub`, never by the token's text: signatures are malleable. From `authenticator.verify`, which has no
   * request, `method` and `url` are `''` and there are no headers.
   */
  readonly isRevoked?: Callbacks<Seen>['isRevoked'] | undefined
  /**
   * Called for each refused request, guards' refusals and those of `verify` included, with the specific error: for logs.
   * It changes nothing; what it throws, or its promise rejects with, is ignored. The error's `code` and message may be
   * logged; the request contains the token.
   */
  readonly onRefused?: ((error: JwksAuthError, request: AuthRequest) => unknown) | undefined
  /**
   * Where a token's scopes are: a claim path such as `permissions` or `realm_access.roles`, a list of paths whose scopes
   * are united, or a function, called once per verified token with its claims as they were before the schema. Each claim
   * is a string with spaces between the scopes, or an array of strings; a claim that is absent has none. At each level of
   * a path the longest own member wins, so names that contain dots work as they are. Default: `scope`, or `scp` where
   * there is no `scope`.
   */
  readonly scopes?: ScopeSource | undefined
  /**
   * Scopes that others imply: with `{ admin: ['read', 'write'] }`, a token with `admin` has `read` and `write`, too.
   * Transitive; cycles are allowed. Default none.
   */
  readonly impliedScopes?: Readonly<Record<string, readonly string[]>> | undefined
  /**
   * Scopes that 401 challenges name, so that a client knows what to ask for (RFC 6750 §3). Not enforced: that is what
   * `requireScopes` is for. Default none.
   */
  readonly challengeScopes?: readonly string[] | undefined
  /**
   * `false` lets a request without a token (or with another scheme's credentials) pass, with `auth` undefined; a bad
   * token is still refused. Default `true`.
   */
  readonly credentialsRequired?: boolean | undefined
  /**
   * Where the token is, one source or a list: `tokenFromHeader()`, `tokenFromCookie(name, { csrf, origins })`,
   * `tokenFromQuery(name)` or a function, perhaps asynchronous. Tokens in more than one of them get 400. Default
   * `tokenFromHeader()`.
   */
  readonly getToken?: TokenSource | readonly TokenSource[] | undefined
  /** The longest token, in bytes; a longer one gets 400 unread. 1 or more. Default 16 384. */
  readonly maxTokenBytes?: number | undefined
  /**
   * Bounds of the cache of verified tokens, or `false` for none. A bound that is absent keeps its default. Default
   * `{ max: 10_000, maxBytes: 16_777_216 }`.
   */
  readonly tokenCache?: TokenCacheOptions | false | undefined
  /** The `realm` of challenges (RFC 9110 §11.5): printable ASCII without `"` and `\`. Default `api`. */
  readonly realm?: string | undefined
  /** The URL of this API's protected resource metadata, for challenges (RFC 9728 §5.1). Default none. */
  readonly resourceMetadata?: string | undefined
  /**
   * `true` passes refusals to the framework's own error path instead of sending the response, as a
   * `RequestNotAuthenticatedError` that is safe to send: with `status`, `statusCode`, `headers` and `expose`, and the
   * specific error as its `cause`. Default `false`.
   */
  readonly passErrors?: boolean | undefined
  /**
   * The name of the property that the result goes to: `req[property]` in Express, `ctx.state[property]` in Koa,
   * `request[property]` in Fastify and in fetch handlers. Default `auth`.
   */
  readonly property?: string | undefined
}

/** How many verified tokens an authenticator keeps. */
export interface TokenCacheOptions {
  /** Tokens; the least recently used one is dropped. 1 to 10 000 000. Default 10 000. */
  readonly max?: number | undefined
  /** Bytes of memory, claims included, as estimated. 1 or more. Default 16 777 216. */
  readonly maxBytes?: number | undefined
}

/** Where keys are cached: a registry created for this middleware from {@link RegistryOptions}, or a shared one. */
export type RegistryChoice =
  | (RegistryOptions & {
      /** Absent: a registry is created here, and closed with the middleware. */
      readonly registry?: undefined
    })
  | ({
      /** A registry to share between middlewares. It is left open by their `close()`. */
      readonly registry: Registry
    } & Pick<ProviderOptions, 'requireHttps' | 'allowedDomains'>)

/** One tenant with one provider, both named `default`. */
export interface SingleTenantOptions extends ProviderConfig {
  /** As in {@link ClaimRuleOptions}. */
  readonly audience: string | readonly string[] | false
  /** Absent in the short form. */
  readonly tenants?: undefined
  /** Absent in the short form: there is one tenant. */
  readonly tenant?: undefined
  /** Absent in the short form: nothing is looked up. */
  readonly tenantCache?: undefined
}

/** Looks a tenant up, in a database for example; `undefined` or `null` where there is none of that id. */
export type TenantLookupFunction = (
  tenant: string,
) => TenantConfig | undefined | null | Promise<TenantConfig | undefined | null>

/** Many tenants. Provider options and claim rules beside `tenants` are defaults for every provider. */
export interface MultiTenantOptions extends ProviderOptions, ClaimRuleOptions {
  /**
   * The tenants by name: 1 to 64 of `A-Z a-z 0-9 _ . -`, not starting with a dot; case-sensitive. Or a function that is
   * called with such a name when a request with a plausible token is for it. What it returns is cached for
   * `tenantCache.ttl`. Where it throws, rejects or takes too long, or returns a wrong configuration, the last one is kept
   * for `tenantCache.staleTtl`, and without one the request gets 503. Providers of looked-up tenants have
   * `network: 'public'` by default, and no `keyLifetime: 'immutable'`.
   */
  readonly tenants: Readonly<Record<string, TenantConfig>> | TenantLookupFunction
  /**
   * Which tenant a request is for. The token must come from that tenant. Default `tenantFromIssuer()`, where `tenants` is a
   * record in which each issuer occurs once; otherwise required.
   */
  readonly tenant?: TenantResolver | undefined
  /** How looked-up tenants are cached. Only where `tenants` is a function. */
  readonly tenantCache?: TenantCacheOptions | undefined
  /** Absent beside `tenants`: each provider has its own. */
  readonly issuer?: undefined
  /** Absent beside `tenants`: each provider has its own. */
  readonly jwksUri?: undefined
}

/** The options of `jwksAuth`, the same for every framework. */
export type JwksAuthOptions<Claims = unknown, Seen = Claims> = (SingleTenantOptions | MultiTenantOptions) &
  RequestOptions<Claims, Seen> &
  RegistryChoice
