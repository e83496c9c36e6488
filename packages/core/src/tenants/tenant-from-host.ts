import { headerOf } from '../base/auth-request.ts'
import { stringOption } from '../base/options.ts'
import { isAbsoluteForm, type TenantResolver } from './tenant-resolver.ts'

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
