import type { IncomingHttpHeaders } from 'node:http'

/** The documents that an issuer serves: its key set, OpenID metadata, RFC 8414 metadata. */
export type IssuerEndpoint = 'jwks' | 'openid' | 'oauth'

/** What a request was for: a document of the issuer, or a path that it does not serve. */
export type RequestEndpoint = IssuerEndpoint | 'other'

/** A request as the issuer received it. */
export interface ReceivedRequest {
  /** What it was for. */
  readonly endpoint: RequestEndpoint
  /** The HTTP method. */
  readonly method: string
  /** The request target: path and query. */
  readonly url: string
  /** The header fields, names in lower case. */
  readonly headers: Readonly<IncomingHttpHeaders>
  /** When it came, in epoch milliseconds by the issuer's clock. */
  readonly time: number
}

/** Keeps what was received, and tells those who wait for it. */
export interface RequestLog {
  /** What was received since the log was last cleared, oldest first. */
  readonly requests: readonly ReceivedRequest[]
  /** Writes down a request. */
  readonly record: (request: ReceivedRequest) => void
  /** How many there are. */
  readonly count: (endpoint: RequestEndpoint | undefined) => number
  /** Forgets them all. */
  readonly clear: () => void
  /** Resolves when that many are in the log; rejects after `timeout` milliseconds. */
  readonly waitFor: (count: number, endpoint: RequestEndpoint | undefined, timeout: number) => Promise<void>
  /** Rejects everyone who still waits. */
  readonly abandon: () => void
}

interface Waiter {
  readonly satisfied: () => boolean
  readonly settle: (error?: Error) => void
}

/** Makes an empty log. */
export function createRequestLog(): RequestLog {
  const requests: ReceivedRequest[] = []
  const waiters = new Set<Waiter>()

  const count = (endpoint: RequestEndpoint | undefined): number =>
    endpoint === undefined ? requests.length : requests.filter((request) => request.endpoint === endpoint).length

  return {
    requests,
    count,
    record(request) {
      requests.push(Object.freeze(request))
      for (const waiter of waiters) if (waiter.satisfied()) waiter.settle()
    },
    clear() {
      requests.length = 0
    },
    waitFor(wanted, endpoint, timeout) {
      const satisfied = (): boolean => count(endpoint) >= wanted
      if (satisfied()) return Promise.resolve()
      const what = `${wanted} ${endpoint === undefined ? '' : `'${endpoint}' `}request(s)`
      return new Promise((resolve, reject) => {
        const settle = (error?: Error): void => {
          clearTimeout(timer)
          waiters.delete(waiter)
          if (error === undefined) resolve()
          else reject(error)
        }
        const waiter: Waiter = { satisfied, settle }
        const timer = setTimeout(() => {
          settle(new Error(`waitForRequests: waited ${timeout} ms for ${what}, ${count(endpoint)} came`))
        }, timeout)
        waiters.add(waiter)
      })
    },
    abandon() {
      for (const waiter of waiters) waiter.settle(new Error('waitForRequests: the issuer was closed meanwhile'))
    },
  }
}
