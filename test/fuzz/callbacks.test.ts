import assert from 'node:assert/strict'
import type { Authenticator, JwksAuthOptions } from '@jwks-auth/core'
import { audience, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import type { TestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { expectRefusal } from './answers.ts'
import { overSockets, timeout } from './runs.ts'

/** What callbacks throw and reject with. */
class OfTheApplication extends Error {}
const thrown: readonly unknown[] = [
  new OfTheApplication('thrown'),
  'text',
  undefined,
  null,
  Object.freeze({ status: 1 }),
]

/** An object that throws on any use. */
function untouchable(): object {
  const fail = (): never => {
    throw new OfTheApplication('touched')
  }
  return new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail })
}

type Settle = (value?: unknown) => void

/** An object with this `then`, or with a getter of that name. */
function thenable(then: PropertyDescriptor): object {
  return Object.defineProperty({}, 'then', then)
}

/** Thenables of every kind but the one that never settles. */
const thenables: readonly (() => unknown)[] = [
  () => thenable({ value: (resolve: Settle) => resolve(false) }),
  () => thenable({ value: (resolve: Settle) => setTimeout(resolve, 1, true) }),
  () => thenable({ value: (_: Settle, reject: Settle) => reject(new OfTheApplication('thenable')) }),
  () => thenable({ value: 1 }),
  () =>
    thenable({
      value(resolve: Settle, reject: Settle) {
        resolve(false)
        reject(new OfTheApplication('twice'))
        throw new OfTheApplication('and once more')
      },
    }),
  () =>
    thenable({
      get() {
        throw new OfTheApplication('getter')
      },
    }),
]

const plainValues: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -0, 1, Number.NaN, 1n, '', 'acme', '__proto__', Symbol('s'), [], {}, () => true],
  ...[new Date(Number.NaN), new Map(), Object.create(null), { issuer: 1 }, { issues: [] }, { value: null }],
]

/** A callback that may do anything except for waiting for ever. */
const callback: fc.Arbitrary<() => unknown> = fc.oneof(
  fc.constantFrom(...plainValues).map((value) => () => value),
  fc.constantFrom(...plainValues).map((value) => async () => value),
  fc.constantFrom(...thrown).map((reason) => () => {
    throw reason
  }),
  fc.constantFrom(...thrown).map((reason) => async () => {
    throw reason
  }),
  fc.constantFrom(...thenables),
  fc.constant(untouchable),
)

const unhandled: unknown[] = []
const notice = (reason: unknown): void => {
  unhandled.push(reason)
}
beforeEach(() => {
  process.on('unhandledRejection', notice)
})
afterEach(async () => {
  // Rejections are reported once the promise jobs are done.
  await new Promise((resolve) => setTimeout(resolve, 5))
  process.off('unhandledRejection', notice)
  assert.deepEqual(unhandled.splice(0), [])
})

/** The options that call back, with what each of them needs besides. */
const places: Readonly<Record<string, (issuer: TestIssuer, call: () => unknown) => unknown>> = {
  tenant: (issuer, tenant) => ({ tenant, tenants: { acme: providerOf(issuer) } }),
  getToken: (issuer, getToken) => ({ ...providerOf(issuer), getToken }),
  isRevoked: (issuer, isRevoked) => ({ ...providerOf(issuer), isRevoked }),
  validate: (issuer, validate) => ({ ...providerOf(issuer), validate }),
  headers: (issuer, headers) => ({ ...providerOf(issuer), headers }),
  claims: (issuer, validate) => ({
    ...providerOf(issuer),
    claims: { '~standard': { version: 1, vendor: 'test', validate } },
  }),
}

function providerOf({ issuer, jwksUri }: TestIssuer) {
  return { issuer, jwksUri, audience, retryPolicy: { maxRetries: 0 } }
}

describe.each(Object.entries(places))('a callback that does anything: %s', (_, optionsWith) => {
  it('lets no forged token pass, and its failures reach the caller alone', { timeout }, async () => {
    const issuer = await startIssuer()
    const good = await issuer.sign()
    const [header, payload] = good.split('.')
    const forged = `${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`

    await fc.assert(
      fc.asyncProperty(callback, async (call) => {
        const options = { requireHttps: false, ...(optionsWith(issuer, call) as object) } as JwksAuthOptions
        const authenticator = startAuthenticator(options)
        for (const token of [good, forged, good]) {
          const outcome = await outcomeOf(authenticator, token)
          if (outcome === 'thrown') continue
          assert(!outcome.ok || token === good, 'a forged token was accepted')
        }
        await authenticator.close()
      }),
      { ...overSockets, endOnFailure: true },
    )
  })
})

/** The outcome of a request, or `'thrown'` where the caller gets an error, which the callback or the package made. */
async function outcomeOf(authenticator: Authenticator<unknown>, token: string) {
  const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } }
  try {
    const outcome = await authenticator.authenticate(request)
    if (!outcome.ok) expectRefusal(outcome)
    return outcome
  } catch (error) {
    assert(error instanceof Error)
    return 'thrown'
  }
}
