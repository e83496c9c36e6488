import { gzipSync } from 'node:zlib'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { describe, expect, it } from 'vitest'
import { certify } from '../../../core/test/http/tls/certificates.ts'
import { runCli } from '../terminal.ts'
import { ecKey, type Provider, privateKey, rsaKey, startProvider, type TlsOptions } from './provider.ts'

/** A mistake of a provider. */
interface Mistake {
  readonly mistake: string
  /** Every error and warning that is expected; no other one may be reported. */
  readonly found: readonly string[]
  readonly tls?: TlsOptions
  readonly seed?: (provider: Provider) => void
  readonly args?: readonly string[]
}

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** Answers requests for the key set. */
function answerKeySet(provider: Provider, answer: NonNullable<Provider['answer']>): void {
  provider.answer = (request, response) => request.url === '/jwks' && answer(request, response)
}

function replyWith(provider: Provider, status: number, headers: Record<string, string>, body = ''): void {
  answerKeySet(provider, (_, response) => {
    response.writeHead(status, headers).end(body)
    return true
  })
}

const connection: readonly Mistake[] = [
  { mistake: 'an expired certificate', found: ['certificate-expired'], tls: { notAfter: Date.now() - MINUTE } },
  {
    mistake: 'a certificate that is not valid yet',
    found: ['certificate-not-yet-valid'],
    // Certificates of these tests are valid for two days.
    tls: { notAfter: Date.now() + 4 * 24 * 60 * MINUTE },
  },
  {
    mistake: 'a certificate for another host',
    found: ['certificate-wrong-host'],
    tls: { names: ['other.example'], addresses: [] },
  },
  { mistake: 'a certificate of an unknown authority', found: ['certificate-not-trusted'], tls: { isForeign: true } },
  {
    mistake: 'a certificate that expires soon',
    found: ['certificate-expires-soon', 'certificate-expires-soon'],
    tls: { notAfter: Date.now() + 60 * MINUTE },
  },
  {
    mistake: 'a key set that hangs',
    found: ['timed-out'],
    args: ['--timeout', '400'],
    seed: (provider) => answerKeySet(provider, () => true),
  },
  {
    mistake: 'a body that stalls',
    found: ['timed-out'],
    args: ['--timeout', '400'],
    seed: (provider) =>
      answerKeySet(provider, (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"keys":')
        return true
      }),
  },
  {
    mistake: 'a slow response',
    found: ['slow'],
    seed: (provider) => Object.assign(provider, { delay: 1_200 }),
  },
  {
    mistake: 'a body that is cut off',
    found: ['cut-off'],
    seed: (provider) =>
      answerKeySet(provider, (request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
        response.write('{"keys":', () => request.socket.destroy())
        return true
      }),
  },
  {
    mistake: 'a key set on a port where nothing listens',
    found: ['unreachable'],
    seed: (provider) => Object.assign(provider.metadata, { jwks_uri: 'https://localhost:1/jwks' }),
    args: ['--network', 'any'],
  },
  {
    mistake: 'a key set with a private address at another origin',
    found: ['address-not-allowed'],
    seed: (provider) => Object.assign(provider.metadata, { jwks_uri: 'https://127.0.0.1:1/jwks' }),
  },
]

const redirects: readonly Mistake[] = [
  {
    mistake: 'a redirect to http:',
    found: ['redirect-to-http'],
    seed: (provider) => replyWith(provider, 302, { location: 'http://localhost/jwks' }),
  },
  {
    mistake: 'a redirect in a circle',
    found: ['too-many-redirects'],
    seed: (provider) => replyWith(provider, 302, { location: '/jwks' }),
  },
  {
    mistake: 'a redirect without Location',
    found: ['redirect-without-location'],
    seed: (provider) => replyWith(provider, 302, {}),
  },
  {
    mistake: 'a redirect to the key set',
    found: ['redirected'],
    seed: (provider) => {
      Object.assign(provider.metadata, { jwks_uri: `${provider.issuer}/old` })
      provider.answer = (request, response) => {
        if (request.url !== '/old') return false
        response.writeHead(301, { location: '/jwks' }).end()
        return true
      }
    },
  },
  {
    mistake: 'a redirect to a login page',
    found: ['redirected', 'html'],
    seed: (provider) => {
      provider.answer = (request, response) => {
        if (request.url === '/jwks') response.writeHead(302, { location: '/login' }).end()
        else if (request.url === '/login') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
        else return false
        return true
      }
    },
  },
]

