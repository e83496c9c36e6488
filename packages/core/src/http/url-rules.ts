import { UpstreamUrlNotAllowedError } from '../base/errors/upstream-errors.ts'

/** Which URLs a provider's documents may come from; checked at registration and on every redirect. */
export interface UrlRules {
  /** Only `https:`. */
  readonly requireHttps: boolean
  /** Canonical host names that are allowed with everything below them; empty for any host. */
  readonly allowedDomains: readonly string[]
}

/** Throws an {@link UpstreamUrlNotAllowedError} for a URL that the rules do not allow. */
export function checkUrl(url: URL, rules: UrlRules): void {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse('it is neither https: nor http:')
  if (url.protocol === 'http:' && rules.requireHttps) {
    refuse('it is http:, and requireHttps is true (which pinnedSpki implies)')
  }
  if (url.username !== '' || url.password !== '') refuse('it contains credentials')
  const host = withoutTrailingDot(url.hostname)
  if (rules.allowedDomains.length > 0 && !rules.allowedDomains.some((domain) => isWithin(host, domain))) {
    refuse('its host is not within allowedDomains')
  }
}

/** True for the domain itself and for every name below it, by whole labels. */
export function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`)
}

/** A host name in the form in which URLs have it: lower case, punycode, no trailing dot. */
export function canonicalDomain(domain: string): string | undefined {
  if (/[/@?#:\\\s*]/.test(domain)) return undefined
  const url = parseUrl(`https://${domain}`)
  const host = url === undefined ? '' : withoutTrailingDot(url.hostname)
  // ".example.com" would match no host; it is a slip for "example.com".
  return host.split('.').includes('') ? undefined : host
}

/** Parses a URL without throwing (`URL.parse` came with Node 22). */
export function parseUrl(text: string, base?: URL): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

function withoutTrailingDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host
}

function refuse(reason: string): never {
  throw new UpstreamUrlNotAllowedError(reason)
}
