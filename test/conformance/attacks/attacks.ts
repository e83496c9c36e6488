import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import type { TestIssuer, TokenClaims } from '@jwks-auth/testing'
import type { JWK } from 'jose'

/** A token made without the issuer's key, or not meant for this API. */
export interface Attack {
  readonly name: string
  readonly token: (issuer: TestIssuer) => Promise<string>
  /** The code that refuses it. */
  readonly code: string
}

const foreignKey = generateKeys('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as JWK

/** A claims set as text, with claims of its own behind the usual ones. */
export function claimsText(issuer: TestIssuer, more: string): string {
  const usual = { iss: issuer.issuer, aud: 'https://api.example', sub: 'user-1', exp: 9_999_999_999 }
  return JSON.stringify(usual).replace(/\}$/, `,${more}}`)
}

/** What of the public key forgers have taken for the secret of an HMAC. */
const secrets: readonly (readonly [name: string, secretOf: (jwk: JWK) => string | Buffer])[] = [
  ['the PEM', (jwk) => publicKey(jwk).export({ type: 'spki', format: 'pem' })],
  [
    'the PEM without its last line break',
    (jwk) => String(publicKey(jwk).export({ type: 'spki', format: 'pem' })).trim(),
  ],
  ['the DER', (jwk) => publicKey(jwk).export({ type: 'spki', format: 'der' })],
  ['the JWK', (jwk) => JSON.stringify(jwk)],
  ['the x coordinate', (jwk) => Buffer.from(jwk.x ?? '', 'base64url')],
  ['the text of the x coordinate', (jwk) => jwk.x ?? ''],
  ['nothing at all', () => ''],
]

function publicKey(jwk: JWK) {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
}

const confusions: readonly Attack[] = secrets.flatMap(([name, secretOf]) =>
  ['HS256', 'ES256'].map((alg) => ({
    name: `an HMAC by ${name} of the public key under the alg ${alg}`,
    code: alg === 'HS256' ? 'ERR_ALGORITHM_NOT_ALLOWED' : 'ERR_SIGNATURE_INVALID',
    async token(issuer) {
      const input = (await issuer.sign({}, { alg })).split('.').slice(0, 2).join('.')
      const mac = createHmac('sha256', secretOf(issuer.signingKey.publicJwk)).update(input).digest('base64url')
      return `${input}.${mac}`
    },
  })),
)

const kids: readonly (readonly [name: string, kid: string])[] = [
  ['a path to an empty file', '../../../../../../dev/null'],
  ['a path on Windows', '..\\..\\windows\\win.ini'],
  ['an encoded path', '%2e%2e%2fdev%2fnull'],
  ['a file URL', 'file:///dev/null'],
  ['a URL', 'http://127.0.0.1:1/key.pem'],
  ['SQL that is always true', "' OR '1'='1"],
  ['SQL that selects a secret', "x' UNION SELECT 'secret' -- "],
  ['a command', '`id`|id;$(id)'],
  ['the published kid before a NUL', 'key-1\0'],
  ['the published kid before a line break', 'key-1\r\nx: y'],
  ['the published kid twice', 'key-1,key-1'],
  ['the published kid among spaces', ' key-1 '],
  ['the published kid in look-alikes', 'k\u0435y-1'],
  ['a name of Object.prototype', 'hasOwnProperty'],
  ['another name of Object.prototype', 'constructor'],
  ['half of a surrogate pair', '\ud800'],
]

const injections: readonly Attack[] = kids.map(([name, kid]) => ({
  name: `a kid that is ${name}`,
  code: 'ERR_KEY_NOT_FOUND',
  token: (issuer) => issuer.sign({}, { kid, signWith: foreignKey }),
}))

function payload(name: string, code: string, payloadText: (issuer: TestIssuer) => string | Promise<string>): Attack {
  return { name, code, token: async (issuer) => issuer.sign({}, { payloadText: await payloadText(issuer) }) }
}

function claims(name: string, code: string, changed: TokenClaims): Attack {
  return { name, code, token: (issuer) => issuer.sign(changed) }
}

