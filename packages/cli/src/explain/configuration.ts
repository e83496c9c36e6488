import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { JwksAuthOptions } from '@jwks-auth/core'
import {
  claimRuleNames,
  isObject,
  isTenantFromIssuer,
  nearestName,
  readKeySet,
  requestOptionNames,
  type Unchecked,
} from '@jwks-auth/core/diagnostics'
import { UsageError } from '../terminal/exit-codes.ts'

/** What the command line says about the configuration. */
export interface ConfigurationChoice {
  /** The path of the file. */
  readonly file: string
  readonly tenant: string | undefined
  /** The path of a key set, instead of the provider's. */
  readonly jwksFile: string | undefined
}

/** Options of `jwksAuth` that need neither a request nor a store. */
export interface Configuration {
  readonly options: JwksAuthOptions
  /** Options of the file that do not apply here. */
  readonly leftOut: readonly string[]
}

/** Where keys are cached and tokens are taken from: neither is of interest for one token that is given. */
const LEFT_OUT = [
  ...['registry', 'store', 'publicKeyPath', 'storeTimeout', 'integrityKey', 'maxProviders', 'maxConcurrentFetches'],
  ...['getToken', 'credentialsRequired', 'passErrors', 'tokenCache', 'tenantCache', 'property'],
]

/** What remains of a provider whose keys come from a file. */
const OFFLINE_NAMES: ReadonlySet<string> = new Set<string>([
  'issuer',
  'algorithms',
  'tenants',
  'tenant',
  ...claimRuleNames,
  ...requestOptionNames,
])

/**
 * Reads the options of `jwksAuth` from a file, for one token.
 *
 * @throws UsageError where the file cannot be read, or the tenant cannot be found without a request
 */
export async function readConfiguration({ file, tenant, jwksFile }: ConfigurationChoice): Promise<Configuration> {
  const given = await loadOptions(file)
  const leftOut = LEFT_OUT.filter((name) => given[name] !== undefined)
  const kept = Object.fromEntries(Object.entries(given).filter(([name]) => !LEFT_OUT.includes(name)))
  const located = await forTenant(kept, tenant)
  const options = jwksFile === undefined ? located : withKeys(located, await readKeys(jwksFile))
  // The authenticator checks every option.
  return { options: { ...options, tokenCache: false } as unknown as JwksAuthOptions, leftOut }
}

async function loadOptions(file: string): Promise<Unchecked> {
  const value = file.endsWith('.json') ? await readJson('--config', file) : await importOptions(file)
  if (isObject(value)) return value
  throw new UsageError(`--config: ${file} must have an object with the options of jwksAuth`)
}

async function importOptions(file: string): Promise<unknown> {
  let module: Unchecked
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as Unchecked
  } catch (error) {
    throw new UsageError(`--config: ${file} cannot be loaded: ${error instanceof Error ? error.message : 'it throws'}`)
  }
  const value = module['default'] ?? module['options']
  if (value !== undefined) return value
  throw new UsageError(`--config: ${file} has neither a default export nor one called options`)
}

async function readJson(option: string, file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`${option}: ${file} cannot be read`)
  })
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${option}: ${file} is not JSON`)
  }
}

async function readKeys(file: string): Promise<Unchecked> {
  const value = await readJson('--jwks', file)
  if (!isObject(value) || readKeySet(value, 1) === undefined) throw new UsageError(`--jwks: ${file} is not a key set`)
  return value
}

/** Replaces what derives the tenant from a request by the tenant of the command line. */
async function forTenant(options: Unchecked, tenant: string | undefined): Promise<Unchecked> {
  const { tenants, tenant: resolver } = options
  if (tenants === undefined) {
    if (tenant === undefined) return options
    throw new UsageError('--tenant: the configuration has no tenants')
  }
  if (tenant === undefined) {
    if (typeof tenants !== 'function' && (typeof resolver !== 'function' || isFromIssuer(resolver))) return options
    throw new UsageError('--tenant is missing: the configuration derives the tenant from the request')
  }
  const known = typeof tenants === 'function' ? await lookUp(tenants, tenant) : tenants
  if (isObject(known) && Object.hasOwn(known, tenant)) return { ...options, tenants: known, tenant: () => tenant }
  const nearest = isObject(known) ? nearestName(tenant, Object.keys(known)) : undefined
  throw new UsageError(`--tenant: there is no such tenant${nearest === undefined ? '' : `; did you mean ${nearest}?`}`)
}

function isFromIssuer(resolver: unknown): boolean {
  return typeof resolver === 'function' && isTenantFromIssuer(resolver as () => undefined)
}

/** Calls a function that finds tenants for the one tenant. */
async function lookUp(find: unknown, tenant: string): Promise<Unchecked> {
  const config: unknown = typeof find === 'function' ? await Reflect.apply(find, undefined, [tenant]) : undefined
  return config === undefined ? {} : { [tenant]: config }
}

/** Every provider with these keys inline: what fetches keys has no effect. */
function withKeys(options: Unchecked, jwks: Unchecked): Unchecked {
  const { tenants } = options
  const kept = offline(options)
  if (!isObject(tenants)) return { ...kept, jwks }
  const configure = (config: unknown): unknown => (isObject(config) ? { ...offline(config), jwks } : config)
  const configured = mapValues(tenants, (tenant) =>
    isObject(tenant) && isObject(tenant['providers'])
      ? { providers: mapValues(tenant['providers'], configure) }
      : configure(tenant),
  )
  return { ...kept, tenants: configured }
}

function offline(options: Unchecked): Unchecked {
  return Object.fromEntries(Object.entries(options).filter(([name]) => OFFLINE_NAMES.has(name)))
}

function mapValues(record: Unchecked, change: (value: unknown) => unknown): Unchecked {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))
}
