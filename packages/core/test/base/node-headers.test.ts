import { describe, expect, it } from 'vitest'
import { nodeHeaders } from '../../src/index.ts'

describe('nodeHeaders', () => {
  it('returns Node’s own headers where each came once', () => {
    const headers = { host: 'a', authorization: 'Bearer x' }
    expect(nodeHeaders({ headers, rawHeaders: ['Host', 'a', 'Authorization', 'Bearer x'] })).toBe(headers)
  })

  it('returns the headers of a request without rawHeaders', () => {
    const headers = { host: 'a' }
    expect(nodeHeaders({ headers })).toBe(headers)
  })

  it.each([
    ['that Node drops', { authorization: 'Bearer x' }, ['Authorization', 'Bearer x', 'AUTHORIZATION', 'Bearer y']],
    [
      'that Node joins',
      { authorization: 'Bearer x, Bearer y' },
      ['authorization', 'Bearer x', 'authorization', 'Bearer y'],
    ],
  ])('returns a list for a repeated header %s', (_, headers, rawHeaders) => {
    expect(nodeHeaders({ headers, rawHeaders })['authorization']).toEqual(['Bearer x', 'Bearer y'])
  })

  it('returns a list, too, where a middleware has added a header of its own', () => {
    const headers = { host: 'a', 'x-request-id': '1' }
    expect(nodeHeaders({ headers, rawHeaders: ['Host', 'a', 'Host', 'b'] })).toEqual({
      host: ['a', 'b'],
      'x-request-id': '1',
    })
  })

  it('keeps a header named __proto__ an own property', () => {
    const rawHeaders = ['__proto__', 'a', '__proto__', 'b']
    const headers = nodeHeaders({ headers: {}, rawHeaders })
    expect(Object.hasOwn(headers, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
  })
})
