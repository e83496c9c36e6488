import { headerOf } from '../base/auth-request.ts'
import { stringOption } from '../base/options.ts'
import type { TenantResolver } from './tenant-resolver.ts'

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
