import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AuthRequest } from '../base/auth-request.ts'
import type { ProviderLocation } from '../registry/provider-location.ts'
import type { ProviderOptions } from '../registry/provider-options.ts'
import type { Registry } from '../registry/registry.ts'
import type { RegistryOptions } from '../registry/registry-options.ts'
import type { TenantResolver } from '../tenants/tenant-resolver.ts'
import type { Auth } from './auth.ts'
import type { ClaimRuleOptions } from './claim-rules.ts'
import type { TokenSource } from './token-sources.ts'

/** One provider of a tenant: where its tokens come from, what they must say, how its keys are kept. */
export interface ProviderConfig extends ProviderLocation, ProviderOptions, ClaimRuleOptions {
  /** As in {@link ProviderLocation}, and required: it is by its `iss` that a token finds its provider. */
  readonly issuer: string | readonly string[]
}

/** A tenant: one provider, or several by name. */
export type TenantConfig =
  | ProviderConfig
  | {
      /** The tenant's providers by name. No two of them have the same issuer. */
      readonly providers: Readonly<Record<string, ProviderConfig>>
    }

/** As methods, so that options for certain claims are options for any: what callbacks see is what the schema makes. */
interface Callbacks<Seen> {
  // biome-ignore lint/suspicious/noConfusingVoidType: one that throws what it objects to need not return anything.
  validate(auth: Auth<Seen>): boolean | void | Promise<boolean | void>
  isRevoked(auth: Auth<Seen>, request: AuthRequest): boolean | Promise<boolean>
}

/**
 * What holds for every request, whoever it comes from.
 *
 * @typeParam Seen the claims as `validate` and `isRevoked` see them, where that is not what the schema says
 */
export interface RequestOptions<Claims, Seen = Claims> {
  /**
   * A Standard Schema (zod, valibot, arktype, …) for the verified claims. Its output is what `auth.claims` is; a token
   * that it refuses is answered with 401.
   */
  readonly claims?: StandardSchemaV1<unknown, Claims> | undefined
  /**
   * Judges a verified token once, however many requests it comes with: it sees no request, and what depends on one
   * belongs in a guard. `false` is answered with 401; `true` or nothing accepts; anything else, like what it throws, is
   * an error of the application. May be asynchronous. Without `tokenCache` it is asked on each request.
   */
  readonly validate?: Callbacks<Seen>['validate'] | undefined
  /**
   * Says whether a token that is otherwise good was revoked, on each request. `true` is answered with 401; only `false`
   * lets the request pass; anything else, like what it throws, is an error of the application. May be asynchronous.
   * Go by `jti` or `sub`, never by the token's text: some signatures have a twin that is as good.
   */
  readonly isRevoked?: Callbacks<Seen>['isRevoked'] | undefined
  /**
   * `false` lets a request without a token (or with another scheme's credentials) pass, with `auth` undefined; a bad
   * token is still refused. Default `true`.
   */
  readonly credentialsRequired?: boolean | undefined
  /**
   * Where the token is looked for, one source or a list: `tokenFromHeader()`, `tokenFromCookie(name)`,
   * `tokenFromQuery(name)` or a function. A token in more than one of them is answered with 400.
   * Default `tokenFromHeader()`.
   */
  readonly getToken?: TokenSource | readonly TokenSource[] | undefined
  /** Bytes of a token; a longer one is answered with 400 unread. 1 or more. Default 16 384. */
  readonly maxTokenBytes?: number | undefined
  /**
   * How many verified tokens are kept so that they need not be verified again, or `false` for none. What is not given
   * keeps its default. Default `{ max: 10_000, maxBytes: 16_777_216 }`.
   */
  readonly tokenCache?: TokenCacheOptions | false | undefined
  /** The `realm` of challenges (RFC 9110 §11.5): printable ASCII without `"` and `\`. Default `api`. */
  readonly realm?: string | undefined
  /** The URL of this API's protected resource metadata, for challenges (RFC 9728 §5.1). Default none. */
  readonly resourceMetadata?: string | undefined
  /**
   * `true` hands refusals to the framework's own error path, with `status`, `statusCode`, `headers` and `expose` set,
   * instead of answering them. Default `false`.
   */
  readonly passErrors?: boolean | undefined
  /**
   * The name of the property that the result goes to: `req[property]` in Express, `ctx.state[property]` in Koa,
   * `request[property]` in Fastify. Default `auth`.
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

/** Where keys are kept: a registry made for this middleware from {@link RegistryOptions}, or one that exists. */
export type RegistryChoice =
  | (RegistryOptions & {
      /** Absent: a registry is made here, and closed with the middleware. */
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
}

/** Many tenants. Provider options and claim rules beside `tenants` are defaults for every provider. */
export interface MultiTenantOptions extends ProviderOptions, ClaimRuleOptions {
  /** The tenants by name: 1 to 64 of `A-Z a-z 0-9 _ . -`, not starting with a dot; case-sensitive. */
  readonly tenants: Readonly<Record<string, TenantConfig>>
  /**
   * Which tenant a request is for. The token must come from that tenant. Default `tenantFromIssuer()`, where no two
   * tenants share an issuer; otherwise required.
   */
  readonly tenant?: TenantResolver | undefined
  /** Absent beside `tenants`: each provider has its own. */
  readonly issuer?: undefined
  /** Absent beside `tenants`: each provider has its own. */
  readonly jwksUri?: undefined
}

/** What `jwksAuth` takes, the same for every framework. */
export type JwksAuthOptions<Claims = unknown, Seen = Claims> = (SingleTenantOptions | MultiTenantOptions) &
  RequestOptions<Claims, Seen> &
  RegistryChoice

/** The names of {@link RequestOptions}. */
export const requestOptionNames: readonly (keyof RequestOptions<unknown>)[] = Object.freeze([
  'claims',
  'validate',
  'isRevoked',
  'tokenCache',
  'credentialsRequired',
  'getToken',
  'maxTokenBytes',
  'realm',
  'resourceMetadata',
  'passErrors',
  'property',
])
