import { stringOption } from '../base/options.ts'
import { isAbsoluteForm, type TenantResolver } from './tenant-resolver.ts'

const PLACEHOLDER = ':tenant'

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
