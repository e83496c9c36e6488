import { describe, expect, it } from 'vitest'
import { tenantFromHeader } from '../../src/index.ts'
import { requestFor } from './requests.ts'

describe('tenantFromHeader', () => {
  it('finds the value, whatever the case of the name', () => {
    const resolve = tenantFromHeader('X-Tenant-Id')
    expect(resolve(requestFor({ headers: { 'x-tenant-id': 'Acme' } }))).toBe('Acme')
  })

  it.each([
    ['a header that came twice', { 'x-tenant-id': ['acme', 'globex'] }],
    ['a header that came twice alike', { 'x-tenant-id': ['acme', 'acme'] }],
    ['no such header', { 'x-tenant': 'acme' }],
  ])('finds none in %s', (_, headers) => {
    expect(tenantFromHeader('x-tenant-id')(requestFor({ headers }))).toBeUndefined()
  })

  it.each(['', 'x tenant', 'x-tenant:', 'x-tenant\n', 'ä', undefined, null, 7])('refuses the name %j', (name) => {
    expect(() => tenantFromHeader(name as string)).toThrow(TypeError)
    expect(() => tenantFromHeader(name as string)).toThrow('tenantFromHeader name')
  })
})
