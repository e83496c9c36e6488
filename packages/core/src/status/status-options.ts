import { functionOption, isIdentifier, knownOptions, objectOption, stringListOption } from '../base/options.ts'
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

/**
 * Checks the options of a status handler.
 *
 * @throws TypeError that names a wrong or missing option
 */
export function checkStatusOptions(options: unknown): CheckedStatusOptions {
  const given = objectOption('createStatusHandler options', options)
  knownOptions('createStatusHandler', given, ['authorize', 'required'])
  const { authorize } = given
  functionOption('authorize', authorize)
  const required = given['required'] === undefined ? [] : stringListOption('required', given['required'])
  return { authorize: authorize as CheckedStatusOptions['authorize'], required: required.map(providerNamed) }
}

function providerNamed(name: string): ProviderKey {
  const [tenant, provider, ...rest] = name.split('/')
  if (!isIdentifier(tenant) || !isIdentifier(provider) || rest.length > 0) {
    throw new TypeError('required must name providers as "tenant/provider"')
  }
  return { tenant, provider }
}