const bodies: readonly Mistake[] = [
  { mistake: 'status 404', found: ['status'], seed: (provider) => replyWith(provider, 404, {}) },
  { mistake: 'status 204', found: ['status'], seed: (provider) => replyWith(provider, 204, {}) },
  { mistake: 'status 304 to an unconditional request', found: ['status'], seed: (p) => replyWith(p, 304, {}) },
  {
    mistake: 'an HTML page with status 200',
    found: ['html'],
    seed: (provider) =>
      replyWith(provider, 200, { 'content-type': 'text/html' }, '<!doctype html><title>Login</title>'),
  },
  {
    mistake: 'a body that is not JSON',
    found: ['not-json'],
    seed: (provider) => Object.assign(provider, { body: '{' }),
  },
  { mistake: 'an empty body', found: ['empty'], seed: (provider) => Object.assign(provider, { body: '' }) },
  {
    mistake: 'a body of more than 1 MiB',
    found: ['too-large'],
    seed: (provider) => Object.assign(provider, { body: JSON.stringify({ keys: [], padding: 'x'.repeat(2 ** 20) }) }),
  },
  {
    mistake: 'a compressed body of more than 1 MiB',
    found: ['too-large'],
    seed(provider) {
      provider.body = gzipSync(JSON.stringify({ keys: [], padding: 'x'.repeat(2 ** 21) }))
      provider.headers['content-encoding'] = 'gzip'
    },
  },
  {
    mistake: 'a body of 300 KiB',
    found: ['large'],
    seed: (provider) =>
      Object.assign(provider, { body: JSON.stringify({ keys: provider.keys, padding: 'x'.repeat(300 * 1024) }) }),
  },
  {
    mistake: 'the wrong Content-Type',
    found: ['content-type'],
    seed: (provider) => Object.assign(provider.headers, { 'content-type': 'text/plain' }),
  },
  {
    mistake: 'no Content-Type',
    found: ['content-type'],
    seed: (provider) => Object.assign(provider.headers, { 'content-type': undefined }),
  },
  {
    mistake: 'Content-Encoding gzip on a plain body',
    found: ['coding-mislabelled'],
    seed: (provider) => Object.assign(provider.headers, { 'content-encoding': 'gzip' }),
  },
  {
    mistake: 'gzip without Content-Encoding',
    found: ['coding-missing'],
    seed: (provider) => Object.assign(provider, { body: gzipSync(JSON.stringify({ keys: provider.keys })) }),
  },
  {
    mistake: 'a broken gzip stream',
    found: ['coding-broken'],
    seed(provider) {
      provider.body = Buffer.from('no gzip')
      provider.headers['content-encoding'] = 'gzip'
    },
  },
  {
    mistake: 'a content coding that was not asked for',
    found: ['coding-not-supported'],
    seed(provider) {
      provider.body = Buffer.from('(zstd)')
      provider.headers['content-encoding'] = 'zstd'
    },
  },
  {
    mistake: 'a byte order mark',
    found: ['byte-order-mark'],
    seed: (provider) => Object.assign(provider, { body: `\ufeff${JSON.stringify({ keys: provider.keys })}` }),
  },
]

