import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type Auth, JwksAuthError, type JwksAuthOptions, type Registry } from '@jwks-auth/core'

/** The set-up of the API under test. */
export interface AppOptions {
  readonly auth: JwksAuthOptions
  /** Where the protected routes and `jwksAuth` are mounted; by default at the root. */
  readonly mount?: string
  /** Trusts a proxy in front of it, by the framework's own setting; by default not. */
  readonly trustsProxy?: boolean
  /** Called by a handler with `auth` after it has responded. */
  readonly afterwards?: (auth: Auth<unknown>) => void
  /** An error handler that responds with {@link errorView}, instead of the framework's own. */
  readonly showErrors?: boolean
  /** Called by that error handler. */
  readonly onError?: (error: unknown) => void
}

/**
 * The same API in each framework: `/bare` has a guard and no authenticator, `/bare-get` calls `getAuth` without one,
 * everything else is behind `jwksAuth`.
 */
export interface ProtectedApp {
  readonly framework: string
  readonly port: number
  readonly registry: Registry
  /** How many requests reached a handler behind `jwksAuth`. */
  handled(): number
  close(): Promise<void>
}

/** A framework that the contract is tested with. */
export interface Framework {
  readonly name: string
  /** True for fetch requests: their URL is absolute and normalised, and a header that came twice is one text. */
  readonly usesFetch?: true
  start(options: AppOptions): Promise<ProtectedApp>
}

/** What `/orders` requires. */
export const orderScopes: [string, ...string[]] = ['orders:read', 'orders:write']

/** What an application's CORS middleware sets before `jwksAuth` runs. */
export const corsHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-origin': 'https://app.example',
  vary: 'Origin',
}

/** Reads the result of an authentication from where an adapter has put it. */
export function authIn(carrier: object, property: string): Auth<unknown> | undefined {
  return Object.hasOwn(carrier, property) ? Reflect.get(carrier, property) : undefined
}

/** What a handler sees, as JSON. */
export function authView(auth: Auth<unknown> | undefined): object {
  if (auth === undefined) return { auth: null }
  const { tenant, provider, claims, header, token, scopes } = auth
  return { auth: { tenant, provider, claims, header, token, scopes: [...scopes] } }
}

/** What an error handler may send to a client, as JSON; what is absent is `null`. */
export function errorView(error: unknown): object {
  const seen = error as Readonly<Record<string, unknown>>
  const names = ['name', 'code', 'status', 'statusCode', 'headers', 'expose', 'message']
  return {
    isError: error instanceof Error,
    isOurs: error instanceof JwksAuthError,
    ...Object.fromEntries(names.map((name) => [name, seen[name] ?? null])),
  }
}

/** The codes of an error and of its causes. */
export function codesOf(error: unknown): readonly unknown[] {
  if (!(error instanceof Error)) return []
  return ['code' in error ? error.code : undefined, ...codesOf(error.cause)]
}

/** The status that an error handler responds with. */
export function errorStatus(error: unknown): number {
  return (error as { readonly status?: number }).status ?? 500
}

/** Returns the port of a listening server. */
export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return address.port
}

/** Returns a port of 127.0.0.1 on which nothing listens, for a program that has to be told one. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server.address())
  server.close()
  await once(server, 'close')
  return port
}
