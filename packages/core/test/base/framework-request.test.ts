import { describe, expect, it } from 'vitest'
import { frameworkRequest } from '../../src/adapter.ts'
import { headerOf } from '../../src/base/auth-request.ts'
import { nodeHeaders } from '../../src/index.ts'

const rawHeaders = ['Host', 'a', 'Authorization', 'Bearer x', 'AUTHORIZATION', 'Bearer y', 'X-Tenant', 'acme']
const node = { headers: { host: 'a', authorization: 'Bearer x', 'x-tenant': 'acme', 'x-request-id': '1' }, rawHeaders }

describe('frameworkRequest', () => {
  it('has method, url, hostname and headers of the framework’s request', () => {
    const own = { method: 'GET', originalUrl: '/a?b', hostname: 'api.example' }
    const { method, url, hostname, headers, raw } = frameworkRequest(own, node)
    expect({ method, url, hostname, headers }).toEqual({
      method: 'GET',
      url: '/a?b',
      hostname: 'api.example',
      headers: nodeHeaders(node),
    })
    expect(raw).toBe(own)
  })

  it.each([
    ['originalUrl, under a mount', { originalUrl: '/api/who', url: '/who' }, '/api/who'],
    ['url, where a plain Node request has no originalUrl', { url: '/who' }, '/who'],
    ['the root, where a request that was made up has neither', {}, '/'],
  ])('takes the URL from %s', (_, own, url) => {
    expect(frameworkRequest(own, node)).toMatchObject({ method: 'GET', url })
  })

  it('reads only what it is asked for', () => {
    const asked: string[] = []
    const own = new Proxy(
      { method: 'GET', originalUrl: '/', hostname: 'a' },
      {
        get(target, name) {
          asked.push(String(name))
          return Reflect.get(target, name) as unknown
        },
      },
    )
    const request = frameworkRequest(own, node)
    expect(headerOf(request, 'x-tenant')).toBe('acme')
    expect(asked).toEqual([])
    expect(request.hostname).toBe('a')
    expect(asked).toEqual(['hostname'])
  })

  it.each(['host', 'authorization', 'x-tenant', 'x-request-id', 'absent'])(
    'gives the same value of %s alone and among all headers, and for a plain object',
    (name) => {
      const all = nodeHeaders(node)[name]
      expect(headerOf(frameworkRequest({ method: 'GET', originalUrl: '/', hostname: 'a' }, node), name)).toEqual(all)
      expect(headerOf({ method: 'GET', url: '/', headers: nodeHeaders(node) }, name)).toEqual(all)
    },
  )

  it('gives a list for a header that came twice', () => {
    const request = frameworkRequest({ method: 'GET', originalUrl: '/', hostname: 'a' }, node)
    expect(headerOf(request, 'authorization')).toEqual(['Bearer x', 'Bearer y'])
    expect(
      headerOf(frameworkRequest({ method: 'GET', originalUrl: '/', hostname: 'a' }, { headers: node.headers }), 'host'),
    ).toBe('a')
  })
})
