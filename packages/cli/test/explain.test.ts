import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthenticator, type JwksAuthOptions } from '@jwks-auth/core'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from './terminal.ts'

const audience = 'https://api.example.com'

let issuer: TestIssuer
let globex: TestIssuer
let folder: string

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  globex = await createTestIssuer({ algorithm: 'EdDSA', audience })
  folder = mkdtempSync(join(tmpdir(), 'explain-'))
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await Promise.all([issuer.close(), globex.close()])
})

function write(name: string, content: unknown): string {
  const file = join(folder, name)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

function options(members: Record<string, unknown> = {}): Record<string, unknown> {
  return { issuer: issuer.issuer, audience, requireHttps: false, ...members }
}

interface Report {
  readonly accepted: boolean
  readonly refusedWith?: string
  readonly status: number
  readonly tenant?: string
  readonly provider?: string
  readonly values: readonly string[]
  readonly leftOut: readonly string[]
  readonly steps: readonly {
    readonly name: string
    readonly passed: boolean
    readonly detail: string
    readonly code?: string
  }[]
}

async function explain(config: string, token: string, ...args: readonly string[]) {
  const { code, stdout, stderr } = await runCli(['explain', '--json', '--config', config, ...args], { stdin: token })
  if (code === 2) throw new Error(stderr)
  return { code, ...(JSON.parse(stdout) as Report) }
}

function firstFailure({ steps }: Report) {
  const step = steps.find(({ passed }) => !passed)
  return step === undefined ? undefined : `${step.name}: ${step.code}`
}

/** The parts of a token that must not be shown. */
function secretsOf(token: string): readonly string[] {
  return token.split('.').filter((part) => part.length > 10)
}

describe('explain, for a good token', () => {
  it('lists every check of a good token as passed, in the order of the authenticator', async () => {
    const report = await explain(write('good.json', options()), await issuer.sign({ scope: 'read' }))
    expect(report).toMatchObject({ code: 0, accepted: true, status: 200, tenant: 'default', provider: 'default' })
    expect(report.steps.map(({ name }) => name)).toEqual([
      ...['size', 'format', 'iss and exp', 'tenant and issuer', 'algorithm', 'type', 'times', 'types of claims'],
      ...['audience', 'required claims', 'bound claims', 'client', 'confirmation', 'key', 'signature'],
    ])
    expect(report.steps.every(({ passed }) => passed)).toBe(true)
  })

  it('takes a whole Authorization header', async () => {
    const config = write('good.json', options())
    const token = await issuer.sign()
    for (const text of [`Bearer ${token}\n`, `Authorization: Bearer ${token}\r\n`, `  ${token}  `]) {
      expect((await explain(config, text)).accepted).toBe(true)
    }
  })

  it('shows iss, aud, times, kid, alg and typ, and only the names of other claims', async () => {
    const token = await issuer.sign({ email: 'alice@example.com', sub: 'user-4711', exp: 4_102_444_800 })
    const { stdout } = await runCli(['explain', '--config', write('good.json', options())], { stdin: token })
    for (const shown of ['"ES256"', '"key-1"', '"JWT"', issuer.issuer, audience, '2100-01-01T00:00:00.000Z', 'email']) {
      expect(stdout).toContain(shown)
    }
    expect(stdout).toContain('The token is accepted.')
    for (const hidden of ['alice', 'user-4711', ...secretsOf(token)]) expect(stdout).not.toContain(hidden)
  })
})

/** A token that is refused, and the check that says so. */
interface Refused {
  readonly why: string
  readonly failure: string
  readonly token: () => Promise<string>
  readonly config?: Record<string, unknown>
}

const now = Math.floor(Date.now() / 1000)
const refused: readonly Refused[] = [
  { why: 'expired', failure: 'iss and exp: ERR_TOKEN_EXPIRED', token: () => issuer.sign({ exp: now - 600 }) },
  { why: 'without exp', failure: 'iss and exp: ERR_CLAIM_MISSING', token: () => issuer.sign({ exp: undefined }) },
  { why: 'with exp as text', failure: 'iss and exp: ERR_CLAIM_MALFORMED', token: () => issuer.sign({ exp: 'soon' }) },
  { why: 'not valid yet', failure: 'times: ERR_TOKEN_NOT_YET_VALID', token: () => issuer.sign({ nbf: now + 600 }) },
  {
    why: 'from the future',
    failure: 'times: ERR_TOKEN_ISSUED_IN_FUTURE',
    token: () => issuer.sign({ iat: now + 600 }),
  },
  {
    why: 'too old',
    failure: 'times: ERR_TOKEN_TOO_OLD',
    token: () => issuer.sign({ iat: now - 600 }),
    config: { maxTokenAge: 60_000 },
  },
  { why: 'for another API', failure: 'audience: ERR_AUDIENCE_NOT_ALLOWED', token: () => issuer.sign({ aud: 'other' }) },
  { why: 'without aud', failure: 'audience: ERR_CLAIM_MISSING', token: () => issuer.sign({ aud: undefined }) },
  { why: 'with aud as a number', failure: 'audience: ERR_CLAIM_MALFORMED', token: () => issuer.sign({ aud: 1 }) },
  {
    why: 'with sub as a number',
    failure: 'types of claims: ERR_CLAIM_MALFORMED',
    token: () => issuer.sign({ sub: 1 }),
  },
  {
    why: 'without a required claim',
    failure: 'required claims: ERR_CLAIM_MISSING',
    token: () => issuer.sign(),
    config: { requiredClaims: ['iat', 'aud', 'org_id'] },
  },
  {
    why: 'of another organisation',
    failure: 'bound claims: ERR_CLAIM_NOT_BOUND',
    token: () => issuer.sign({ org_id: 'org_2' }),
    config: { boundClaims: { org_id: 'org_1' } },
  },
  {
    why: 'of another client',
    failure: 'client: ERR_CLIENT_NOT_ALLOWED',
    token: () => issuer.sign({ azp: 'other' }),
    config: { clientIds: ['web'] },
  },
  {
    why: 'bound to a key',
    failure: 'confirmation: ERR_CONFIRMATION_NOT_CHECKED',
    token: () => issuer.sign({ cnf: {} }),
  },
  {
    why: 'an ID token',
    failure: 'type: ERR_TOKEN_TYPE_NOT_ALLOWED',
    token: () => issuer.sign({}, { typ: 'logout+jwt' }),
  },
  {
    why: 'with an algorithm that is not allowed',
    failure: 'algorithm: ERR_ALGORITHM_NOT_ALLOWED',
    token: () => issuer.sign(),
    config: { algorithms: ['RS256'] },
  },
  { why: 'of another issuer', failure: 'tenant and issuer: ERR_ISSUER_NOT_ALLOWED', token: () => globex.sign() },
  { why: 'with an unknown kid', failure: 'key: ERR_KEY_NOT_FOUND', token: () => issuer.sign({}, { kid: 'unknown' }) },
  {
    why: 'with a forged signature',
    failure: 'signature: ERR_SIGNATURE_INVALID',
    token: async () => {
      const [good, other] = await Promise.all([issuer.sign(), issuer.sign({ jti: 'other' })])
      return `${good.slice(0, good.lastIndexOf('.'))}${other.slice(other.lastIndexOf('.'))}`
    },
  },
  {
    why: 'with crit',
    failure: 'format: ERR_CRITICAL_HEADER_NOT_UNDERSTOOD',
    token: () => issuer.sign({}, { header: { crit: ['x'] } }),
  },
  { why: 'in two parts', failure: 'format: ERR_TOKEN_MALFORMED', token: async () => 'abcdefghijklmn.opqrstuvwxyz0123' },
  {
    why: 'encrypted',
    failure: 'format: ERR_TOKEN_MALFORMED',
    token: async () => 'YWJjZGVmZ2hpag.YWJjZGVmZ2hpaw.YWJjZGVmZ2hpbA.YWJjZGVmZ2hpbQ.YWJjZGVmZ2hpbg',
  },
  {
    why: 'too long',
    failure: 'size: ERR_TOKEN_TOO_LONG',
    token: () => issuer.sign({ padding: 'x'.repeat(2_000) }),
    config: { maxTokenBytes: 1_000 },
  },
]

describe('explain, for a token that is refused', () => {
  it.each(refused)(
    'fails at the check that an authenticator refuses it with: $why',
    async ({ failure, token, config }) => {
      const text = await token()
      const given = options(config)
      const report = await explain(write('refused.json', given), text)
      expect(firstFailure(report)).toBe(failure)

      const authenticator = createAuthenticator(given as unknown as JwksAuthOptions)
      const outcome = await authenticator.authenticate({
        method: 'GET',
        url: '/',
        headers: { authorization: `Bearer ${text}` },
      })
      await authenticator.close()
      expect(outcome).toMatchObject({ ok: false, error: { code: failure.split(': ')[1] } })
      expect(report).toMatchObject({ code: 1, accepted: false, refusedWith: failure.split(': ')[1] })
    },
  )

  it.each(refused)('says what to do, and never shows the token: $why', async ({ token, config }) => {
    const text = await token()
    const { code, stdout, stderr } = await runCli(['explain', '--config', write('refused.json', options(config))], {
      stdin: text,
      isTTY: false,
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(/failed {2}[\w ]+: .+\n {8}ERR_[A-Z_]+\n {8}[A-Z].+\.\n/)
    for (const secret of secretsOf(text)) expect(stdout + stderr).not.toContain(secret)
  })

  it('shows every claim that is wrong, not only the first', async () => {
    const token = await issuer.sign({ aud: 'other', nbf: now + 600, cnf: {} })
    const { steps } = await explain(write('good.json', options()), token)
    const failures = steps.filter(({ passed }) => !passed).map(({ name }) => name)
    expect(failures).toEqual(['times', 'audience', 'confirmation'])
  })

  it('shows no control character of the token', async () => {
    const sequence = '\u001b]0;title\u0007\u202e'
    const token = await issuer.sign(
      { [`name${sequence}`]: 1, aud: `other${sequence}` },
      { kid: `kid${sequence}`, typ: sequence },
    )
    const { stdout } = await runCli(['explain', '--config', write('good.json', options())], { stdin: token })
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})

describe('explain, offline', () => {
  it('uses the key set of --jwks and fetches nothing', async () => {
    const before = issuer.requestCount()
    const jwks = write('jwks.json', issuer.jwks)
    // Options for fetching have no effect beside inline keys, so they must not stay.
    const config = write(
      'offline.json',
      options({ jwksUri: issuer.jwksUri, headers: { 'x-key': '1' }, defaultTtl: 60_000 }),
    )
    expect(await explain(config, await issuer.sign(), '--jwks', jwks)).toMatchObject({ code: 0, accepted: true })
    expect(firstFailure(await explain(config, await issuer.sign({}, { kid: 'x' }), '--jwks', jwks))).toBe(
      'key: ERR_KEY_NOT_FOUND',
    )
    expect(issuer.requestCount()).toBe(before)
  })

  it('uses it for every tenant', async () => {
    const tenants = {
      acme: { issuer: issuer.issuer, audience },
      globex: { providers: { main: { issuer: globex.issuer, audience } } },
    }
    const config = write('tenants.json', { tenants, requireHttps: false })
    const token = await globex.sign()
    const report = await explain(config, token, '--jwks', write('globex.json', globex.jwks))
    expect(report).toMatchObject({ accepted: true, tenant: 'globex', provider: 'main' })
  })
})

describe('explain, with tenants', () => {
  const module = () => `
    export const options = {
      tenant: (request) => request.headers['x-tenant'],
      tenants: {
        acme: { issuer: '${issuer.issuer}', audience: '${audience}' },
        globex: { issuer: '${globex.issuer}', audience: '${audience}' },
      },
      requireHttps: false,
    }`

  it('takes the tenant of the command line', async () => {
    const config = write('tenants.mjs', module())
    expect(await explain(config, await issuer.sign(), '--tenant', 'acme')).toMatchObject({
      accepted: true,
      tenant: 'acme',
    })
    const wrong = await explain(config, await issuer.sign(), '--tenant', 'globex')
    expect(firstFailure(wrong)).toBe('tenant and issuer: ERR_ISSUER_NOT_ALLOWED')
  })

  it('asks for the tenant where only a request has it', async () => {
    const { code, stderr } = await runCli(['explain', '--config', write('tenants.mjs', module())], { stdin: 'x' })
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('--tenant is missing') })
  })

  it('suggests a tenant that exists', async () => {
    const args = ['explain', '--config', write('tenants.mjs', module()), '--tenant', 'globx']
    expect((await runCli(args, { stdin: 'x' })).stderr).toContain('did you mean globex?')
  })

  it('takes the tenant from the issuer where the options do', async () => {
    const tenants = { acme: { issuer: issuer.issuer, audience }, globex: { issuer: globex.issuer, audience } }
    const report = await explain(write('by-issuer.json', { tenants, requireHttps: false }), await globex.sign())
    expect(report).toMatchObject({ accepted: true, tenant: 'globex' })
  })

  it('calls a function that finds tenants, for the one tenant', async () => {
    const config = write(
      'looked-up.mjs',
      `export default {
        tenant: (request) => request.headers['x-tenant'],
        tenants: async (id) => id === 'acme' ? { issuer: '${issuer.issuer}', audience: '${audience}' } : undefined,
        requireHttps: false,
      }`,
    )
    expect(await explain(config, await issuer.sign(), '--tenant', 'acme')).toMatchObject({ accepted: true })
    await expect(explain(config, await issuer.sign(), '--tenant', 'initech')).rejects.toThrow('there is no such tenant')
  })
})

describe('explain, with callbacks', () => {
  it.each([
    ['validate: () => false', 'validate: ERR_TOKEN_REJECTED'],
    ['isRevoked: () => true', 'isRevoked: ERR_TOKEN_REVOKED'],
    [
      "claims: { '~standard': { version: 1, vendor: 'x', validate: () => ({ issues: [{ message: 'no' }] }) } }",
      'schema in claims: ERR_CLAIMS_REJECTED',
    ],
  ])('reports what they refuse: %s', async (callback, failure) => {
    const config = write(
      `${failure.replaceAll(/\W+/g, '-')}.mjs`,
      `export default { issuer: '${issuer.issuer}', audience: '${audience}', requireHttps: false, ${callback} }`,
    )
    const report = await explain(config, await issuer.sign())
    expect(firstFailure(report)).toBe(failure)
    expect(report.accepted).toBe(false)
  })

  it('reports one that throws, without its message', async () => {
    const config = write(
      'throws.mjs',
      `export default { issuer: '${issuer.issuer}', audience: '${audience}', requireHttps: false,
        validate: (auth) => { throw new RangeError(auth.token) } }`,
    )
    const token = await issuer.sign()
    const { code, stdout } = await runCli(['explain', '--config', config], { stdin: token })
    expect(code).toBe(1)
    expect(stdout).toContain('a callback of validate threw (RangeError)')
    for (const secret of secretsOf(token)) expect(stdout).not.toContain(secret)
  })
})

describe('explain, where keys cannot be fetched', () => {
  it('says why', async () => {
    const down = await createTestIssuer({ algorithm: 'ES256', audience })
    const token = await down.sign()
    await down.close()
    const config = options({ issuer: down.issuer, retryPolicy: { maxRetries: 0 } })
    const { steps, status } = await explain(write('down.json', config), token)
    expect(steps.at(-1)).toMatchObject({
      name: 'key',
      code: 'ERR_KEYS_UNAVAILABLE',
      detail: expect.stringContaining('ERR_UPSTREAM_UNREACHABLE'),
    })
    expect(status).toBe(503)
  })
})

describe('the command line of explain', () => {
  const secret = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl'

  it.each<[string, readonly string[], string]>([
    ['no file', [], '--config is missing'],
    ['a token as an argument', ['--config', 'x.json', secret], 'Give the token on standard input'],
    ['a token as an option', ['--config', 'x.json', `--${secret}`], 'There is no option that'],
    ['a file that is not there', ['--config', 'none.json'], 'none.json cannot be read'],
    ['a module that is not there', ['--config', 'none.mjs'], 'none.mjs cannot be loaded'],
  ])('ends with 2, and never repeats a token: %s', async (_, args, message) => {
    const { code, stdout, stderr } = await runCli(['explain', ...args], { stdin: secret })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    for (const part of secret.split('.')) expect(stderr).not.toContain(part)
  })

  it.each<[string, unknown, string]>([
    ['is no JSON', '{', 'is not JSON'],
    ['is a list', '[]', 'must have an object'],
    [
      'has an unknown option',
      { issuer: 'https://a.example', audience: 'x', audiense: 'x' },
      'did you mean "audience"?',
    ],
    ['lacks the audience', { issuer: 'https://a.example' }, 'audience is required'],
  ])('ends with 2 where the file %s', async (_, content, message) => {
    const { code, stderr } = await runCli(['explain', '--config', write('wrong.json', content)], { stdin: secret })
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
  })

  it.each(['', '   \n', 'Bearer \n'])('ends with 2 without a token: %j', async (stdin) => {
    const { code, stderr } = await runCli(['explain', '--config', write('good.json', options())], { stdin })
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('no token on standard input') })
  })

  it('says which options it does not use', async () => {
    const config = write('store.json', options({ publicKeyPath: '/nowhere', integrityKey: false, getToken: 'x' }))
    expect((await explain(config, await issuer.sign())).leftOut).toEqual(['publicKeyPath', 'integrityKey', 'getToken'])
  })
})

describe('the program', () => {
  it.each([['--help'], ['help'], ['-h']])('lists its commands with %s', async (arg) => {
    const { code, stdout } = await runCli([arg])
    expect(code).toBe(0)
    expect(stdout).toContain('doctor')
    expect(stdout).toContain('explain')
  })

  it.each(['doctor', 'explain'])('has --help for %s', async (name) => {
    const { code, stdout } = await runCli([name, '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain(`Usage: jwks-auth ${name}`)
    expect(stdout).toContain('Exit codes:')
  })

  it('has a version', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('suggests the nearest command', async () => {
    expect(await runCli(['docter'])).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean doctor?') })
    expect(await runCli([])).toMatchObject({ code: 2, stderr: expect.stringContaining('A command is missing') })
  })
})
