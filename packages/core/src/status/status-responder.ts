import { type AuthRequest, headerOf, isSameOrigin } from '../base/auth-request.ts'
import { JwksAuthError, ProviderNotRegisteredError, RegistryClosedError } from '../base/errors/jwks-auth-error.ts'
import {
  argumentOptions,
  callback,
  isIdentifier,
  type OptionTable,
  optional,
  stringListOption,
} from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { internals, type RefreshOutcome, type RegistryInternals } from '../registry/registry.ts'
import { detailJson, listJson, overviewJson, overviewOf, pagePolicy, renderPage } from './page.ts'
import { recordHistory } from './timeline.ts'
import { byUrgency, conditionOf, readProviderQuery, selectProviders } from './verdict.ts'

/** The options of a status handler. `Request` is what `authorize` gets: the framework's own request or context. */
export interface StatusHandlerOptions<Request> {
  /**
   * Decides who may see the status and refresh providers. It is awaited, and only `true` passes; any other result is answered
   * with 403. An error goes to the framework's own error path. The probes do not call it. Required.
   */
  readonly authorize: (request: Request) => boolean | Promise<boolean>
  /** Providers without which the process is not ready, each as `'tenant/provider'`. Default none. */
  readonly required?: readonly string[] | undefined
}

/** Options that were checked. */
export interface CheckedStatusOptions {
  readonly authorize: (request: unknown) => unknown
  readonly required: readonly ProviderKey[]
}

const table: OptionTable<StatusHandlerOptions<unknown>, CheckedStatusOptions> = {
  authorize: { check: callback<CheckedStatusOptions['authorize']>() },
  required: optional((name, value) => stringListOption(name, value).map(providerNamed), []),
}

/**
 * Checks the options of a status handler.
 *
 * @throws TypeError that names a wrong or missing option
 */
function checkStatusOptions(options: unknown): CheckedStatusOptions {
  return argumentOptions('createStatusHandler', options, table)
}

function providerNamed(name: string): ProviderKey {
  const [tenant, provider, ...rest] = name.split('/')
  if (!isIdentifier(tenant) || !isIdentifier(provider) || rest.length > 0) {
    throw new TypeError('required must name providers as "tenant/provider"')
  }
  return { tenant, provider }
}

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
function statusRoute(path: string): StatusRoute | undefined {
  const trimmed = path.replace(/\/$/, '')
  const fixed = FIXED.get(trimmed)
  if (fixed !== undefined) return fixed
  const [root, folder, tenant, provider, action, ...rest] = trimmed.split('/')
  if (root !== '' || folder !== 'providers' || rest.length > 0) return undefined
  if (!isIdentifier(tenant) || !isIdentifier(provider)) return undefined
  if (action === undefined) return { name: 'detail', methods: READ, tenant, provider }
  return action === 'refresh' ? { name: 'refresh', methods: WRITE, tenant, provider } : undefined
}

/**
 * True where a client prefers HTML to JSON (RFC 9110 §12.5.1): browsers name `text/html`. A client that accepts anything
 * gets JSON.
 */
export function prefersHtml(accept: string): boolean {
  const ranges = new Map(accept.split(',').map(readRange))
  const html = ranges.get('text/html') ?? 0
  const json = ranges.get('application/json') ?? ranges.get('application/*') ?? ranges.get('*/*') ?? 0
  return html > 0 && html >= json
}

function readRange(text: string): [type: string, quality: number] {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  const quality = weight === undefined ? 1 : Number(weight.slice(2))
  return [type, quality >= 0 && quality <= 1 ? quality : 0]
}

/** A response of a status handler, to be sent as it is. To a HEAD request the framework sends no body. */
export interface StatusResponse {
  /** The status. */
  readonly status: number
  /** Headers by lower-case name, `content-length` not among them. */
  readonly headers: Readonly<Record<string, string>>
  /** The body as text. */
  readonly body: string
}

/**
 * Responds to a request.
 *
 * @param request the request, with the target as the client sent it as its `url`
 * @param target the target below the mount: path and query
 * @returns rejects with what `authorize` throws
 */
export type StatusResponder = (request: AuthRequest, target: string) => Promise<StatusResponse>

/** What every response carries: nothing is stored, sniffed, framed or loaded. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
})

/**
 * Creates what the status handlers of all frameworks have in common. It records the events of the registry from now on.
 *
 * @param given a registry; adapters declare its type, so that the types of this entry point need none of Node
 * @throws TypeError that names a wrong option, or where `authorize` is missing
 */
