import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '@jwks-auth/testing'
import { onTestFinished } from 'vitest'
import {
  type Authenticator,
  type AuthOutcome,
  createAuthenticator,
  createRegistry,
  type JwksAuthOptions,
  type ProviderOptions,
  type Registry,
  type RegistryOptions,
} from '../src/index.ts'

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
  await registry.register({
    tenant: 'acme',
    provider: 'auth0',
    jwksUri: issuer.jwksUri,
    network: 'any',
    retryPolicy: { maxRetries: 0 },
    ...ofProvider,
  })
  return registry
}

/** An authenticator for the length of one test. */
export function startAuthenticator<Claims>(options: JwksAuthOptions<Claims>): Authenticator<Claims> {
  const authenticator = createAuthenticator<Claims>({ requireHttps: false, ...options })
  onTestFinished(() => authenticator.close())
  return authenticator
}

/** How a request with this token is authenticated. */
export async function authenticate<Claims>(
  authenticator: Authenticator<Claims>,
  token: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<AuthOutcome<Claims>> {
  return await authenticator.authenticate({
    method: 'GET',
    url: '/',
    headers: { ...headers, authorization: `Bearer ${token}` },
  })
}

/** `'accepted'`, or the code of the error that refused the token. */
export async function verdict(authenticator: Authenticator<unknown>, token: string): Promise<string> {
  const outcome = await authenticate(authenticator, token)
  return outcome.ok ? 'accepted' : outcome.error.code
}