const nested: readonly Attack[] = [
  payload('a token within a token', 'ERR_TOKEN_MALFORMED', (issuer) => issuer.sign()),
  payload('a token within a token, as a JSON string', 'ERR_TOKEN_MALFORMED', async (issuer) =>
    JSON.stringify(await issuer.sign()),
  ),
  {
    name: 'a token within a token that says so',
    code: 'ERR_TOKEN_MALFORMED',
    token: async (issuer) => issuer.sign({}, { header: { cty: 'JWT' }, payloadText: await issuer.sign() }),
  },
  {
    name: 'a good token within a token of another issuer',
    code: 'ERR_TOKEN_MALFORMED',
    token: async (issuer) => issuer.sign({}, { signWith: foreignKey, payloadText: await issuer.sign() }),
  },
  {
    name: 'an encrypted token with three parts',
    code: 'ERR_ALGORITHM_NOT_ALLOWED',
    token: async (issuer) => issuer.sign({}, { alg: 'dir', header: { enc: 'A256GCM' } }),
  },
  {
    name: 'an encrypted token encrypted with the public key',
    code: 'ERR_ALGORITHM_NOT_ALLOWED',
    token: async (issuer) => issuer.sign({}, { alg: 'ECDH-ES', header: { enc: 'A256GCM', epk: {} } }),
  },
  {
    name: 'a good signature over a payload that is left out (RFC 7515 appendix F)',
    code: 'ERR_TOKEN_MALFORMED',
    token: async (issuer) => (await issuer.sign()).replace(/\..*\./, '..'),
  },
  {
    name: 'a compressed payload',
    code: 'ERR_TOKEN_MALFORMED',
    token: async (issuer) =>
      issuer.sign({}, { header: { zip: 'DEF' }, payloadText: 'q1bKLC5WslIyVNJRSq0oULIyNDO2NDQ2NDGtBQA' }),
  },
  ...['utf16le', 'utf-16be'].map((encoding) => ({
    name: `a payload in ${encoding} (RFC 8725 2.6)`,
    code: 'ERR_TOKEN_MALFORMED',
    async token(issuer: TestIssuer) {
      const [header] = (await issuer.sign()).split('.')
      const text = Buffer.from(claimsText(issuer, '"a":1'), 'utf16le')
      const body = (encoding === 'utf16le' ? text : text.swap16()).toString('base64url')
      return signInput(`${header}.${body}`, issuer)
    },
  })),
]

/** What `issuer.sign` cannot make: a signature by the issuer's own key over anything. */
function signInput(input: string, { signingKey }: TestIssuer): string {
  const key = createPrivateKey({ key: { ...signingKey.privateJwk }, format: 'jwk' })
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const shapes: readonly Attack[] = [
  claims('an audience among what is no string', 'ERR_CLAIM_MALFORMED', { aud: ['https://api.example', 1] }),
  claims('an audience in a list of lists', 'ERR_CLAIM_MALFORMED', { aud: [['https://api.example']] }),
  claims('an audience like a list', 'ERR_CLAIM_MALFORMED', { aud: { 0: 'https://api.example', length: 1 } }),
  claims('an audience in a list joined by a space', 'ERR_AUDIENCE_NOT_ALLOWED', { aud: 'a https://api.example' }),
  claims('no audience in the list', 'ERR_AUDIENCE_NOT_ALLOWED', { aud: [] }),
  claims('an issuer like a string', 'ERR_CLAIM_MALFORMED', { iss: { toString: 'https://issuer.example' } }),
  claims('an exp past all time', 'ERR_CLAIM_MALFORMED', { exp: [9_999_999_999] }),
  payload('an exp that is Infinity', 'ERR_CLAIM_MALFORMED', (issuer) =>
    claimsText(issuer, '"a":1').replace('9999999999', '1e999'),
  ),
  payload('an nbf that is minus Infinity', 'ERR_CLAIM_MALFORMED', (issuer) => claimsText(issuer, '"nbf":-1e999')),
]

const confirmations: readonly (readonly [name: string, cnf: unknown])[] = [
  ['a DPoP key', { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' }],
  ['a certificate', { 'x5t#S256': 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0' }],
  ['nothing', {}],
  ['null', null],
]

const bound: readonly Attack[] = confirmations.map(([name, cnf]) =>
  claims(`a token bound to ${name}, without proof`, 'ERR_CONFIRMATION_NOT_CHECKED', { cnf }),
)

/** Published attacks that every issuer's tokens can be turned to. */
export const attacks: readonly Attack[] = [...confusions, ...injections, ...nested, ...shapes, ...bound]
