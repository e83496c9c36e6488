import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findBun, runOnBun } from './bun.ts'

const bun = findBun()

const prelude = `
  import { createAuthenticator, createRegistry } from '@jwks-auth/core'
  const issuer = process.env.ISSUER
  const options = { issuer, audience: 'api', requireHttps: false }
  const request = { method: 'GET', url: '/', headers: { authorization: 'Bearer ' + process.env.TOKEN } }
  async function verdict(authenticator) {
    const outcome = await authenticator.authenticate(request)
    console.log(outcome.ok ? outcome.auth.claims.sub : outcome.error.code)
    await authenticator.close()
  }
  async function creation(create) {
    try {
      await create()
      console.log('created')
    } catch (error) {
      console.log(error instanceof TypeError ? error.message : error)
    }
  }
  const registration = { tenant: 't', provider: 'p', issuer: 'https://issuer.example' }
  const overTls = { issuer: 'https://issuer.example', audience: 'api' }
  const pin = Buffer.alloc(32).toString('base64')
`

/** Options that the address of a connection or its certificates would have to be checked for. */
const unenforceable = {
  pinnedSpki: [
    `await creation(() => createAuthenticator({ ...overTls, pinnedSpki: [pin] }))`,
    `await creation(() => createRegistry().register({ ...registration, network: 'any', pinnedSpki: [pin] }))`,
  ],
  ca: [`await creation(() => createRegistry().register({ ...registration, network: 'any', ca: () => 'PEM' }))`],
  network: [
    `await creation(() => createAuthenticator({ ...overTls, network: 'public' }))`,
    `await creation(() => createRegistry().register({ ...registration, network: 'public' }))`,
    `await creation(() => createRegistry().register(registration))`,
  ],
} as const

describe.skipIf(bun === undefined)('on Bun', () => {
  let issuer: TestIssuer
  beforeAll(async () => {
    issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
  })
  afterAll(async () => {
    await issuer.close()
  })

  async function run(program: string, token = '') {
    return await runOnBun(bun ?? '', prelude + program, { ISSUER: issuer.issuer, TOKEN: token })
  }

  it.each(['{}', "{ network: 'any' }", '{ jwksUri: issuer + "/jwks" }'])('verifies a token, with %s', async (more) => {
    const token = await issuer.sign({ sub: 'user-of-bun' })
    const exit = await run(`await verdict(createAuthenticator({ ...options, ...${more} }))`, token)
    expect(exit).toEqual({ code: 0, output: 'user-of-bun\n' })
  })

  it('verifies a token by a key set that is parsed in a thread', async () => {
    const { publicJwk } = issuer.signingKey
    issuer.setJwks({ keys: [publicJwk, ...Array.from({ length: 50_000 }, () => ({}))] })
    const exit = await run('await verdict(createAuthenticator(options))', await issuer.sign({ sub: 'user-of-bun' }))
    issuer.setJwks({ keys: [publicJwk] })
    expect(exit).toEqual({ code: 0, output: 'user-of-bun\n' })
  })

  it('refuses a token with another signature', async () => {
    const [header, payload] = (await issuer.sign()).split('.')
    const forged = `${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`
    expect(await run('await verdict(createAuthenticator(options))', forged)).toEqual({
      code: 0,
      output: 'ERR_SIGNATURE_INVALID\n',
    })
  })

  const programs = Object.entries(unenforceable).flatMap(([option, all]) => all.map((each) => [option, each] as const))
  it.each(programs)('refuses an option that it cannot enforce: %s, in %s', async (option, program) => {
    const { code, output } = await run(program)
    expect(output).toContain(option)
    expect(output).toContain('Bun')
    expect(code).toBe(0)
  })
})
