import { readFileSync } from 'node:fs'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeFinding, findingCodes } from '../../src/doctor/findings.ts'
import { runCli } from '../terminal.ts'
import { ecKey, startProvider } from './provider.ts'

let issuer: TestIssuer

beforeEach(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', path: '/oauth2/default' })
})

afterEach(() => issuer.close())

interface JsonReport {
  readonly ok: boolean
  readonly kind: string
  readonly keys: readonly Record<string, unknown>[]
  readonly documents: readonly Record<string, unknown>[]
  readonly findings: readonly { readonly code: string; readonly severity: string; readonly ignored: boolean }[]
  readonly lifetimesMs: Record<string, number> | null
}

async function reportOf(...args: readonly string[]): Promise<JsonReport & { readonly code: number }> {
  const { code, stdout } = await runCli(['doctor', '--json', ...args])
  return { ...(JSON.parse(stdout) as JsonReport), code }
}

function codesOf({ findings }: JsonReport): readonly string[] {
  return findings.map(({ code }) => code)
}

describe('the target of doctor', () => {
  it('is an issuer, whose metadata leads to the key set', async () => {
    const report = await reportOf('--allow-http', issuer.issuer)
    expect(report).toMatchObject({ code: 0, kind: 'issuer', ok: true })
    expect(report.documents.map(({ url }) => url)).toEqual([
      `${issuer.issuer}/.well-known/openid-configuration`,
      issuer.jwksUri,
    ])
  })

  it('is a key set where the path says so', async () => {
    const report = await reportOf('--allow-http', issuer.jwksUri)
    expect(report).toMatchObject({ code: 0, kind: 'jwks', documents: [{ subject: 'key set', status: 200 }] })
    expect(issuer.requestCount('openid')).toBe(0)
  })

  it('is what --as says', async () => {
    const uri = new URL(issuer.issuer)
    issuer.moveJwks('/signing')
    const report = await reportOf('--allow-http', '--as', 'jwks', `${uri.href}/signing`)
    expect(report).toMatchObject({ code: 0, kind: 'jwks' })
  })

  it('may be the URL of the metadata', async () => {
    const report = await reportOf('--allow-http', `${issuer.issuer}/.well-known/openid-configuration`)
    expect(report).toMatchObject({ code: 0, kind: 'issuer' })
  })

  it('is found by RFC 8414 where OpenID Connect has no metadata, with a note', async () => {
    issuer.answerAlways('openid', { kind: 'reply', status: 404 })
    const report = await reportOf('--allow-http', issuer.issuer)
    expect(report.code).toBe(0)
    expect(codesOf(report)).toContain('second-location')
  })

  it('is reported where it uses http:', async () => {
    expect(codesOf(await reportOf(issuer.issuer))).toEqual(expect.arrayContaining(['http', 'jwks-uri-http']))
    expect(codesOf(await reportOf(issuer.jwksUri))).toContain('http')
  })

  it('is reported where its host has no address', async () => {
    const report = await reportOf('https://host.invalid')
    expect(report.code).toBe(1)
    expect(codesOf(report)).toEqual(['name-not-resolved'])
  })
})

describe('the report', () => {
  it('has each key with its size and thumbprint, and the lifetimes that follow', async () => {
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=300' })
    const report = await reportOf('--allow-http', issuer.issuer)
    expect(report.keys).toEqual([
      {
        kid: 'key-1',
        kty: 'EC',
        alg: 'ES256',
        use: 'sig',
        size: 'P-256',
        thumbprint: expect.stringMatching(/^[\w-]{43}$/),
        isUsed: true,
      },
    ])
    expect(report.lifetimesMs).toEqual({ refreshAfter: 270_000, freshFor: 300_000, staleFor: 3_900_000 })
  })

  it('says for people what is wrong and what to do', async () => {
    issuer.setHeaders('jwks', { 'content-type': 'text/plain' })
    const { code, stdout } = await runCli(['doctor', '--allow-http', issuer.issuer])
    expect(code).toBe(1)
    expect(stdout).toContain(
      'warning content-type (key set)\n  The Content-Type is text/plain.\n  Send application/json',
    )
    expect(stdout).toContain('A withdrawn key is used for at most 10 min')
    expect(stdout).toContain('1. kid key-1, EC P-256, alg ES256, use sig, thumbprint ')
    expect(stdout).toContain('Errors: 0, warnings: 1, notes: 0.')
  })

  it('has colours on a terminal, and none without one or with NO_COLOR', async () => {
    const args = ['doctor', '--allow-http', issuer.issuer]
    const introducer = '\u001b['
    expect((await runCli(args, { isTTY: true })).stdout).toContain(introducer)
    expect((await runCli(args)).stdout).not.toContain(introducer)
    expect((await runCli(args, { isTTY: true, env: { NO_COLOR: '1' } })).stdout).not.toContain(introducer)
  })

  it('shows no control character that the provider sends', async () => {
    const sequence = '\u001b]0;title\u0007\u202e'
    issuer.setJwks({ keys: [ecKey({ kid: `${sequence}kid`, alg: `ES256${sequence}` }), ecKey({ kid: 'a\nb' })] })
    issuer.setMetadata({ issuer: `https://${sequence}` })
    const { stdout } = await runCli(['doctor', '--allow-http', issuer.issuer])
    expect(stdout).toContain('kid')
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(stdout).not.toContain('a\nb')
  })

  it('shows no private member of a key', async () => {
    const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I'
    issuer.setJwks({ keys: [ecKey({ d: secret }), { kty: 'oct', k: secret, kid: 'x' }] })
    for (const args of [[], ['--json']]) {
      const { stdout } = await runCli(['doctor', '--allow-http', ...args, issuer.issuer])
      expect(stdout).toContain('key-private')
      expect(stdout).toContain('key-symmetric')
      expect(stdout).not.toContain(secret)
    }
  })

  it('ends with 0 where the only finding is one to ignore', async () => {
    issuer.setHeaders('jwks', { 'content-type': 'text/plain' })
    const report = await reportOf('--allow-http', '--ignore', 'content-type', issuer.issuer)
    expect(report).toMatchObject({ code: 0, ok: true })
    expect(report.findings).toContainEqual(expect.objectContaining({ code: 'content-type', ignored: true }))
  })

  it('reports progress on stderr', async () => {
    const { stderr } = await runCli(['doctor', '--allow-http', issuer.issuer])
    expect(stderr).toContain(`Fetching ${issuer.jwksUri} …\n`)
    expect(
      (await runCli(['doctor', '--allow-http', issuer.issuer], { isTTY: true })).stderr.endsWith('\r\u001b[2K'),
    ).toBe(true)
  })
})

