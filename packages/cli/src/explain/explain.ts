import { type Authenticator, createAuthenticator, JwksAuthError } from '@jwks-auth/core'
import {
  checkAuthOptions,
  checkBasicClaims,
  checkProviders,
  DEFAULT_NAME,
  instant,
  internals,
  internalsOf,
  issuerOf,
  parseToken,
  selectProvider,
  systemClock,
  type VerificationKey,
  verifySignature,
  vouchesForIssuer,
} from '@jwks-auth/core/diagnostics'
import { UsageError } from '../terminal/exit-codes.ts'
import { duration, printable } from '../terminal/terminal.ts'
import { checkEachClaim } from './claim-checks.ts'
import type { Configuration } from './configuration.ts'
import { remedyFor } from './remedies.ts'
import { safeValues, valueText } from './safe-values.ts'

/** One check. */
export interface Step {
  readonly name: string
  readonly passed: boolean
  /** What was compared; safe to print. */
  readonly detail: string
  /** Of a failed check. */
  readonly code?: string | undefined
  readonly remedy?: string | undefined
}

/** Why a token is accepted or refused. */
export interface Explanation {
  readonly steps: readonly Step[]
  /** What may be shown of the token. */
  readonly values: readonly string[]
  /** What an authenticator with this configuration does: the code of its refusal, or none. */
  readonly refusedWith: string | undefined
  readonly status: number
  readonly tenant: string | undefined
  readonly provider: string | undefined
}

type AuthProvider = Exclude<ReturnType<typeof selectProvider>, Error>
type Parsed = Exclude<ReturnType<typeof parseToken>, Error>

/**
 * Checks a token step by step, and by an authenticator, whose verdict counts.
 *
 * @throws UsageError for a wrong option of the configuration
 */
export async function explain(token: string, { options }: Configuration): Promise<Explanation> {
  const authenticator = createChecked(options)
  try {
    const found = await checkSteps(token, options, authenticator)
    const verdict = await verdictOf(token, options, authenticator)
    const isExplained = verdict.code === undefined || found.steps.some(({ passed }) => !passed)
    const steps = isExplained ? found.steps : [...found.steps, verdict.step]
    return { ...found, steps, refusedWith: verdict.code, status: verdict.status }
  } finally {
    await authenticator.close()
  }
}

function createChecked(options: Configuration['options']): Authenticator<unknown> {
  try {
    return createAuthenticator(options)
  } catch (error) {
    // TypeErrors of core name the option.
    throw new UsageError(`--config: ${error instanceof Error ? error.message : 'the options are wrong'}`)
  }
}

interface Verdict {
  readonly code: string | undefined
  readonly status: number
  readonly step: Step
}

async function verdictOf(
  token: string,
  options: Configuration['options'],
  authenticator: Authenticator<unknown>,
): Promise<Verdict> {
  const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } }
  try {
    const outcome = await authenticator.authenticate(request)
    if (outcome.ok) return { code: undefined, status: 200, step: passed('authenticator', 'accepted') }
    const { code } = outcome.error
    const name = CALLBACKS[code] ?? 'authenticator'
    return { code, status: outcome.response.status, step: failed(name, outcome.error, outcome.error.message) }
  } catch (error) {
    // What a callback throws may quote the token.
    const kind = error instanceof Error ? error.name : 'no Error'
    const detail = `a callback of ${Object.keys(options)
      .filter((name) => ['claims', 'validate', 'isRevoked'].includes(name))
      .join(', ')} threw (${printable(kind)})`
    const step = { name: 'callbacks', passed: false, detail, code: undefined, remedy: 'Fix the callback.' }
    return { code: 'ERR_TOKEN_REJECTED', status: 500, step }
  }
}

const CALLBACKS: Readonly<Record<string, string>> = {
  ERR_CLAIMS_REJECTED: 'schema in claims',
  ERR_TOKEN_REJECTED: 'validate',
  ERR_TOKEN_REVOKED: 'isRevoked',
}

function passed(name: string, detail: string): Step {
  return { name, passed: true, detail }
}

function failed(name: string, { code }: JwksAuthError, detail: string): Step {
  return { name, passed: false, detail, code, remedy: remedyFor(code) }
}

function stepOf(name: string, refusal: JwksAuthError | undefined, detail: string): Step {
  return refusal === undefined ? passed(name, detail) : failed(name, refusal, detail)
}

type Found = Pick<Explanation, 'steps' | 'values' | 'tenant' | 'provider'>

