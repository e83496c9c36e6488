import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type AccessTokenClaims,
  type Authenticator,
  type AuthRefusal,
  type AuthRequest,
  createAuthenticator,
  type JwksAuthError,
  type Registry,
} from '@jwks-auth/core'
import {
  checkGuard,
  createProtectedResource,
  frameworkError,
  frameworkRequest,
  isResponseOver,
  recordAuthentication,
  scopeGuard,
  toAuthRequest,
} from '@jwks-auth/core/adapter'
import { type AuthInfo, authInfoOf } from './auth-info.ts'
import type { McpAuthOptions } from './mcp-options.ts'
import { createTokenVerifier, type SdkErrors, type TokenVerifier } from './token-verifier.ts'

/** A middleware of Express, connect and others on Node. */
export type McpMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** How a fetch request's authentication ended. */
export type McpOutcome =
  | {
      /** Always `true`. */
      readonly ok: true
      /** For the SDK: `handler.fetch(request, { authInfo })`. Absent without a token, with `credentialsRequired: false`. */
      readonly authInfo?: AuthInfo
      /** Headers for the response, by lower-case name. */
      readonly headers: Readonly<Record<string, string>>
    }
  | {
      /** Always `false`. */
      readonly ok: false
      /** Why, for logs. */
      readonly error: JwksAuthError
      /** What to send. */
      readonly response: Response
    }

/** What {@link createMcpAuth} creates. */
export interface McpAuth<Claims = AccessTokenClaims> {
  /**
   * Requires a good token with the `requiredScopes`, and sets `req.auth` as the SDK's transports read it. In the place of
   * the SDK's `requireBearerAuth`, with the responses of every adapter: 503 in an outage among them. With `passErrors` a
   * refusal goes to the error handler.
   */
  readonly requireBearerAuth: McpMiddleware
  /** Serves the metadata of the protected resource (RFC 9728). Belongs at the root of the application. */
  readonly serveMetadata: McpMiddleware
  /** The same as `requireBearerAuth` for a fetch request; a refusal is an outcome, with `passErrors`, too. */
  authenticateRequest(request: Request): Promise<McpOutcome>
  /** The same as `serveMetadata` for a fetch request; `undefined` for a request that is not for the metadata. */
  metadataResponse(request: Request): Response | undefined
  /**
   * Creates an `OAuthTokenVerifier`, for the SDK's own `requireBearerAuth`. That has no 503: an outage is a 500 there. It
   * also enforces no `requiredScopes` but its own.
   *
   * @param errors of 1.x, the module `@modelcontextprotocol/sdk/server/auth/errors.js`; of 2.x, `{ OAuthError }`
   * @throws TypeError for anything else
   */
  tokenVerifier(errors: SdkErrors): TokenVerifier
  /** The URL of the metadata, which challenges name. */
  readonly metadataUrl: string
  /** Authenticates without HTTP. */
  readonly authenticator: Authenticator<Claims>
  /** The registry that caches the keys. */
  readonly registry: Registry
  /** Closes the registry, unless it was given in the options. */
  close(): Promise<void>
}

type Authorized = Extract<McpOutcome, { readonly ok: true }>

/**
 * Creates the authorization of an MCP server: the server is an OAuth 2.0 protected resource, and accepts tokens that were
 * issued for it.
 *
 * @throws TypeError that names a wrong option
 */
export function createMcpAuth<Claims = AccessTokenClaims>(options: McpAuthOptions<Claims>): McpAuth<Claims> {
  const { resource, authorizationServers = issuersIn(options), requiredScopes = [], metadata, ...others } = options
  if ('property' in others) throw new TypeError('property has no effect: the MCP SDK reads req.auth')
  const guard = requiredScopes.length === 0 ? undefined : scopeGuard(requiredScopes)
  const scopes = guard === undefined ? {} : { scopesSupported: requiredScopes }
  const { metadataUrl, respond } = createProtectedResource({ ...scopes, ...metadata, resource, authorizationServers })
  const authenticator = createAuthenticator<Claims>({
    ...others,
    audience: others.audience ?? resource,
    challengeScopes: others.challengeScopes ?? requiredScopes,
    resourceMetadata: metadataUrl,
  })
  const { passErrors, registry } = authenticator
  const server = { resource: others.audience === false ? undefined : new URL(resource), metadataUrl }

  async function authorize(carrier: object, request: AuthRequest): Promise<Authorized | AuthRefusal> {
    const outcome = await authenticator.authenticate(request)
    if (!outcome.ok) return outcome
    const { auth, headers = {} } = outcome
    recordAuthentication(carrier, authenticator, auth, request)
    const refusal = guard === undefined ? undefined : checkGuard(carrier, guard, () => [])
    if (refusal !== undefined) return refusal
    return auth === undefined ? { ok: true, headers } : { ok: true, headers, authInfo: authInfoOf(auth, server) }
  }

  function finish(result: Authorized | AuthRefusal, ...[req, res, next]: Parameters<McpMiddleware>): void {
    if (isResponseOver(res)) return
    if (!result.ok) {
      if (passErrors) next(frameworkError(result))
      else send(result.response, res)
      return
    }
    for (const [name, value] of Object.entries(result.headers)) res.setHeader(name, value)
    Object.assign(req, { auth: result.authInfo })
    next()
  }

  return {
    requireBearerAuth(req, res, next) {
      authorize(req, frameworkRequest(req, req)).then((result) => finish(result, req, res, next), next)
    },
    serveMetadata(req, res, next) {
      const response = respond(req.method ?? 'GET', targetOf(req))
      if (response === undefined) next()
      else send(response, res)
    },
    async authenticateRequest(request) {
      const result = await authorize(request, toAuthRequest(request))
      return result.ok ? result : { ok: false, error: result.error, response: toResponse(result.response) }
    },
    metadataResponse(request) {
      const { pathname, search } = new URL(request.url)
      const response = respond(request.method, pathname + search)
      return response === undefined ? undefined : toResponse(response)
    },
    tokenVerifier: (errors) => createTokenVerifier(authenticator, server, errors),
    metadataUrl,
    authenticator,
    registry,
    close: () => authenticator.close(),
  }
}

/** What core decides to send. */
interface CoreResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

function send({ status, headers, body }: CoreResponse, res: ServerResponse): void {
  res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}

function toResponse({ status, headers, body }: CoreResponse): Response {
  return new Response(body === '' ? null : body, { status, headers })
}

/** The target that the client sent: Express changes `url` under a mount. */
function targetOf(req: IncomingMessage & { readonly originalUrl?: string }): string {
  return req.originalUrl ?? req.url ?? '/'
}

function issuersIn({ issuer }: { readonly issuer?: string | readonly string[] | undefined }): readonly string[] {
  if (issuer !== undefined) return [issuer].flat()
  throw new TypeError('authorizationServers is required where there is no issuer: the issuers that clients may use')
}