const metadata: readonly Mistake[] = [
  {
    mistake: 'another issuer in the metadata',
    found: ['issuer-mismatch'],
    seed: (provider) => Object.assign(provider.metadata, { issuer: 'https://other.example' }),
  },
  {
    mistake: 'a slash too many in the metadata',
    found: ['issuer-mismatch'],
    seed: (provider) => Object.assign(provider.metadata, { issuer: `${provider.issuer}/` }),
  },
  {
    mistake: 'no issuer in the metadata',
    found: ['issuer-mismatch'],
    seed: (provider) => Object.assign(provider.metadata, { issuer: undefined }),
  },
  {
    mistake: 'no jwks_uri',
    found: ['jwks-uri-missing'],
    seed: (provider) => Object.assign(provider.metadata, { jwks_uri: undefined }),
  },
  {
    mistake: 'a relative jwks_uri',
    found: ['jwks-uri-malformed'],
    seed: (provider) => Object.assign(provider.metadata, { jwks_uri: '/jwks' }),
  },
  {
    mistake: 'a jwks_uri with http:',
    found: ['jwks-uri-http', 'unreachable'],
    seed: (provider) => Object.assign(provider.metadata, { jwks_uri: 'http://localhost:1/jwks' }),
    args: ['--network', 'any'],
  },
  {
    mistake: 'a jwks_uri with credentials',
    found: ['url-not-allowed'],
    seed: (provider) =>
      Object.assign(provider.metadata, { jwks_uri: provider.issuer.replace('//', '//user:password@').concat('/jwks') }),
  },
  {
    mistake: 'no metadata',
    found: ['status'],
    seed: (provider) => {
      provider.answer = (request, response) => {
        if (request.url === '/jwks') return false
        response.writeHead(404).end()
        return true
      }
    },
  },
  {
    mistake: 'algorithms in the metadata that no key has',
    found: ['algorithms-without-key'],
    seed: (provider) => Object.assign(provider.metadata, { id_token_signing_alg_values_supported: ['ES512', 'HS256'] }),
  },
]

const foreignCertificate = certify({ subject: 'foreign' }).certificate.replaceAll(/-----[^-]+-----|\s/g, '')
const { y: _, ...keyWithoutY } = ecKey({ kid: 'half' })

const keys: readonly Mistake[] = [
  { mistake: 'no list called keys', found: ['not-a-key-set'], seed: (p) => Object.assign(p, { body: '{"key":[]}' }) },
  { mistake: 'an empty set', found: ['no-keys'], seed: (provider) => Object.assign(provider, { keys: [] }) },
  ...(
    [
      ['a short RSA key', ['key-too-short'], () => rsaKey({ kid: 'short' }, 1024)],
      ['an even RSA exponent', ['key-exponent'], () => rsaKey({ kid: 'even', e: 'AQAA' })],
      ['the RSA exponent 1', ['key-forgeable'], () => rsaKey({ kid: 'one', e: 'AQ' })],
      ['a published private key', ['key-private'], privateKey],
      ['a symmetric key', ['key-symmetric'], () => ({ kty: 'oct', k: 'c2VjcmV0', kid: 'shared' })],
      ['a key without a coordinate', ['key-malformed'], () => keyWithoutY],
      ['a point that is not on the curve', ['key-malformed'], () => ecKey({ kid: 'off', x: ecKey()['x'] })],
      ['a kid that is a number', ['key-malformed'], () => ecKey({ kid: 7 })],
      ['no kid', ['key-without-kid'], () => ecKey({ kid: undefined })],
      ['a kid of 300 bytes', ['kid-too-long'], () => ecKey({ kid: 'k'.repeat(300) })],
      ['an alg that does not fit', ['alg-mismatch'], () => ecKey({ kid: 'wrong', alg: 'RS256' })],
      ['key_ops without verify', ['key-ops'], () => ecKey({ kid: 'ops', key_ops: ['sign'] })],
      ['a duplicate kid', ['duplicate-kid'], () => ecKey({ kid: 'rsa' })],
      [
        'a certificate for another key',
        ['certificate-of-other-key'],
        () => ecKey({ kid: 'c', x5c: [foreignCertificate] }),
      ],
    ] as const
  ).map(([mistake, found, make]) => ({
    mistake,
    found,
    seed: (provider: Provider) => {
      provider.keys = [...provider.keys, make()]
    },
  })),
  {
    mistake: 'one key under two kids',
    found: ['duplicate-key'],
    seed(provider) {
      provider.keys = [...provider.keys, { ...provider.keys[0], kid: 'again' }]
    },
  },
  {
    mistake: 'more than a thousand keys',
    found: ['large', 'too-many-keys'],
    seed(provider) {
      const { publicKey } = generateKeys('ed25519')
      const unused = { ...publicKey.export({ format: 'jwk' }), use: 'enc', padding: 'x'.repeat(200) }
      provider.keys = [...provider.keys, ...Array.from({ length: 1_000 }, () => unused)]
    },
  },
  {
    mistake: 'no key that can be used',
    found: ['no-usable-key'],
    seed: (provider) => Object.assign(provider, { keys: [rsaKey({ use: 'enc' })] }),
  },
]

