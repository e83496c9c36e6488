import type { AddressInfo } from 'node:net'
import type { Auth, JwksAuthOptions, Registry } from '@jwks-auth/core'

/** How the API under test is set up. */
export interface AppOptions {
  readonly auth: JwksAuthOptions
  /** Where the protected routes and `jwksAuth` are mounted; by default at the root. */
  readonly mount?: string
  /** What a handler does to what it is given, once it has answered with that. */
  readonly afterwards?: (auth: Auth<unknown>) => void
  /** An error handler that answers with {@link errorView}, instead of the framework's own. */
  readonly showErrors?: boolean
}

/** The same API in each framework: `/bare` has a guard and no authenticator, all else is behind `jwksAuth`. */
export interface ProtectedApp {
  readonly framework: string
  readonly port: number
  readonly registry: Registry
  /** How many requests reached a handler behind `jwksAuth`. */
  handled(): number
  close(): Promise<void>
}

/** A framework that the contract is held against. */
export interface Framework {
  readonly name: string
  start(options: AppOptions): Promise<ProtectedApp>
}

/** What `/orders` asks for. */
export const orderScopes: [string, ...string[]] = ['orders:read', 'orders:write']

/** What an application's CORS middleware sets before `jwksAuth` runs. */
export const corsHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-origin': 'https://app.example',
  vary: 'Origin',
}

/** What a handler sees, as JSON. */
export function authView(auth: Auth<unknown> | undefined): object {
  if (auth === undefined) return { auth: null }
  const { tenant, provider, claims, header, token, scopes } = auth
  return { auth: { tenant, provider, claims, header, token, scopes: [...scopes] } }
}

/** What an error handler sees, as JSON; what is absent is `null`. */
export function errorView(error: unknown): object {
  const seen = error as Readonly<Record<string, unknown>>
  const names = ['name', 'code', 'status', 'statusCode', 'headers', 'expose', 'message']
  return {
    isError: error instanceof Error,
    ...Object.fromEntries(names.map((name) => [name, seen[name] ?? null])),
  }
}

/** The status that an error handler answers with. */
export function errorStatus(error: unknown): number {
  return (error as { readonly status?: number }).status ?? 500
}

/** The port of a server that listens. */
export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return address.port
}
