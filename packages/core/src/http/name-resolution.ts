import type { LookupAddress, LookupAllOptions } from 'node:dns'
import { LRUCache } from 'lru-cache'
import { orAborted } from '../base/steps.ts'

/** Resolves a name to all of its addresses, as `lookup` of `node:dns` does. */
export type ResolveName = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Resolves names for connections. */
export interface NameResolver {
  /**
   * Resolves with all addresses of a name. Rejects with the error of the lookup, or with the reason of the signal as soon
   * as that aborts; the lookup itself cannot be cancelled.
   */
  resolve(hostname: string, signal: AbortSignal): Promise<readonly LookupAddress[]>
}

/** The result of the last lookup of a name; `'unknown'` before the first one has ended. */
type Standing = 'failed' | 'unknown' | 'good'

/**
 * Lookups that run at once. `getaddrinfo` occupies one of libuv's four threads for as long as it takes, many seconds for
 * a name whose servers do not respond, and signature checks need the same threads. So one thread is always left to them.
 */
const MAX_LOOKUPS = 3

/** Lookups of names that have not been resolved before. So a name that was resolved before always finds a free place. */
const MAX_UNPROVEN = 2

/** Lookups of names that failed before. So dead names delay no new name either. */
const MAX_FAILED = 1

/** Names whose last result is remembered. */
const MAX_NAMES = 10_000

interface Lookup {
  readonly hostname: string
  readonly result: Promise<readonly LookupAddress[]>
  readonly start: (standing: Standing) => void
  /** Connections that wait for the result. Without any, a lookup that has not started is dropped. */
  waiting: number
}

/** Creates a resolver in which equal lookups are shared while they run, and few run at once. Nothing is cached. */
export function createNameResolver(resolveName: ResolveName): NameResolver {
  const standings = new LRUCache<string, Standing>({ max: MAX_NAMES })
  const lookups = new Map<string, Lookup>()
  const queue = new Set<Lookup>()
  const running: Record<Standing, number> = { failed: 0, unknown: 0, good: 0 }

  function hasRoom(standing: Standing): boolean {
    const unproven = running.failed + running.unknown
    if (unproven + running.good >= MAX_LOOKUPS) return false
    if (standing !== 'good' && unproven >= MAX_UNPROVEN) return false
    return standing !== 'failed' || running.failed < MAX_FAILED
  }

  function startNext(): void {
    for (const lookup of queue) {
      const standing = standings.get(lookup.hostname) ?? 'unknown'
      if (lookup.waiting === 0) {
        queue.delete(lookup)
        lookups.delete(lookup.hostname)
      } else if (hasRoom(standing)) {
        queue.delete(lookup)
        lookup.start(standing)
      }
    }
  }

  function createLookup(hostname: string): Lookup {
    const { promise, resolve, reject } = deferred<readonly LookupAddress[]>()
    // It may fail after every connection that waited for it has given up.
    promise.catch(() => undefined)
    const start = (standing: Standing): void => {
      running[standing] += 1
      resolveName(hostname, { all: true }, (error, addresses) => {
        running[standing] -= 1
        lookups.delete(hostname)
        standings.set(hostname, error === null ? 'good' : 'failed')
        if (error === null) resolve(addresses)
        else reject(error)
        startNext()
      })
    }
    return { hostname, result: promise, start, waiting: 0 }
  }

  function lookupFor(hostname: string): Lookup {
    const known = lookups.get(hostname)
    if (known !== undefined) return known
    const lookup = createLookup(hostname)
    lookups.set(hostname, lookup)
    queue.add(lookup)
    return lookup
  }

  return {
    async resolve(hostname, signal) {
      signal.throwIfAborted()
      const lookup = lookupFor(hostname)
      lookup.waiting += 1
      startNext()
      try {
        return await orAborted(lookup.result, signal)
      } finally {
        lookup.waiting -= 1
      }
    },
  }
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => undefined
  let reject: (reason: unknown) => void = () => undefined
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
