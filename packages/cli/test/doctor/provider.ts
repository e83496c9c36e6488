import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { onTestFinished } from 'vitest'
import { type Certified, certify, certifyServer, privateKeyOf } from '../../../core/test/http/tls/certificates.ts'

/** A published key. */
export type Jwk = Record<string, unknown>

/** A provider without mistakes, as long as a test seeds none. */
export interface Provider {
  readonly issuer: string
  readonly metadata: Record<string, unknown>
  keys: Jwk[]
  /** Instead of the key set, if there is one: text or bytes. */
  body: string | Buffer | undefined
  /** Of the key set's response; `undefined` removes one. */
  readonly headers: Record<string, string | undefined>
  /** Of the metadata's response. */
  readonly metadataHeaders: Record<string, string | undefined>
  /** Responds to a request itself; false where it leaves that to the provider. */
  answer: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  /** Milliseconds before each response with the key set. */
  delay: number
  /** The file with the authority to trust. */
  readonly caFile: string
}

/** What the provider's certificate is to be. */
export interface TlsOptions {
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  readonly notAfter?: number
  /** An authority that is not trusted. */
  readonly isForeign?: boolean
}

const authority = certify({ subject: 'root' })

/** A key that a test may change. */
export function rsaKey(members: Jwk = {}, bits = 2048): Jwk {
  const { publicKey } = generateKeys('rsa', { modulusLength: bits })
  return { ...publicKey.export({ format: 'jwk' }), kid: 'rsa', alg: 'RS256', use: 'sig', ...members }
}

export function ecKey(members: Jwk = {}): Jwk {
  const { publicKey } = generateKeys('ec', { namedCurve: 'P-256' })
  return { ...publicKey.export({ format: 'jwk' }), kid: 'ec', alg: 'ES256', use: 'sig', ...members }
}

export function privateKey(): Jwk {
  const { privateKey: key } = generateKeys('ec', { namedCurve: 'P-256' })
  return { ...key.export({ format: 'jwk' }), kid: 'private', alg: 'ES256', use: 'sig' }
}

const goodKeys = [rsaKey(), ecKey()]

/** Starts a provider by https: for the length of one test. */
export async function startProvider(tls: TlsOptions = {}): Promise<Provider> {
  const { isForeign = false, ...options } = tls
  const issuerOf: Certified = isForeign ? certify({ subject: 'foreign' }) : authority
  const leaf = certifyServer(issuerOf, options)
  const server = createServer({ key: privateKeyOf(leaf), cert: leaf.certificate }, (request, response) => {
    if (provider.answer?.(request, response) === true) return
    const delay = request.url === '/jwks' ? provider.delay : 0
    setTimeout(() => respond(provider, request, response), delay)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, authority.certificate)
  onTestFinished(async () => {
    rmSync(folder, { recursive: true })
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  const provider: Provider = {
    issuer,
    caFile,
    metadata: {
      issuer,
      jwks_uri: `${issuer}/jwks`,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
    },
    keys: goodKeys,
    body: undefined,
    headers: {},
    metadataHeaders: {},
    answer: undefined,
    delay: 0,
  }
  return provider
}

function respond(provider: Provider, { url, headers }: IncomingMessage, response: ServerResponse): void {
  const isMetadata = url === '/.well-known/openid-configuration'
  if (!isMetadata && url !== '/jwks') {
    response.writeHead(404).end()
    return
  }
  const usual = JSON.stringify(isMetadata ? provider.metadata : { keys: provider.keys })
  const body = isMetadata ? usual : (provider.body ?? usual)
  const fields: Record<string, string | undefined> = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'public, max-age=600',
    etag: `"${createHash('sha256').update(body).digest('hex')}"`,
    ...(isMetadata ? provider.metadataHeaders : provider.headers),
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) response.setHeader(name, value)
  }
  if (fields['etag'] !== undefined && headers['if-none-match'] === fields['etag']) response.writeHead(304).end()
  else response.end(body)
}
