import type { AuthRequest } from '../../src/index.ts'

/** A request as an adapter hands it over. */
export function requestFor(parts: Partial<AuthRequest>): AuthRequest {
  return { method: 'GET', url: '/', headers: {}, ...parts }
}
