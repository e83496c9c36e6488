import { generateKeyPair } from 'jose'
import type { RawRequest } from './raw-request.ts'
import { marker, realm, resourceMetadata, sign, type World } from './world.ts'

/** The response to a refused request. */
export interface Refusal {
  readonly status: number
  readonly challenge: string | undefined
  readonly error: string
  readonly description: string
}

/** A request that must be refused, and the response. */
export interface Row {
  readonly title: string
  readonly request: (world: World) => RawRequest | Promise<RawRequest>
  readonly refusal: Refusal
  /** The response of frameworks that see two headers of a name as one with a comma, where it is another. */
  readonly refusalIfJoined?: Refusal
}

function challengeOf(...parameters: string[]): string {
  return `Bearer ${[`realm="${realm}"`, ...parameters, `resource_metadata="${resourceMetadata}"`].join(', ')}`
}

function withError(status: number, error: string, description: string, ...parameters: string[]): Refusal {
  const challenge = challengeOf(`error="${error}"`, `error_description="${description}"`, ...parameters)
  return { status, challenge, error, description }
}

export const missing: Refusal = {
  status: 401,
  challenge: challengeOf(),
  error: 'unauthorized',
  description: 'A bearer token is required.',
}
const malformed = withError(400, 'invalid_request', 'The request must carry exactly one bearer token.')
const tooLong = withError(400, 'invalid_request', 'The bearer token is too long.')
const noJwt = withError(401, 'invalid_token', 'The access token is not a well-formed JWT.')
const expired = withError(401, 'invalid_token', 'The access token has expired.')
export const invalid: Refusal = withError(401, 'invalid_token', 'The access token is not valid for this request.')
const scopeMissing: Refusal = withError(
  403,
  'insufficient_scope',
  'The access token lacks a scope that this request requires.',
  'scope="orders:read orders:write"',
)
export const unavailable: Refusal = {
  status: 503,
  challenge: undefined,
  error: 'temporarily_unavailable',
  description: 'The access token cannot be checked at the moment. Try again later.',
}
const guardAlone: Refusal = {
  status: 500,
  challenge: undefined,
  error: 'server_error',
  description: 'A guard ran before jwksAuth: mount jwksAuth ahead of the routes that it protects.',
}

/** A request with the marker in its host and a header. */
export function asking(authorization: string | undefined, request: RawRequest = {}, tenant = 'acme'): RawRequest {
  return {
    host: `${marker}.example`,
    ...request,
    headers: [
      ['X-Marker', marker],
      ['X-Tenant', tenant],
      ...(authorization === undefined ? [] : [['Authorization', authorization] as const]),
      ...(request.headers ?? []),
    ],
  }
}

/** A request with a token of the Bearer scheme. */
export function bearing(token: string, request: RawRequest = {}, tenant = 'acme'): RawRequest {
  return asking(`Bearer ${token}`, request, tenant)
}

const now = (): number => Math.floor(Date.now() / 1000)

function plain(title: string, refusal: Refusal, authorization: string | undefined, request: RawRequest = {}): Row {
  return { title, refusal, request: () => asking(authorization, request) }
}

function token(
  title: string,
  refusal: Refusal,
  make: (world: World) => Promise<string>,
  tenant = 'acme',
  request: RawRequest = {},
): Row {
  return { title, refusal, request: async (world) => bearing(await make(world), request, tenant) }
}

const noCredentials: readonly Row[] = [
  plain('no credentials', missing, undefined),
  plain('an empty Authorization header', missing, ''),
  plain('another scheme', missing, `Basic ${marker}`),
  plain('another scheme that begins like Bearer', missing, `Bearer2 ${marker}`),
  plain('no credentials, HEAD', missing, undefined, { method: 'HEAD' }),
  plain('no credentials, OPTIONS', missing, undefined, { method: 'OPTIONS' }),
  plain('no credentials, POST to an unknown path', missing, undefined, { method: 'POST', target: '/nowhere' }),
  plain('no credentials, an absolute-form target', missing, undefined, { target: `http://${marker}.example/who` }),
  plain('no credentials, a query', missing, undefined, { target: `/who?access_token=${marker}` }),
]

