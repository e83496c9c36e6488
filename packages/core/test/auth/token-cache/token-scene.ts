import { onTestFinished } from 'vitest'
import { type Authenticator, type AuthOutcome, createAuthenticator, type JwksAuthOptions } from '../../../src/index.ts'
import { type Scene, type SceneOptions, setScene } from '../../jwks-cache/scene.ts'
import { countSignatureChecks } from '../signature-checks.ts'

/** A scene with an authenticator whose signature checks are counted. */
export interface TokenScene extends Scene {
  readonly authenticator: Authenticator<unknown>
  /** One request. Not awaited, so that a test sees whether there was anything to wait for. */
  ask(token: string, headers?: Readonly<Record<string, string>>): ReturnType<Authenticator<unknown>['authenticate']>
  /** `'accepted'`, or the code of the refusal. */
  verdict(token: string): Promise<string>
  /** Signature checks since the last question. */
  checks(): number
}

type Options = Partial<
  Pick<JwksAuthOptions, 'claims' | 'validate' | 'isRevoked' | 'tokenCache' | 'getToken' | 'tenant'>
> & {
  readonly scene?: SceneOptions
  readonly rules?: object
}

/** One provider, `acme/main`, whose clock is the test's. */
export async function setTokenScene({
  scene: sceneOptions = {},
  rules = {},
  ...options
}: Options = {}): Promise<TokenScene> {
  const scene = await setScene(sceneOptions)
  const { tenant, provider, issuer = [], ...config } = scene.registration
  const authenticator = createAuthenticator<unknown>({
    registry: scene.registry,
    tenants: { [tenant]: { providers: { [provider]: { ...config, issuer, audience: 'api', ...rules } } } },
    tenant: ({ headers }) => headers['x-tenant'] as string,
    ...options,
  })
  const checks = countSignatureChecks()
  onTestFinished(async () => {
    checks.stop()
    await authenticator.close()
  })
  const ask: TokenScene['ask'] = (token, headers = {}) =>
    authenticator.authenticate({
      method: 'GET',
      url: '/',
      headers: { 'x-tenant': tenant, authorization: `Bearer ${token}`, ...headers },
    })
  return {
    ...scene,
    authenticator,
    ask,
    verdict: async (token) => verdictOf(await ask(token)),
    checks: checks.taken,
  }
}

/** `'accepted'`, or the code of the refusal; a promise is neither. */
export function verdictOf(outcome: AuthOutcome<unknown> | Promise<AuthOutcome<unknown>>): string {
  if (outcome instanceof Promise) return 'waiting'
  return outcome.ok ? 'accepted' : outcome.error.code
}

/** What a request that is accepted at once gets. */
export function authOf(outcome: AuthOutcome<unknown> | Promise<AuthOutcome<unknown>>) {
  if (outcome instanceof Promise || !outcome.ok || outcome.auth === undefined) throw new Error('not accepted at once')
  return outcome.auth
}