const caching: readonly Mistake[] = [
  ...(
    [
      ['no-store', ['not-cacheable'], { 'cache-control': 'no-store' }],
      ['max-age=0', ['not-cacheable'], { 'cache-control': 'max-age=0, must-revalidate' }],
      ['a lifetime of 10 s', ['lifetime-too-short'], { 'cache-control': 'max-age=10' }],
      ['a lifetime of a year', ['lifetime-too-long'], { 'cache-control': 'max-age=31536000' }],
      ['an Age above max-age', ['expired-on-arrival'], { age: '700' }],
      ['Expires in the past', ['expired-on-arrival'], { 'cache-control': undefined, expires: '0' }],
      ['two values of max-age', ['cache-control-contradictory'], { 'cache-control': 'max-age=600, max-age=60' }],
      ['a wrong clock', ['clock-skew'], { date: new Date(Date.now() - 10 * MINUTE).toUTCString() }],
      ['an ETag without quotes and with spaces', ['validator-malformed'], { etag: 'a b' }],
      [
        'Last-Modified in 1970',
        ['constant-validators'],
        { etag: undefined, 'last-modified': new Date(0).toUTCString() },
      ],
    ] as const
  ).map(([mistake, found, headers]) => ({
    mistake,
    found,
    seed: (provider: Provider) => Object.assign(provider.headers, headers),
  })),
  {
    mistake: 'the same ETag for every document',
    found: ['constant-validators'],
    seed(provider) {
      provider.headers['etag'] = '"1"'
      provider.metadataHeaders['etag'] = '"1"'
    },
  },
  {
    mistake: '304 to any validator',
    found: ['constant-validators'],
    seed: (provider) =>
      answerKeySet(provider, (request, response) => {
        if (request.headers['if-none-match'] === undefined) return false
        response.writeHead(304).end()
        return true
      }),
  },
  {
    mistake: 'an ETag that outlives a rotation',
    found: ['key-sets-differ', 'constant-validators'],
    seed(provider) {
      provider.headers['etag'] = '"constant"'
      answerKeySet(provider, () => {
        provider.keys = [ecKey({ kid: String(Math.random()) })]
        return false
      })
      provider.metadata['id_token_signing_alg_values_supported'] = ['ES256']
    },
  },
  {
    mistake: 'servers with different keys',
    found: ['key-sets-differ'],
    seed(provider) {
      const sets = [provider.keys, [rsaKey({ kid: 'other' })]]
      let count = 0
      answerKeySet(provider, () => {
        provider.keys = sets[count % 2] ?? []
        count += 1
        return false
      })
    },
  },
]

interface JsonReport {
  readonly ok: boolean
  readonly findings: readonly { readonly code: string; readonly severity: string }[]
}

/** The errors and warnings of a report. */
function seriousOf(stdout: string): readonly string[] {
  const { findings } = JSON.parse(stdout) as JsonReport
  return findings.filter(({ severity }) => severity !== 'note').map(({ code }) => code)
}

const mistakes = { connection, redirects, bodies, metadata, keys, caching }

describe.each(Object.entries(mistakes))('doctor, mistakes of the %s', (_, rows) => {
  it.each(rows)('finds $mistake, and nothing else', async ({ found, tls, seed, args = [] }) => {
    const provider = await startProvider(tls)
    seed?.(provider)
    const { code, stdout, stderr } = await runCli([
      'doctor',
      '--json',
      '--ca',
      provider.caFile,
      ...args,
      provider.issuer,
    ])
    expect(seriousOf(stdout).toSorted()).toEqual([...found].toSorted())
    expect(code).toBe(1)
    expect(stderr).not.toContain('Error')
  })
})

describe('doctor', () => {
  it('finds nothing wrong with a provider without mistakes', async () => {
    const provider = await startProvider()
    const { code, stdout } = await runCli(['doctor', '--json', '--ca', provider.caFile, provider.issuer])
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, findings: [] })
    expect(code).toBe(0)
  })
})
