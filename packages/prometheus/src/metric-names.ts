/** The names of the metrics, all with the labels `tenant` and `provider`. */
export const metricNames: readonly [
  'jwks_cache_requests_total',
  'jwks_cache_hits_total',
  'jwks_cache_misses_total',
  'jwks_cache_stale_total',
  'jwks_cache_refresh_total',
  'jwks_cache_refresh_errors_total',
  'jwks_cache_refresh_duration_seconds',
  'jwks_cache_key_age_seconds',
  'jwks_cache_seconds_until_unusable',
  'jwks_auth_rejections_total',
] = Object.freeze([
  'jwks_cache_requests_total',
  'jwks_cache_hits_total',
  'jwks_cache_misses_total',
  'jwks_cache_stale_total',
  'jwks_cache_refresh_total',
  'jwks_cache_refresh_errors_total',
  'jwks_cache_refresh_duration_seconds',
  'jwks_cache_key_age_seconds',
  'jwks_cache_seconds_until_unusable',
  'jwks_auth_rejections_total',
] as const)

/** One of {@link metricNames}. */
export type MetricName = (typeof metricNames)[number]
