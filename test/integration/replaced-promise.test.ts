import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** What applications and test frameworks replace `globalThis.Promise` with. */
const replacements = {
  'a subclass': 'globalThis.Promise = class OwnPromise extends Promise {}',
  bluebird: `globalThis.Promise = (await import('bluebird')).default`,
  'zone.js': `await import('zone.js')`,
  'a class that is no Promise': `
    const Native = Promise
    globalThis.Promise = class {
      #promise
      constructor(executor) { this.#promise = new Native(executor) }
      then(...args) { return this.#promise.then(...args) }
      catch(onRejected) { return this.#promise.catch(onRejected) }
      finally(onFinally) { return this.#promise.finally(onFinally) }
      static resolve(value) { return new this((resolve) => resolve(value)) }
      static reject(error) { return new this((_, reject) => reject(error)) }
      static all(values) { return Native.all(values) }
      static race(values) { return Native.race(values) }
      static allSettled(values) { return Native.allSettled(values) }
    }`,
} as const

/** Authenticates in every way in which something is waited for, and writes the outcomes. */
const program = `
  const { createAuthenticator } = await import('@jwks-auth/core')
  const issuer = process.env.ISSUER
  const good = (value) => new Promise((resolve) => setTimeout(() => resolve(value), 1))
  const bad = () => new Promise((_, reject) => setTimeout(() => reject(new Error('callback')), 1))
  const schema = (validate) => ({ '~standard': { version: 1, vendor: 'test', validate } })
  const tenants = { acme: { issuer } }
  const variants = {
    plain: {},
    uncached: { tokenCache: false },
    validate: { validate: () => good(true) },
    'claims and isRevoked': { claims: schema((value) => good({ value })), isRevoked: () => good(false) },
    getToken: { getToken: () => good(process.env.TOKEN) },
    tenant: { issuer: undefined, tenants, tenant: () => good('acme') },
    'revoked token': { isRevoked: () => good(true) },
    'failing validate': { validate: bad },
    'failing tenant': { issuer: undefined, tenants, tenant: bad },
  }
  const headers = { authorization: 'Bearer ' + process.env.TOKEN }
  const outcomes = {}
  for (const [name, options] of Object.entries(variants)) {
    const authenticator = createAuthenticator({ issuer, audience: 'api', requireHttps: false, ...options })
    const ask = async () => {
      try {
        const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers })
        return outcome.ok ? 'accepted' : outcome.error.code
      } catch (error) {
        return error.message
      }
    }
    // The first one fetches keys, the second one has them, the third one is concurrent with the fourth.
    outcomes[name] = [await ask(), await ask(), ...(await Promise.all([ask(), ask()]))]
    await authenticator.close()
  }
  process.send(outcomes)
  process.disconnect()
`

const all = (outcome: string): string[] => Array<string>(4).fill(outcome)

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
})
afterAll(() => issuer.close())

describe.each(Object.entries(replacements))('a process in which globalThis.Promise is %s', (_, replace) => {
  it('accepts and refuses tokens as any other, and stays up', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', `${replace}\n${program}`], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, ISSUER: issuer.issuer, TOKEN: await issuer.sign() },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let outcomes: unknown
    child.on('message', (message) => {
      outcomes = message
    })
    let errors = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
    })
    const [code] = await once(child, 'close')
    expect({ code, errors, outcomes }).toEqual({
      code: 0,
      errors: '',
      outcomes: {
        plain: all('accepted'),
        uncached: all('accepted'),
        validate: all('accepted'),
        'claims and isRevoked': all('accepted'),
        getToken: all('accepted'),
        tenant: all('accepted'),
        'revoked token': all('ERR_TOKEN_REVOKED'),
        'failing validate': all('callback'),
        'failing tenant': all('callback'),
      },
    })
  })
})
