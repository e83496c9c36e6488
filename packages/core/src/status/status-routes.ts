import { isIdentifier } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'

const READ: readonly string[] = Object.freeze(['GET', 'HEAD'])
const WRITE: readonly string[] = Object.freeze(['POST'])

/** What a path below the mount is, and its methods. */
export type StatusRoute =
  | { readonly name: 'overview' | 'list' | 'live' | 'ready'; readonly methods: readonly string[] }
  | ({ readonly name: 'detail' | 'refresh'; readonly methods: readonly string[] } & ProviderKey)

const FIXED: ReadonlyMap<string, StatusRoute> = new Map([
  ['', { name: 'overview', methods: READ }],
  ['/providers', { name: 'list', methods: READ }],
  ['/health/live', { name: 'live', methods: READ }],
  ['/health/ready', { name: 'ready', methods: READ }],
])

/** Finds what a path is; one slash at its end does not matter. Names of providers need no percent-encoding. */
export function statusRoute(path: string): StatusRoute | undefined {
  const trimmed = path.replace(/\/$/, '')
  const fixed = FIXED.get(trimmed)
  if (fixed !== undefined) return fixed
  const [root, folder, tenant, provider, action, ...rest] = trimmed.split('/')
  if (root !== '' || folder !== 'providers' || rest.length > 0) return undefined
  if (!isIdentifier(tenant) || !isIdentifier(provider)) return undefined
  if (action === undefined) return { name: 'detail', methods: READ, tenant, provider }
  return action === 'refresh' ? { name: 'refresh', methods: WRITE, tenant, provider } : undefined
}