describe('a hostile provider', () => {
  it.each<[string, unknown]>([
    ['a list', []],
    ['keys that are no objects', { keys: [null, 1, 'text', [], true] }],
    ['deep nesting', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    [
      'members of the wrong types',
      { keys: [{ kty: 'RSA', n: 1, e: [], kid: {}, alg: 1, use: [], x5c: [1], key_ops: 3 }] },
    ],
    ['a certificate that is none', { keys: [ecKey({ x5c: ['AAAA'] })] }],
    ['names of Object.prototype', '{"__proto__":{},"keys":[{"kty":"__proto__","crv":"constructor"}]}'],
  ])('is reported, and does not end the program: %s', async (_, document) => {
    issuer.setJwks(document)
    const { code, stderr } = await runCli(['doctor', '--json', '--allow-http', issuer.issuer])
    expect(code).toBe(1)
    expect(stderr).not.toContain('rror:')
  })
})

describe('the command line of doctor', () => {
  it.each([
    [[], 'The issuer or the URL of the key set is missing'],
    [['https://a.example', 'https://b.example'], 'more than one target'],
    [['--jason', 'https://a.example'], 'no option --jason; did you mean --json?'],
    [['--timeout', 'soon', 'https://a.example'], '--timeout must be a whole number'],
    [['--timeout'], '--timeout needs a value'],
    [['--json=yes', 'https://a.example'], '--json takes no value'],
    [['--as', 'key', 'https://a.example'], '--as must be issuer or jwks'],
    [['--network', 'private', 'https://a.example'], '--network must be any or public'],
    [['--allow-address', '10.0.0.0/99', 'https://a.example'], '--allow-address must be an IP address'],
    [['--ignore', 'content-typ', 'https://a.example'], 'did you mean content-type?'],
    [['--ca', '/does/not/exist', 'https://a.example'], '--ca: /does/not/exist cannot be read'],
    [['acme.example'], 'must be an absolute https: URL'],
    [['ftp://acme.example'], 'must be an absolute https: URL'],
    [['https://user:secret@acme.example'], 'must not contain credentials'],
    [['--ca', 'a', '--ca', 'b', 'https://a.example'], '--ca was given more than once'],
  ])('with %j ends with 2 and says why', async (args, message) => {
    const { code, stdout, stderr } = await runCli(['doctor', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('secret')
  })

  it('takes a file of authorities only', async () => {
    const { code, stderr } = await runCli(['doctor', '--ca', import.meta.filename, 'https://a.example'])
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('no certificates in PEM form') })
  })

  it('allows addresses of other origins by --allow-address', async () => {
    const provider = await startProvider()
    provider.metadata['jwks_uri'] = `${provider.issuer.replace('localhost', '127.0.0.1')}/jwks`
    const args = ['--ca', provider.caFile, provider.issuer]
    expect(codesOf(await reportOf(...args))).toContain('address-not-allowed')
    expect(await reportOf('--allow-address', '127.0.0.0/8', ...args)).toMatchObject({ code: 0 })
  })
})

describe('the README', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

  it('has one row for each finding, and no other', () => {
    const rows = [...readme.matchAll(/^\| `([\w-]+)` \| (error|warning|note) \|/gm)]
    const listed = rows.map(([, code, severity]) => `${code}: ${severity}`)
    expect(listed.toSorted()).toEqual(
      findingCodes.map((code) => `${code}: ${describeFinding(code).severity}`).toSorted(),
    )
  })
})
