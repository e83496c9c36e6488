import { describe, expect, it } from 'vitest'
import { nodeHeaders } from '../../src/index.ts'

describe('the headers of a Node request', () => {
  it('are as Node has them where each came once', () => {
    const headers = { host: 'a', authorization: 'Bearer x' }
    expect(nodeHeaders({ headers, rawHeaders: ['Host', 'a', 'Authorization', 'Bearer x'] })).toBe(headers)
  })

  it('are as they are without rawHeaders', () => {
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
  ])('have a list for a second one %s', (_, headers, rawHeaders) => {
    expect(nodeHeaders({ headers, rawHeaders })['authorization']).toEqual(['Bearer x', 'Bearer y'])
  })

  it('have that list where middleware has added a header of its own', () => {
    const headers = { host: 'a', 'x-request-id': '1' }
    expect(nodeHeaders({ headers, rawHeaders: ['Host', 'a', 'Host', 'b'] })).toEqual({
      host: ['a', 'b'],
      'x-request-id': '1',
    })
  })

  it('keep a header that is named __proto__ a header', () => {
    const rawHeaders = ['__proto__', 'a', '__proto__', 'b']
    const headers = nodeHeaders({ headers: {}, rawHeaders })
    expect(Object.hasOwn(headers, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
  })
})
