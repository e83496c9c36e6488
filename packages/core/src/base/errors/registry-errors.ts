import { JwksAuthError } from './jwks-auth-error.ts'

/** The registry knows no such tenant and provider. */
export class ProviderNotRegisteredError extends JwksAuthError {
  override readonly name = 'ProviderNotRegisteredError'
  override readonly code = 'ERR_PROVIDER_NOT_REGISTERED'
  constructor(options?: ErrorOptions) {
    super('This tenant and provider are not registered', options)
  }
}

/** Something else is registered under this tenant and provider; `unregister` it first. */
export class ProviderTakenError extends JwksAuthError {
  override readonly name = 'ProviderTakenError'
  override readonly code = 'ERR_PROVIDER_TAKEN'
  constructor(tenant: string, provider: string, options?: ErrorOptions) {
    super(`Tenant ${tenant}, provider ${provider} is registered with other options; unregister it first`, options)
  }
}

/** The registry was used after `close()`. */
export class RegistryClosedError extends JwksAuthError {
  override readonly name = 'RegistryClosedError'
  override readonly code = 'ERR_REGISTRY_CLOSED'
  constructor(options?: ErrorOptions) {
    super('The registry is closed', options)
  }
}