export function createStatusResponder<Request>(given: object, options: StatusHandlerOptions<Request>): StatusResponder {
  const { authorize, required } = checkStatusOptions(options)
  const registry = checkRegistry(given)
  const { clock, closed } = registry[internals]
  const history = recordHistory(registry, clock)

  async function respond(request: AuthRequest, target: string): Promise<StatusResponse> {
    const [path = '', search = ''] = target.split('?', 2)
    const route = statusRoute(path)
    const isProbe = route?.name === 'live' || route?.name === 'ready'
    if (!isProbe && (await authorize(request.raw)) !== true) return problem(403, 'forbidden')
    if (route === undefined) return problem(404, 'not_found')
    const { methods } = route
    if (!methods.includes(request.method)) return problem(405, 'method_not_allowed', { allow: methods.join(', ') })
    try {
      return await respondTo(route, request, search)
    } catch (error) {
      if (error instanceof ProviderNotRegisteredError) return problem(404, 'not_found')
      if (error instanceof RegistryClosedError) return problem(503, 'temporarily_unavailable', { 'retry-after': '1' })
      throw error
    }
  }

  async function respondTo(route: StatusRoute, request: AuthRequest, search: string): Promise<StatusResponse> {
    switch (route.name) {
      case 'live':
        return json(200, { status: 'live' })
      case 'ready':
        return isReady() ? json(200, { status: 'ready' }) : json(503, { status: 'not-ready' }, { 'retry-after': '1' })
      case 'overview':
        return overview(request, search)
      case 'list': {
        const query = readProviderQuery(new URLSearchParams(search))
        if ('wrong' in query) return problem(400, 'invalid_request', {}, query.wrong)
        return json(200, listJson(selectProviders(byUrgency(registry.statuses()), query), query, clock.now()))
      }
      case 'detail': {
        const status = registry.status(route.tenant, route.provider)
        return json(200, detailJson({ status, condition: conditionOf(status) }, history, clock.now()))
      }
      case 'refresh':
        return await refresh(route, request)
    }
  }

  function overview(request: AuthRequest, search: string): StatusResponse {
    const providers = byUrgency(registry.statuses())
    const view = overviewOf(providers, history, clock.now())
    if (!prefersHtml([headerOf(request, 'accept') ?? '*/*'].flat().join(','))) {
      return json(200, overviewJson(view), { vary: 'accept' })
    }
    const query = readProviderQuery(new URLSearchParams(search))
    if ('wrong' in query) return problem(400, 'invalid_request', {}, query.wrong)
    const page = selectProviders(providers, query)
    const body = renderPage({ overview: view, page, query, history, base: mountFrom(request.url) })
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': pagePolicy,
      vary: 'accept',
    }
    return { status: 200, headers: { ...SECURITY_HEADERS, ...headers }, body }
  }

  async function refresh({ tenant, provider }: ProviderKey, request: AuthRequest): Promise<StatusResponse> {
    if (!isIntended(request)) return problem(403, 'cross_site_request')
    const outcome = await registry.refresh(tenant, provider)
    // The form of the page, where scripts are blocked: back to the page.
    if (prefersHtml(String(headerOf(request, 'accept') ?? ''))) return json(303, {}, { location: '../../../' })
    return json(200, refreshJson(outcome))
  }

  /** Ready while every required provider can serve. Where one has no keys, they are fetched: no request may come to do it. */
  function isReady(): boolean {
    return !closed.aborted && required.map(canServe).every(Boolean)
  }

  function canServe({ tenant, provider }: ProviderKey): boolean {
    try {
      if (registry.status(tenant, provider).health !== 'unavailable') return true
    } catch (error) {
      if (error instanceof JwksAuthError) return false
      throw error
    }
    // Not more often than requests would: `resolve` obeys backoff and `negativeCacheTtl`.
    registry.resolve(tenant, provider).catch(() => undefined)
    return false
  }

  return respond
}

function checkRegistry(given: object): RegistryInternals {
  if (typeof given !== 'object' || given === null || !(internals in given)) {
    throw new TypeError('createStatusHandler takes a registry that createRegistry made')
  }
  return given as RegistryInternals
}

/**
 * True for a request that a page of another site cannot make (CSRF): one of the same origin, or, from a client that is no
 * browser, one whose content type no form can have (Fetch §2.2.2).
 */
function isIntended(request: AuthRequest): boolean {
  const sameOrigin = isSameOrigin(request)
  if (sameOrigin !== undefined) return sameOrigin
  const type = headerOf(request, 'content-type')
  return typeof type === 'string' && /^application\/json\s*(?:;|$)/i.test(type)
}

/** The mount as seen from the page: with `/status` its paths begin with `status/`, with `/status/` they are beside it. */
function mountFrom(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  return `./${path.slice(path.lastIndexOf('/') + 1)}/`.replace('.//', './')
}

function refreshJson(outcome: RefreshOutcome): object {
  if (outcome.ok) return outcome
  const { code, message } = outcome.error
  return { ok: false, error: { code, message } }
}

function json(status: number, value: object, headers: Readonly<Record<string, string>> = {}): StatusResponse {
  const all = { ...SECURITY_HEADERS, 'content-type': 'application/json', ...headers }
  return { status, headers: all, body: JSON.stringify(value) }
}

/** The sentences of errors; the schema `Problem` of jwks-auth.openapi.yaml. */
const PROBLEMS = Object.freeze({
  cross_site_request: 'Send it from the same origin, or with the content type application/json.',
  forbidden: 'This request is not authorized.',
  invalid_request: 'A query parameter has a wrong value.',
  method_not_allowed: 'The Allow header names the methods of this path.',
  not_found: 'There is nothing at this path.',
  temporarily_unavailable: 'The application is shutting down.',
})

function problem(
  status: number,
  error: keyof typeof PROBLEMS,
  headers: Readonly<Record<string, string>> = {},
  parameter?: string,
): StatusResponse {
  return json(status, { error, error_description: PROBLEMS[error], parameter }, headers)
}
