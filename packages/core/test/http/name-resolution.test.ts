import type { LookupAddress } from 'node:dns'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createNameResolver } from '../../src/http/addresses.ts'

const address: LookupAddress = { address: '192.0.2.1', family: 4 }

/** A signal that never aborts. */
function never(): AbortSignal {
  return new AbortController().signal
}

/** A resolver whose lookups end when the test says so. */
function startLookups() {
  const running = new Map<string, (error: NodeJS.ErrnoException | null) => void>()
  const started: string[] = []
  const resolver = createNameResolver((hostname, _, callback) => {
    started.push(hostname)
    running.set(hostname, (error) => callback(error, error === null ? [address] : []))
  })
  return {
    started,
    resolve: (hostname: string, signal = never()) => resolver.resolve(hostname, signal),
    /** Starts a lookup and lets it end. */
    async learn(hostname: string, error: NodeJS.ErrnoException | null): Promise<void> {
      const result = resolver.resolve(hostname, never()).catch(() => undefined)
      running.get(hostname)?.(error)
      await result
      started.length = 0
    },
    end: (hostname: string, error: NodeJS.ErrnoException | null = null) => running.get(hostname)?.(error),
  }
}

describe('name resolution', () => {
  it('shares a lookup of the same name while it runs, and caches nothing', async () => {
    const { started, resolve, end } = startLookups()
    const both = Promise.all([resolve('a.example'), resolve('a.example')])
    end('a.example')
    expect(await both).toEqual([[address], [address]])
    expect(started).toEqual(['a.example'])
    const again = resolve('a.example')
    end('a.example')
    await again
    expect(started).toEqual(['a.example', 'a.example'])
  })

  it('rejects with the error of the lookup', async () => {
    const { resolve, end } = startLookups()
    const result = resolve('a.example')
    end('a.example', new Error('ENOTFOUND'))
    await expect(result).rejects.toThrow('ENOTFOUND')
  })

  it('rejects immediately when the attempt ends, though the lookup runs on', async () => {
    const { resolve } = startLookups()
    const controller = new AbortController()
    const result = resolve('dead.example', controller.signal)
    controller.abort(new Error('too late'))
    await expect(result).rejects.toThrow('too late')
    await expect(resolve('dead.example', controller.signal)).rejects.toThrow('too late')
  })

  it('runs two lookups of unknown names at once, and a third for a name that was resolved before', async () => {
    const { started, resolve, learn } = startLookups()
    await learn('known.example', null)
    for (let index = 0; index < 40; index += 1) resolve(`dead-${index}.example`).catch(() => undefined)
    expect(started).toEqual(['dead-0.example', 'dead-1.example'])
    resolve('known.example').catch(() => undefined)
    expect(started.at(-1)).toBe('known.example')
    // Never a fourth: libuv has four threads, and signature checks need one.
    resolve('other.example').catch(() => undefined)
    expect(started).toHaveLength(3)
  })

  it('runs one lookup at a time of names that failed before, so that a new name need not wait', async () => {
    const { started, resolve, learn } = startLookups()
    for (const name of ['a.dead', 'b.dead', 'c.dead']) await learn(name, new Error('EAI_AGAIN'))
    for (const name of ['a.dead', 'b.dead', 'c.dead', 'new.example']) resolve(name).catch(() => undefined)
    expect(started).toEqual(['a.dead', 'new.example'])
  })

  it('gives a free place to the next name, and drops names that nothing waits for any more', async () => {
    const { started, resolve, end } = startLookups()
    const controller = new AbortController()
    const results = ['a', 'b', 'c', 'd'].map((name) =>
      resolve(name, name === 'c' ? controller.signal : never()).catch(() => undefined),
    )
    controller.abort()
    await setImmediate()
    end('a')
    end('b')
    expect(started).toEqual(['a', 'b', 'd'])
    end('d')
    await Promise.all(results)
  })
})
