import { describe, expect, it } from 'vitest'
import { headerOf } from '../../src/base/framework-request.ts'
import { frameworkRequest, nodeHeaders } from '../../src/index.ts'

const rawHeaders = ['Host', 'a', 'Authorization', 'Bearer x', 'AUTHORIZATION', 'Bearer y', 'X-Tenant', 'acme']
const node = { headers: { host: 'a', authorization: 'Bearer x', 'x-tenant': 'acme', 'x-request-id': '1' }, rawHeaders }

describe('a framework’s request', () => {
  it('has the documented shape', () => {
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

  it('is asked for nothing that is not asked of it', () => {
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
    'has the same %s by itself as among all headers, in a plain object, too',
    (name) => {
      const all = nodeHeaders(node)[name]
      expect(headerOf(frameworkRequest({ method: 'GET', originalUrl: '/', hostname: 'a' }, node), name)).toEqual(all)
      expect(headerOf({ method: 'GET', url: '/', headers: nodeHeaders(node) }, name)).toEqual(all)
    },
  )

  it('has one that came twice as a list, wherever that is read', () => {
    const request = frameworkRequest({ method: 'GET', originalUrl: '/', hostname: 'a' }, node)
    expect(headerOf(request, 'authorization')).toEqual(['Bearer x', 'Bearer y'])
    expect(
      headerOf(frameworkRequest({ method: 'GET', originalUrl: '/', hostname: 'a' }, { headers: node.headers }), 'host'),
    ).toBe('a')
  })
})
