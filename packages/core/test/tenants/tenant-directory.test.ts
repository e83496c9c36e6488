import { describe, expect, it } from 'vitest'
import { createTenantDirectory } from '../../src/tenants/tenant-directory.ts'

const acme = { issuers: ['https://a.example', 'https://shared.example'] }
const globexEntra = { issuers: ['https://e.example'] }
const globexOkta = { issuers: ['https://o.example'] }

function directory() {
  return createTenantDirectory(
    new Map([
      ['acme', [acme]],
      ['globex', [globexEntra, globexOkta]],
    ]),
  )
}

describe('a directory of tenants', () => {
  it('finds a tenant by its name, and its providers by issuer', () => {
    expect(directory().find('globex')?.byIssuer.get('https://o.example')).toBe(globexOkta)
    expect(directory().find('acme')?.byIssuer.get('https://o.example')).toBeUndefined()
  })

  it.each(['Acme', 'constructor', '__proto__', 'toString', ''])('has no tenant %j', (name) => {
    expect(directory().find(name)).toBeUndefined()
  })

  it('finds the tenant of an issuer', () => {
    expect(directory().byIssuer.get('https://e.example')?.name).toBe('globex')
    expect(directory().byIssuer.get('https://e.example/')).toBeUndefined()
    expect(directory().sharedIssuer).toBeUndefined()
  })

  it('reports an issuer that two tenants have', () => {
    const tenants = new Map([
      ['acme', [acme]],
      ['globex', [{ issuers: ['https://shared.example'] }]],
    ])
    expect(createTenantDirectory(tenants).sharedIssuer).toBe('https://shared.example')
  })

  it('refuses two providers of one tenant with the same issuer', () => {
    const make = () => createTenantDirectory(new Map([['acme', [acme, { issuers: ['https://shared.example'] }]]]))
    expect(make).toThrow(TypeError)
    expect(make).toThrow('tenants.acme')
  })
})