const malformedCredentials: readonly Row[] = [
  plain('Bearer alone', malformed, 'Bearer'),
  plain('Bearer and spaces', malformed, 'Bearer   '),
  plain('two tokens', malformed, `Bearer ${marker} ${marker}`),
  plain('two comma-joined credentials', malformed, `Bearer ${marker}, Bearer ${marker}`),
  plain('a tab for the space', malformed, `Bearer\t${marker}`),
  plain('characters that are not allowed in a token', malformed, `Bearer ${marker}"<script>`),
  plain('bytes outside of ASCII', malformed, `Bearer ${marker}\xff\xfe`),
  {
    title: 'two Authorization headers',
    refusal: malformed,
    request: async ({ acme }) => bearing(await sign(acme), { headers: [['authorization', `Bearer ${marker}`]] }),
  },
  {
    title: 'two Authorization headers, the first of another scheme',
    refusal: malformed,
    refusalIfJoined: missing,
    request: async ({ acme }) =>
      asking(`Basic ${marker}`, { headers: [['authorization', `Bearer ${await sign(acme)}`]] }),
  },
  plain('a token that is too long', tooLong, `Bearer ${'x'.repeat(2_049)}`),
]

const badTokens: readonly Row[] = [
  plain('a token that is not a JWT', noJwt, `Bearer ${marker}`),
  token('a bad signature', invalid, async ({ acme }) => {
    const { privateKey } = await generateKeyPair('ES256')
    return await sign(acme, {}, { signWith: privateKey })
  }),
  token('an expired token', expired, ({ acme }) => sign(acme, { exp: now() - 600 })),
  token('a token that is not yet valid', invalid, ({ acme }) => sign(acme, { nbf: now() + 600 })),
  token('a token without exp', invalid, ({ acme }) => sign(acme, { exp: undefined })),
  token('a token with a string as exp', invalid, ({ acme }) => sign(acme, { exp: 'tomorrow' })),
  token('a token issued in the future', invalid, ({ acme }) => sign(acme, { iat: now() + 600 })),
  token('a wrong issuer', invalid, ({ acme }) => sign(acme, { iss: `https://${marker}.example` })),
  token('a foreign issuer', invalid, ({ stranger }) => sign(stranger)),
  token('a wrong audience', invalid, ({ acme }) => sign(acme, { aud: marker })),
  token('a wrong typ', invalid, ({ acme }) => sign(acme, {}, { typ: 'logout+jwt' })),
  token('alg none', invalid, ({ acme }) => sign(acme, {}, { alg: 'none' }).then((unsigned) => `${unsigned}AA`)),
  token('alg HS256 with the public key', invalid, ({ acme }) => sign(acme, {}, { alg: 'HS256' })),
  token('an unknown kid', invalid, ({ acme }) => sign(acme, {}, { kid: marker })),
  token('no tenant', invalid, ({ acme }) => sign(acme), ''),
  token('an unknown tenant', invalid, ({ acme }) => sign(acme), 'initech'),
  token('a tenant named like a property of every object', invalid, ({ acme }) => sign(acme), '__proto__'),
  token('a malformed tenant id', invalid, ({ acme }) => sign(acme), `../${marker}`),
  {
    title: 'two tenant headers',
    refusal: invalid,
    request: async ({ acme }) => bearing(await sign(acme), { headers: [['x-tenant', 'acme']] }),
  },
  token("another tenant's token", invalid, ({ globex }) => sign(globex)),
  token('claims that the schema refuses', invalid, ({ acme }) => sign(acme, { sub: marker })),
  token('a revoked key', invalid, ({ acme }) => sign(acme, {}, { key: 'acme-revoked' })),
  token('an expired token, HEAD', expired, ({ acme }) => sign(acme, { exp: now() - 600 }), 'acme', { method: 'HEAD' }),
]

const others: readonly Row[] = [
  token('a scope that is missing', scopeMissing, ({ acme }) => sign(acme, { scope: 'orders:read' }), 'acme', {
    target: '/orders',
  }),
  token('no scope at all, HEAD', scopeMissing, ({ acme }) => sign(acme), 'acme', { target: '/orders', method: 'HEAD' }),
  plain('a guard where no authenticator ran', guardAlone, undefined, { target: '/bare' }),
  token('a guard where no authenticator ran, and a good token', guardAlone, ({ acme }) => sign(acme), 'acme', {
    target: '/bare',
  }),
  token('a provider that is down, and no keys', unavailable, ({ dark }) => sign(dark), 'dark'),
]

/** All refusals that need no further set-up. */
export const rows: readonly Row[] = [...noCredentials, ...malformedCredentials, ...badTokens, ...others]
