import type { AuthRequest } from './auth-request.ts'
import { headerOf } from './framework-request.ts'

/**
 * Whether a page of the same origin caused a request: by Fetch Metadata, or, from a browser without it, by an `Origin` that
 * is the requested host. `undefined` for a request with neither, which no current browser sends with an unsafe method.
 */
export function isSameOrigin(request: AuthRequest): boolean | undefined {
  const site = headerOf(request, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  const origin = headerOf(request, 'origin')
  if (origin === undefined) return undefined
  const host = headerOf(request, 'host') ?? headerOf(request, ':authority')
  if (typeof origin !== 'string' || typeof host !== 'string') return false
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host.toLowerCase()
}
