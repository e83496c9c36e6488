import { type AuthRequest, headerOf } from '../base/auth-request.ts'
import { stringOption } from '../base/options.ts'

/**
 * Derives the tenant's name from a request; `undefined` where it names none. The result is checked before it is used, so
 * a resolver may return text of the request unchecked.
 */
export type TenantResolver = (request: AuthRequest) => string | undefined | Promise<string | undefined>

/** Marks the resolver that reads the token instead of the request; the same mark in every copy of this package. */
const fromIssuer: unique symbol = Symbol.for('@jwks-auth/core: tenant from issuer') as never

/**
 * Takes the tenant from the token's own `iss`: whichever tenant has that issuer. Only for tenants of which no two
 * share an issuer, and only where nothing else in the request names a tenant: the token alone decides.
 */
export function tenantFromIssuer(): TenantResolver {
  return Object.assign(() => undefined, { [fromIssuer]: true })
}

/** True for what {@link tenantFromIssuer} made. */
export function isTenantFromIssuer(resolver: TenantResolver): boolean {
  return fromIssuer in resolver
}

/** True where the request target names a host of its own (RFC 9112 §3.2.2), which may differ from every header. */
function isAbsoluteForm(url: string): boolean {
  return !url.startsWith('/')
}

/** What a pattern has in the place of the tenant's name. */
const PLACEHOLDER = ':tenant'

/**
 * RFC 9110 §7.2: a host and perhaps a port. Frameworks derive different host names from lists and user information, so
 * these name no tenant.
 */
const HOST = /^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d*)?$/i

/**
 * Takes the tenant from the host name, by a pattern such as `':tenant.api.example.com'` in which `:tenant` stands for
 * exactly one label. Port, case and a trailing dot make no difference; the tenant's name is in lower case. A `Host` that
 * came twice names no tenant, nor does one that differs from the `:authority` of HTTP/2 (RFC 9113 §8.3.1).
 *
 * @throws TypeError for a pattern without exactly one `:tenant` label
 */
export function tenantFromHost(pattern: string): TenantResolver {
  const labels = stringOption('tenantFromHost pattern', pattern).toLowerCase().split('.')
  const index = labels.indexOf(PLACEHOLDER)
  const isWhole = labels.every((label, at) => at === index || /^[a-z0-9_-]+$/.test(label))
  if (index < 0 || !isWhole) {
    throw new TypeError(
      'tenantFromHost pattern must be a host name with one label ":tenant", such as ":tenant.example.com"',
    )
  }
  const prefix = labels
    .slice(0, index)
    .map((label) => `${label}.`)
    .join('')
  const suffix = labels
    .slice(index + 1)
    .map((label) => `.${label}`)
    .join('')
  return (request) => {
    const authority = headerOf(request, ':authority')
    const header = headerOf(request, 'host') ?? authority
    // Whatever the framework's host name is: two readers may take different ones of two headers.
    if (Array.isArray(header) || isAbsoluteForm(request.url)) return undefined
    if (typeof header === 'string' && !HOST.test(header)) return undefined
    if (authority !== undefined && !isSameHost(authority, header)) return undefined
    const host = request.hostname ?? header
    if (typeof host !== 'string') return undefined
    const name = withoutPort(host).toLowerCase()
    if (name.length <= prefix.length + suffix.length || !name.startsWith(prefix) || !name.endsWith(suffix))
      return undefined
    const tenant = name.slice(prefix.length, name.length - suffix.length)
    return tenant.includes('.') ? undefined : tenant
  }
}

function isSameHost(authority: string | readonly string[], host: string | readonly string[] | undefined): boolean {
  return typeof authority === 'string' && typeof host === 'string' && authority.toLowerCase() === host.toLowerCase()
}

function withoutPort(host: string): string {
  const name = host.replace(/:\d*$/, '')
  return name.endsWith('.') ? name.slice(0, -1) : name
}

/** Encoded separators, backslashes, empty and dot segments: a router may read these differently. */
const AMBIGUOUS = /\\|%2f|%5c|\/\/|\/(?:\.|%2e){1,2}(?:\/|$)/i

/**
 * Takes the tenant from the path, by a pattern such as `'/tenants/:tenant'`. The pattern matches whole segments from the
 * start of the path; the rest of the path may be anything.
 *
 * @throws TypeError for a pattern without exactly one `:tenant` segment
 */
export function tenantFromPath(pattern: string): TenantResolver {
  const segments = stringOption('tenantFromPath pattern', pattern)
    .replace(/\/\*?$/, '')
    .split('/')
  const index = segments.indexOf(PLACEHOLDER)
  const isWhole = segments.every((segment, at) => at === 0 || at === index || /^[A-Za-z0-9_.~-]+$/.test(segment))
  if (segments[0] !== '' || index < 0 || !isWhole) {
    throw new TypeError('tenantFromPath pattern must be a path with one segment ":tenant", such as "/tenants/:tenant"')
  }
  return ({ url }) => {
    if (isAbsoluteForm(url)) return undefined
    const path = pathOf(url)
    if (AMBIGUOUS.test(path)) return undefined
    const parts = path.split('/', segments.length)
    if (parts.length < segments.length) return undefined
    const isMatch = segments.every((segment, at) => at === index || segment === parts[at])
    return isMatch ? parts[index] : undefined
  }
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

/**
 * Takes the tenant from a header, such as `'x-tenant-id'`. A client may set it to any tenant, but its token must come
 * from that tenant. A header that came twice names no tenant.
 *
 * @throws TypeError for what is no header name (RFC 9110 §5.1)
 */
export function tenantFromHeader(name: string): TenantResolver {
  const header = stringOption('tenantFromHeader name', name).toLowerCase()
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(header)) throw new TypeError('tenantFromHeader name must be a header name')
  return (request) => {
    const value = headerOf(request, header)
    return typeof value === 'string' ? value : undefined
  }
}
