import { startAuthenticator, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import {
  createAuthenticator,
  type JwksAuthOptions,
  type Registry,
  tenantFromHeader,
  tenantFromIssuer,
} from '../../src/index.ts'
import { wrongProviderOptions } from '../registry/option-cases.ts'

const issuer = 'https://issuer.example'
const single = { issuer, audience: 'api' }
const tenant = tenantFromHeader('x-tenant')
const acme = { issuer: 'https://acme.example' }
const globex = { issuer: 'https://globex.example' }
const many = { tenant, tenants: { acme, globex }, audience: 'api' }

type Wrong = readonly [what: string, options: unknown, named: string]

const wrongOptions: readonly Wrong[] = [
  ['nothing', undefined, 'options must be an object'],
  ['null', null, 'options must be an object'],
  ['a string', issuer, 'options must be an object'],
  ['no issuer', { audience: 'api' }, 'issuer is required'],
  ['jwksUri alone', { jwksUri: `${issuer}/jwks`, audience: 'api' }, 'issuer is required'],
  ['an issuer that is no URL', { ...single, issuer: 'issuer.example' }, 'issuer must be an absolute URL'],
  ['an issuer with http:', { ...single, issuer: 'http://issuer.example' }, 'issuer is not allowed'],
  ['an issuer with a query', { ...single, issuer: `${issuer}?a` }, 'issuer must have neither'],
  [
    'the URL of keys as issuer',
    { ...single, issuer: `${issuer}/.well-known/jwks.json` },
    'jwksUri takes the URL of keys',
  ],
  [
    'the URL of metadata as issuer',
    { ...single, issuer: `${issuer}/.well-known/openid-configuration` },
    'metadataUri that of metadata',
  ],
  ['a jwksUri with credentials', { ...single, jwksUri: 'https://u:p@issuer.example' }, 'jwksUri is not allowed'],
  ['no audience', { issuer }, 'audience is required'],
  ['an unknown option', { ...single, audiance: 'api' }, 'jwksAuth has no option "audiance"'],
  ['tenant without tenants', { ...single, tenant }, 'tenant has no effect'],
  ['credentialsRequired: 1', { ...single, credentialsRequired: 1 }, 'credentialsRequired'],
  ['credentialsRequired: null', { ...single, credentialsRequired: null }, 'credentialsRequired'],
  ['maxTokenBytes: 0', { ...single, maxTokenBytes: 0 }, 'maxTokenBytes'],
  ['maxTokenBytes: null', { ...single, maxTokenBytes: null }, 'maxTokenBytes'],
  ['maxTokenBytes: "16k"', { ...single, maxTokenBytes: '16k' }, 'maxTokenBytes'],
  ['passErrors: null', { ...single, passErrors: null }, 'passErrors'],
  ['a realm with quotation marks', { ...single, realm: 'a"b' }, 'realm'],
  ['a realm with a line break', { ...single, realm: 'a\r\nb' }, 'realm'],
  ['an empty realm', { ...single, realm: '' }, 'realm'],
  ['resourceMetadata that is a path', { ...single, resourceMetadata: '/metadata' }, 'resourceMetadata'],
  ['resourceMetadata of another scheme', { ...single, resourceMetadata: 'javascript:x' }, 'resourceMetadata'],
  ['claims that are no schema', { ...single, claims: {} }, 'claims must be a Standard Schema'],
  ['claims: null', { ...single, claims: null }, 'claims must be a Standard Schema'],
  ['a registry that is none', { ...single, registry: {} }, 'registry must be'],
  ['registry: null', { ...single, registry: null }, 'registry must be'],
  ['a registry of another making', { ...single, registry: { resolve: () => undefined } }, 'registry must be'],
  ['tenants that are null', { ...many, tenants: null }, 'tenants must be an object'],
  ['tenants in a list', { ...many, tenants: [acme] }, 'tenants must be an object'],
  ['tenants that are none', { ...many, tenants: {} }, 'tenants must have at least one tenant'],
  ['tenants in a Map', { ...many, tenants: new Map([['acme', acme]]) }, 'tenants must have at least one tenant'],
  ['issuer beside tenants', { ...many, issuer }, 'issuer cannot be set beside tenants'],
  ['jwksUri beside tenants', { ...many, jwksUri: issuer }, 'jwksUri cannot be set beside tenants'],
  ['a tenant that is a path', { ...many, tenants: { '../x': acme } }, 'tenants: the name "../x"'],
  ['a tenant with a colon', { ...many, tenants: { 'a:b': acme } }, 'tenants: the name "a:b"'],
  ['a tenant without a name', { ...many, tenants: { '': acme } }, 'tenants: the name ""'],
  ['a tenant that is a string', { ...many, tenants: { acme: issuer } }, 'tenants.acme must be an object'],
  ['a tenant that is null', { ...many, tenants: { acme: null } }, 'tenants.acme must be an object'],
  [
    'a tenant with an unknown option',
    { ...many, tenants: { acme: { ...acme, realm: 'x' } } },
    'tenants.acme has no option "realm"',
  ],
  ['a tenant without issuer', { ...many, tenants: { acme: {} } }, 'tenants.acme.issuer is required'],
  ['a tenant without audience', { tenant, tenants: { acme } }, 'tenants.acme.audience is required'],
  ['a tenant with a wrong number', { ...many, tenants: { acme: { ...acme, minTtl: 1 } } }, 'tenants.acme.minTtl'],
  [
    'a tenant with providers and more',
    { ...many, tenants: { acme: { providers: { a: acme }, issuer } } },
    'tenants.acme has no option "issuer"',
  ],
  [
    'a tenant with providers that are none',
    { ...many, tenants: { acme: { providers: {} } } },
    'tenants.acme.providers must have',
  ],
  [
    'a tenant with a list of providers',
    { ...many, tenants: { acme: { providers: [acme] } } },
    'tenants.acme.providers must be an object',
  ],
  [
    'a provider that is a path',
    { ...many, tenants: { acme: { providers: { '..': acme } } } },
    'tenants.acme.providers: the name ".."',
  ],
  [
    'a provider that is null',
    { ...many, tenants: { acme: { providers: { a: null } } } },
    'tenants.acme.providers.a must be an object',
  ],
  [
    'a provider with an unknown option',
    { ...many, tenants: { acme: { providers: { a: { ...acme, x: 1 } } } } },
    'tenants.acme.providers.a has no option "x"',
  ],
  [
    'a provider with a wrong rule',
    { ...many, tenants: { acme: { providers: { a: { ...acme, cnf: 1 } } } } },
    'tenants.acme.providers.a.cnf',
  ],
  ['a resolver that is a string', { ...many, tenant: 'x-tenant' }, 'tenant must be a function'],
  ['a resolver that is null', { ...many, tenant: null }, 'tenant must be a function'],
]

/** What only shows when the providers are looked at together. */
const wrongTogether: readonly Wrong[] = [
  [
    'two providers of a tenant with one issuer',
    { ...many, tenants: { acme: { providers: { a: acme, b: acme } } } },
    'tenants.acme: two providers',
  ],
  [
    'two tenants with one issuer and nothing to tell them apart',
    { ...many, tenants: { acme, globex: acme } },
    'audience',
  ],
  [
    'two tenants that share one of their issuers',
    { ...many, tenants: { acme, globex: { issuer: ['x', acme.issuer], jwksUri: issuer } } },
    'acme and globex have the issuer',
  ],
  [
    'no resolver where two tenants share an issuer',
    { tenants: { acme: { ...acme, audience: 'a' }, globex: { ...acme, audience: 'b' } } },
    'tenant is required',
  ],
  [
    'tenantFromIssuer where two tenants share an issuer',
    { tenant: tenantFromIssuer(), tenants: { acme: { ...acme, audience: 'a' }, globex: { ...acme, audience: 'b' } } },
    'tenant is required',
  ],
]

function expectRefused(options: unknown, named: string): void {
  const create = () => createAuthenticator(options as JwksAuthOptions)
  expect(create).toThrow(TypeError)
  expect(create).toThrow(named)
}

describe('createAuthenticator', () => {
  it.each([...wrongOptions, ...wrongTogether])('does not take %s', (_, options, named) => {
    expectRefused(options, named)
  })

  it.each(wrongProviderOptions)(
    'does not take %s: %s, in the short form or beside tenants or within',
    (name, value, named) => {
      expectRefused({ ...single, [name]: value }, named)
      expectRefused({ ...many, [name]: value }, named)
      if (!named.startsWith('requireHttps') && !named.startsWith('allowedDomains')) {
        expectRefused({ ...many, tenants: { acme: { ...acme, [name]: value } } }, `tenants.acme.${named}`)
      }
    },
  )

  it.each([
    ['defaults', {}],
    ['maxProviders', 10],
    ['maxConcurrentFetches', 10],
    ['dispatcher', { dispatch: () => true }],
    ['clock', { now: () => 0, setTimeout: () => 0 }],
  ])('does not take %s beside registry', (name, value) => {
    const registry = startRegistry()
    expectRefused({ ...single, registry, [name]: value }, `${name} cannot be set beside registry`)
  })

  it('takes tenants that are named like members of Object.prototype, and leaves those as they are', () => {
    const tenants = JSON.parse(
      '{"__proto__":{"issuer":"https://a.example"},"constructor":{"issuer":"https://b.example"}}',
    )
    const { registry } = startAuthenticator({ tenant, tenants, audience: 'api' })
    expect(registry.statuses().map((status) => status.tenant)).toEqual(['__proto__', 'constructor'])
    expect(({} as { issuer?: unknown }).issuer).toBeUndefined()
    expect(Object.prototype.constructor).toBe(Object)
  })
})

describe('an authenticator that cannot be made', () => {
  const leaving = (registry: Registry) => registry.statuses().map((status) => `${status.tenant}/${status.provider}`)
  const shareable = [...wrongOptions, ...wrongTogether].filter(
    ([, options]) => typeof options === 'object' && options !== null && !('registry' in options),
  )

  it.each(shareable)('for %s leaves nothing on a shared registry', (_, options, named) => {
    const registry = startRegistry({ requireHttps: true })
    expectRefused({ ...(options as object), registry }, named)
    expect(leaving(registry)).toEqual([])
  })

  it('for a wrong tenant after good ones leaves nothing on a shared registry', () => {
    const registry = startRegistry({ requireHttps: true })
    expectRefused({ ...many, tenants: { acme, globex: { ...globex, minTtl: 1 } }, registry }, 'tenants.globex.minTtl')
    expect(leaving(registry)).toEqual([])
  })

  it('for a name that is taken leaves nothing on a shared registry but what was there', async () => {
    const registry = startRegistry({ requireHttps: true })
    await registry.register({ tenant: 'globex', provider: 'default', issuer: 'https://other.example' })
    expect(() => createAuthenticator({ ...many, registry })).toThrow(
      expect.objectContaining({ code: 'ERR_PROVIDER_TAKEN' }),
    )
    expect(leaving(registry)).toEqual(['globex/default'])
  })
})
