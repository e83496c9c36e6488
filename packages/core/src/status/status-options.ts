import {
  argumentOptions,
  callback,
  isIdentifier,
  type OptionTable,
  optional,
  stringListOption,
} from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'

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
export function checkStatusOptions(options: unknown): CheckedStatusOptions {
  return argumentOptions('createStatusHandler', options, table)
}

function providerNamed(name: string): ProviderKey {
  const [tenant, provider, ...rest] = name.split('/')
  if (!isIdentifier(tenant) || !isIdentifier(provider) || rest.length > 0) {
    throw new TypeError('required must name providers as "tenant/provider"')
  }
  return { tenant, provider }
}
