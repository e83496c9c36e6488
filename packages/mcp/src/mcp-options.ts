import type {
  MultiTenantOptions,
  ProtectedResourceOptions,
  RegistryChoice,
  RequestOptions,
  SingleTenantOptions,
} from '@jwks-auth/core'

/** The options that an MCP server has beside those of every adapter. */
export interface McpServerOptions {
  /** The resource identifier: the URL of the MCP server as clients use it, without a fragment (RFC 8707 §2). */
  readonly resource: string
  /** Issuers that clients may get tokens from. Default the option `issuer`; required beside `tenants`. */
  readonly authorizationServers?: readonly string[] | undefined
  /** Scopes that every request needs; 401 and 403 challenges name them. Default none. */
  readonly requiredScopes?: readonly string[] | undefined
  /** Further metadata of the protected resource (RFC 9728 §2). `scopesSupported` is `requiredScopes` by default. */
  readonly metadata?: Omit<ProtectedResourceOptions, 'resource' | 'authorizationServers'> | undefined
}

/**
 * The options of `createMcpAuth`: those of every adapter and {@link McpServerOptions}. `audience` is `resource` by default,
 * so that tokens for other servers are refused. The result is always in `req.auth`, where the SDK reads it.
 */
export type McpAuthOptions<Claims = unknown> = McpServerOptions &
  Omit<RequestOptions<Claims>, 'property' | 'resourceMetadata'> &
  RegistryChoice &
  (
    | (Omit<SingleTenantOptions, 'audience'> & {
        /** As in every adapter. Default `resource`. */
        readonly audience?: string | readonly string[] | false | undefined
      })
    | MultiTenantOptions
  )
