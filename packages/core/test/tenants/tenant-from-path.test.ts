import { describe, expect, it } from 'vitest'
import { tenantFromPath } from '../../src/index.ts'
import { requestFor } from './requests.ts'

const resolve = tenantFromPath('/tenants/:tenant')

describe('tenantFromPath', () => {
  it.each([
    ['/tenants/acme', 'acme'],
    ['/tenants/acme/', 'acme'],
    ['/tenants/acme/orders/7', 'acme'],
    ['/tenants/acme?tenant=globex', 'acme'],
    ['/tenants/acme?next=/tenants//../globex', 'acme'],
    ['/tenants/acme?x=%2F..%5C', 'acme'],
    ['/tenants/acme#/../globex', 'acme'],
    ['/tenants/__proto__/orders', '__proto__'],
    ['/tenants/a.b', 'a.b'],
    ['/tenants/...', '...'],
  ])('finds the tenant of %s', (url, tenant) => {
    expect(resolve(requestFor({ url }))).toBe(tenant)
  })

  it.each([
    ['another path', '/orders/acme'],
    ['too few segments', '/tenants'],
    ['another case', '/Tenants/acme'],
    ['an encoded segment of the pattern', '/%74enants/acme'],
    ['an encoded slash', '/tenants/acme%2F..%2Fglobex'],
    ['an encoded slash in lower case', '/tenants/acme%2fglobex'],
    ['an encoded slash further on', '/tenants/acme/orders%2F7'],
    ['an encoded backslash', '/tenants/acme%5Cglobex'],
    ['a backslash', '/tenants\\globex/acme'],
    ['a dot segment', '/tenants/acme/../globex'],
    ['a dot segment at the end', '/tenants/acme/..'],
    ['a single dot', '/tenants/./acme'],
    ['an encoded dot segment', '/tenants/acme/%2e%2E/globex'],
    ['a half encoded dot segment', '/tenants/acme/.%2e/globex'],
    ['a dot segment before the query', '/tenants/acme/..?x=1'],
    ['two slashes', '/tenants//acme'],
    ['two slashes at the front', '//tenants/acme'],
    ['two slashes further on', '/tenants/acme//orders'],
    ['an absolute-form target', 'http://evil.example/tenants/acme'],
    ['an authority-form target', 'tenants/acme:443'],
    ['an asterisk', '*'],
    ['nothing', ''],
  ])('finds none in %s', (_, url) => {
    expect(resolve(requestFor({ url }))).toBeUndefined()
  })

  it.each([
    ['/:tenant', '/acme/orders', 'acme'],
    ['/v1/:tenant/orders', '/v1/acme/orders', 'acme'],
    ['/v1/:tenant/orders', '/v1/acme/users', undefined],
    ['/v1/:tenant/orders', '/v1/acme/ordersx', undefined],
    ['/tenants/:tenant/', '/tenants/acme', 'acme'],
    ['/tenants/:tenant/*', '/tenants/acme/orders', 'acme'],
  ])('takes the pattern %s, so that %s is of %s', (pattern, url, tenant) => {
    expect(tenantFromPath(pattern)(requestFor({ url }))).toBe(tenant)
  })

  it.each([
    'tenants/:tenant',
    '/tenants',
    '/:tenant/:tenant',
    '/x:tenant',
    '/:tenant?',
    '/(.*)/:tenant',
    '/a//:tenant',
    '/a%2f/:tenant',
    '',
    undefined,
    7,
  ])('refuses the pattern %j', (pattern) => {
    expect(() => tenantFromPath(pattern as string)).toThrow(TypeError)
    expect(() => tenantFromPath(pattern as string)).toThrow('tenantFromPath pattern')
  })
})
