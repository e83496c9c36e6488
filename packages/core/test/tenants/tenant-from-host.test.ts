import { describe, expect, it } from 'vitest'
import { tenantFromHost } from '../../src/index.ts'
import { requestFor } from './requests.ts'

const resolve = tenantFromHost(':tenant.api.example.com')

function tenantOf(host: string | readonly string[] | undefined, url = '/orders'): unknown {
  return resolve(requestFor({ url, headers: host === undefined ? {} : { host } }))
}

describe('tenantFromHost', () => {
  it.each([
    ['the label in its place', 'acme.api.example.com', 'acme'],
    ['a label whatever the port', 'acme.api.example.com:8443', 'acme'],
    ['a label with an empty port', 'acme.api.example.com:', 'acme'],
    ['a label in another case', 'ACME.Api.Example.COM', 'acme'],
    ['a label before a trailing dot', 'acme.api.example.com.', 'acme'],
    ['a label before a trailing dot and a port', 'acme.api.example.com.:443', 'acme'],
    ['a label that is a name of Object.prototype', '__proto__.api.example.com', '__proto__'],
    ['a label with a hyphen', 'acme-eu.api.example.com', 'acme-eu'],
  ])('finds %s', (_, host, tenant) => {
    expect(tenantOf(host)).toBe(tenant)
  })

  it.each<[string, string | readonly string[] | undefined]>([
    ['two labels', 'evil.acme.api.example.com'],
    ['no label', 'api.example.com'],
    ['an empty label', '.api.example.com'],
    ['another domain', 'acme.api.example.org'],
    ['a longer domain', 'acme.api.example.com.evil.org'],
    ['a domain that only ends alike', 'acme.evilapi.example.com'],
    ['the suffix in the place of the label', 'xapi.example.com'],
    ['two trailing dots', 'acme.api.example.com..'],
    ['an IP address', '127.0.0.1:8080'],
    ['an IPv6 address', '[::1]:8080'],
    ['an empty header', ''],
    ['no header', undefined],
    ['a header that came twice', ['acme.api.example.com', 'globex.api.example.com']],
    ['a header that came twice alike', ['acme.api.example.com', 'acme.api.example.com']],
  ])('finds none in %s', (_, host) => {
    expect(tenantOf(host)).toBeUndefined()
  })

  it.each(['http://globex.api.example.com/orders', 'https://acme.api.example.com/', '*', 'acme.api.example.com:443'])(
    'finds none where the request target is %s',
    (url) => {
      expect(tenantOf('acme.api.example.com', url)).toBeUndefined()
    },
  )

  it('prefers the host name of the framework, which knows its proxies', () => {
    const headers = { host: 'internal:8080' }
    expect(resolve(requestFor({ hostname: 'acme.api.example.com', headers }))).toBe('acme')
  })

  it('finds none where Host came twice, whatever the framework made of it', () => {
    const headers = { host: ['acme.api.example.com', 'globex.api.example.com'] }
    expect(resolve(requestFor({ hostname: 'acme.api.example.com', headers }))).toBeUndefined()
  })

  it.each<[string, Record<string, string | readonly string[]>, string | undefined]>([
    ['alone', { ':authority': 'acme.api.example.com' }, 'acme'],
    ['with the same host', { ':authority': 'acme.api.example.com', host: 'acme.api.example.com' }, 'acme'],
    [
      'with the same host in another case',
      { ':authority': 'acme.api.example.com', host: 'ACME.api.example.com' },
      'acme',
    ],
    ['with another host', { ':authority': 'acme.api.example.com', host: 'globex.api.example.com' }, undefined],
    ['with another port', { ':authority': 'acme.api.example.com', host: 'acme.api.example.com:8443' }, undefined],
    ['with a foreign host', { ':authority': 'evil.example', host: 'acme.api.example.com' }, undefined],
    ['with an empty host', { ':authority': 'acme.api.example.com', host: '' }, undefined],
    ['twice', { ':authority': ['acme.api.example.com', 'acme.api.example.com'] }, undefined],
  ])('reads the :authority of HTTP/2 %s', (_, headers, tenant) => {
    expect(resolve(requestFor({ headers }))).toBe(tenant)
    // Whatever the framework has made its host name of.
    expect(resolve(requestFor({ headers, hostname: 'acme.api.example.com' }))).toBe(tenant)
  })

  it.each([
    ['api.:tenant.example.com', 'api.acme.example.com', 'acme'],
    ['api.:tenant', 'api.acme', 'acme'],
    [':tenant', 'acme', 'acme'],
    [':TENANT.Example.com', 'acme.example.com', 'acme'],
  ])('takes the pattern %s', (pattern, host, tenant) => {
    expect(tenantFromHost(pattern)(requestFor({ headers: { host } }))).toBe(tenant)
  })

  it.each([
    'api.example.com',
    ':tenant.:tenant.example.com',
    'x:tenant.example.com',
    ':tenantx.example.com',
    ':tenant..example.com',
    ':tenant.example.com:8080',
    'https://:tenant.example.com',
    '*.example.com',
    '',
    undefined,
    null,
    7,
  ])('refuses the pattern %j', (pattern) => {
    expect(() => tenantFromHost(pattern as string)).toThrow(TypeError)
    expect(() => tenantFromHost(pattern as string)).toThrow('tenantFromHost pattern')
  })
})
