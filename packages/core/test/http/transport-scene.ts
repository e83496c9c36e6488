import { onTestFinished } from 'vitest'
import type { TransportResponse } from '../../src/http/freshness.ts'
import { createTransport, type TransportPolicy } from '../../src/http/transport.ts'

/** What a provider on loopback is allowed. */
export const loopbackPolicy: TransportPolicy = {
  requireHttps: false,
  allowedDomains: [],
  network: 'any',
  allowAddresses: [],
  pinnedSpki: [],
  headers: undefined,
  ca: undefined,
  configuredOrigin: '',
  networkIsExplicit: true,
  maxResponseBytes: 1_048_576,
  maxRedirects: 3,
}

/** One GET by a transport of its own. */
export async function get(
  url: string,
  policy: Partial<TransportPolicy> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<TransportResponse> {
  const transport = createTransport()
  onTestFinished(() => transport.close())
  const configuredOrigin = new URL(url).origin
  return await transport.get(
    { url, document: 'key set', headers: { 'if-none-match': '"a"' }, signal, timeout: 5_000 },
    { ...loopbackPolicy, configuredOrigin, ...policy },
  )
}

/** The name of the error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  )
}
