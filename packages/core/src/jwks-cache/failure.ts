import { FleetFetchFailedError } from '../base/errors/store-errors.ts'
import { UpstreamStatusError, UpstreamTimedOutError, UpstreamUnreachableError } from '../base/errors/upstream-errors.ts'

/** True for what `stale-if-error` is for: a broken network, or a status of 500 and above (RFC 5861 §4). */
export function isOutage(error: unknown): boolean {
  if (error instanceof UpstreamStatusError) return error.status >= 500
  if (error instanceof FleetFetchFailedError) return error.isOutage
  return error instanceof UpstreamUnreachableError || error instanceof UpstreamTimedOutError
}

/** True where the same request may well succeed a moment later; a refusal (4xx) will not, save 408 and 429. */
export function isTransient(error: unknown): boolean {
  if (error instanceof UpstreamStatusError && (error.status === 408 || error.status === 429)) return true
  return isOutage(error)
}

/** The `Retry-After` that came with the failure, in milliseconds. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof UpstreamStatusError ? error.retryAfter : undefined
}