/** The checks of `authenticate`, in its order, as far as one leads to the next. */
async function checkSteps(
  token: string,
  options: Configuration['options'],
  authenticator: Authenticator<unknown>,
): Promise<Found> {
  const checked = checkAuthOptions(options)
  const registry = internalsOf(authenticator.registry)[internals]
  const { directory, all, clockTolerance } = checkProviders(registry, checked.providers).register()
  const bytes = Buffer.byteLength(token)
  const sizeDetail = `${bytes} bytes; maxTokenBytes ${checked.maxTokenBytes}`
  const nothing = { values: [], tenant: undefined, provider: undefined }
  if (bytes > checked.maxTokenBytes) {
    const step = { name: 'size', passed: false, detail: sizeDetail, code: 'ERR_TOKEN_TOO_LONG' } as const
    return { ...nothing, steps: [{ ...step, remedy: remedyFor('ERR_TOKEN_TOO_LONG') }] }
  }
  const parsed = parseToken(token)
  const size = passed('size', sizeDetail)
  if (parsed instanceof Error) {
    return { ...nothing, steps: [size, failed('format', parsed, formatDetail(token, parsed))] }
  }
  const now = Date.now()
  const basic = checkBasicClaims(parsed.payload, now, clockTolerance)
  const steps = [size, passed('format', 'a JWT in compact form'), stepOf('iss and exp', basic, basicDetail(parsed))]
  const values = safeValues(parsed.header, parsed.payload)
  const { iss } = parsed.payload
  const tenant = tenantName(checked, parsed, (issuer) => directory.byIssuer.get(issuer)?.name)
  const provider = selectProvider(tenant === undefined ? undefined : directory.find(tenant), tenant, parsed.payload)
  const issuers = all.flatMap((each) =>
    tenant === undefined || each.registered.key.tenant === tenant ? each.issuers : [],
  )
  const issuerDetail = `iss ${valueText(iss)}; ${tenant === undefined ? 'all tenants' : `tenant ${tenant}`}: ${[...new Set(issuers)].slice(0, 10).map(valueText).join(', ')}`
  if (provider instanceof Error) {
    return {
      steps: [...steps, failed('tenant and issuer', provider, issuerDetail)],
      values,
      tenant,
      provider: undefined,
    }
  }
  const { registered } = provider
  steps.push(passed('tenant and issuer', issuerDetail), algorithmStep(parsed, provider))
  for (const { name, refusal, detail } of checkEachClaim(parsed.header, parsed.payload, provider.rules, now)) {
    steps.push(stepOf(name, refusal, detail))
  }
  if (provider.algorithms.has(parsed.header.alg)) steps.push(...(await keySteps(parsed, provider, authenticator)))
  return { steps, values, tenant: registered.key.tenant, provider: registered.key.provider }
}

function formatDetail(token: string, { code }: JwksAuthError): string {
  if (code === 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD') return 'the header has crit or b64'
  const parts = token.split('.').length
  if (parts === 5) return 'five parts: an encrypted token (JWE)'
  return parts === 3
    ? 'three parts, but not base64url of JSON objects without duplicate members'
    : `${parts} parts instead of 3`
}

function basicDetail({ payload }: Parsed): string {
  return (['iss', 'exp'] as const)
    .map((name) => `${name} is ${Object.hasOwn(payload, name) ? 'present' : 'absent'}`)
    .join(', ')
}

/** The tenant of the command line or of the short form; otherwise the one whose issuer the token has. */
function tenantName(
  { isSingleTenant, resolver }: ReturnType<typeof checkAuthOptions>,
  { payload }: Parsed,
  byIssuer: (issuer: string) => string | undefined,
): string | undefined {
  if (isSingleTenant) return DEFAULT_NAME
  const name = resolver?.({ method: 'GET', url: '/', headers: {} })
  return typeof name === 'string' ? name : byIssuer(issuerOf(payload))
}

function algorithmStep({ header }: Parsed, { algorithms }: AuthProvider): Step {
  const detail = `alg ${valueText(header.alg)}; allowed: ${[...algorithms].join(', ')}`
  if (algorithms.has(header.alg)) return passed('algorithm', detail)
  return {
    name: 'algorithm',
    passed: false,
    detail,
    code: 'ERR_ALGORITHM_NOT_ALLOWED',
    remedy: remedyFor('ERR_ALGORITHM_NOT_ALLOWED'),
  }
}

/** The search for the key, and the signature. */
async function keySteps(
  parsed: Parsed,
  { registered }: AuthProvider,
  { registry }: Authenticator<unknown>,
): Promise<readonly Step[]> {
  const { kid, alg } = parsed.header
  const start = performance.now()
  const keys = await registered.cache.findKeys(kid, alg, instant(systemClock))
  const { kids, lastError } = registry.status(registered.key.tenant, registered.key.provider)
  const published = kids.slice(0, 20).map(valueText).join(', ')
  const wanted = kid === undefined ? 'no kid' : `kid ${valueText(kid)}`
  if (keys instanceof JwksAuthError) {
    const reason = lastError === undefined ? `published: ${published}` : `${lastError.code}: ${lastError.message}`
    return [failed('key', keys, `${wanted}; ${reason}`)]
  }
  const key = passed('key', `${wanted}, found after ${duration(performance.now() - start)}; published: ${published}`)
  return [key, await signatureStep(parsed, keys, (each) => registered.cache.importKey(each, alg))]
}

async function signatureStep(
  parsed: Parsed,
  keys: readonly VerificationKey[],
  importKey: (key: VerificationKey) => Parameters<typeof verifySignature>[0] | undefined,
): Promise<Step> {
  for (const key of keys) {
    const imported = vouchesForIssuer(key, parsed.payload) ? importKey(key) : undefined
    if (imported !== undefined && (await verifySignature(imported, parsed))) {
      return passed(
        'signature',
        `it verifies with ${key.kid === undefined ? 'a key without kid' : `kid ${valueText(key.kid)}`}`,
      )
    }
  }
  const isUsable = keys.some((key) => vouchesForIssuer(key, parsed.payload) && importKey(key) !== undefined)
  const code = isUsable ? 'ERR_SIGNATURE_INVALID' : 'ERR_KEY_NOT_FOUND'
  const detail = isUsable ? 'it does not verify' : 'the key is for another issuer, or cannot be imported'
  return { name: 'signature', passed: false, detail, code, remedy: remedyFor(code) }
}
