import { describe, expect, it, vi } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'

interface Events {
  hit: { readonly n: number }
  miss: { readonly n: number }
}

describe('an event bus', () => {
  it('tells every listener of the type, and none of another', () => {
    const bus = createEventBus<Events>(['hit', 'miss'])
    const [first, second, other] = [vi.fn<(event: Events['hit']) => void>(), vi.fn<() => void>(), vi.fn<() => void>()]
    bus.on('hit', first)
    bus.on('hit', second)
    bus.on('miss', other)
    bus.emit('hit', { n: 1 })
    expect(first).toHaveBeenCalledExactlyOnceWith({ n: 1 })
    expect(second).toHaveBeenCalledOnce()
    expect(other).not.toHaveBeenCalled()
  })

  it('goes on to the next listener when one throws', () => {
    const bus = createEventBus<Events>(['hit', 'miss'])
    const next = vi.fn<() => void>()
    bus.on('hit', () => {
      throw new Error('listener')
    })
    bus.on('hit', next)
    expect(() => bus.emit('hit', { n: 1 })).not.toThrow()
    expect(next).toHaveBeenCalledOnce()
  })

  it('lets no rejection of a listener go unhandled', async () => {
    const bus = createEventBus<Events>(['hit', 'miss'])
    const unhandled = vi.fn<() => void>()
    process.on('unhandledRejection', unhandled)
    const [listener]: [() => void] = [() => Promise.reject(new Error('listener'))]
    bus.on('hit', listener)
    bus.emit('hit', { n: 1 })
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('calls a function that was added twice twice, and removes each by itself', () => {
    const bus = createEventBus<Events>(['hit', 'miss'])
    const listener = vi.fn<() => void>()
    const removeOne = bus.on('hit', listener)
    bus.on('hit', listener)
    bus.emit('hit', { n: 1 })
    removeOne()
    bus.emit('hit', { n: 2 })
    expect(listener).toHaveBeenCalledTimes(3)
  })

  it('may lose a listener while it tells them', () => {
    const bus = createEventBus<Events>(['hit', 'miss'])
    const second = vi.fn<() => void>()
    const removeFirst = bus.on('hit', () => removeFirst())
    bus.on('hit', second)
    bus.emit('hit', { n: 1 })
    expect(second).toHaveBeenCalledOnce()
  })

  it.each([
    ['an event that does not exist', 'hits', () => undefined, 'there is no event "hits"'],
    ['a listener that is no function', 'hit', 'listener', 'listener must be a function'],
  ])('refuses %s', (_, type, listener, message) => {
    const bus = createEventBus<Events>(['hit', 'miss'])
    expect(() => bus.on(type as 'hit', listener as () => void)).toThrow(TypeError)
    expect(() => bus.on(type as 'hit', listener as () => void)).toThrow(message)
  })
})
