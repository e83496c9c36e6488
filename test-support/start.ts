import {
  type Authenticator,
  type AuthOutcome,
  type AuthRequest,
  createAuthenticator,
  createRegistry,
  type JwksAuthOptions,
  type ProviderOptions,
  type Registry,
  type RegistryOptions,
} from '@jwks-auth/core'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '@jwks-auth/testing'
import { onTestFinished } from 'vitest'

export const audience = 'https://api.example'

/** An issuer for the length of one test. Its key is ES256 unless said otherwise, which is made fast. */
export async function startIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience, ...options })
  onTestFinished(() => issuer.close())
  return issuer
}

/** A registry for the length of one test, which accepts the issuers' plain HTTP. */
export function startRegistry(options: RegistryOptions = {}): Registry {
  const registry = createRegistry({ requireHttps: false, ...options })
  onTestFinished(() => registry.close())
  return registry
}

/** A registry with the issuer's key set as tenant acme, provider auth0; failures are not retried. */
export async function startRegistryWith(
  issuer: TestIssuer,
  options: RegistryOptions = {},
  ofProvider: ProviderOptions = {},
): Promise<Registry> {
  const registry = startRegistry(options)
  const { jwksUri } = issuer
  const provider = { network: 'any', retryPolicy: { maxRetries: 0 }, ...ofProvider } as const
  await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri, ...provider })
  return registry
}

/** An authenticator for the length of one test. */
export function startAuthenticator<Claims>(options: JwksAuthOptions<Claims>): Authenticator<Claims> {
  const authenticator = createAuthenticator<Claims>({ requireHttps: false, ...options })
  onTestFinished(() => authenticator.close())
  return authenticator
}

/** An authenticator for the tokens of one issuer. */
export function startAuthenticatorFor(issuer: TestIssuer, options: Partial<JwksAuthOptions> = {}) {
  const single = { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience, ...options } as JwksAuthOptions
  return startAuthenticator(single)
}

/** How a request with this token is authenticated. */
export async function authenticate<Claims>(
  authenticator: Authenticator<Claims>,
  token: string,
  request: Partial<AuthRequest> = {},
): Promise<AuthOutcome<Claims>> {
  const headers = { ...request.headers, authorization: `Bearer ${token}` }
  return await authenticator.authenticate({ method: 'GET', url: '/', ...request, headers })
}

/** `'accepted'`, or the code of the error that refused the token. */
export async function verdict(
  authenticator: Authenticator<unknown>,
  token: string,
  request: Partial<AuthRequest> = {},
): Promise<string> {
  const outcome = await authenticate(authenticator, token, request)
  return outcome.ok ? 'accepted' : outcome.error.code
}
