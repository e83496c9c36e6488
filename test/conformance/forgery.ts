import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import type { TestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import type { JWK } from 'jose'

/** What was done to a good token. */
export interface Forgery {
  /** Members set in the header and in the payload. */
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
  /** Members left out of either. */
  readonly dropped: readonly string[]
  /** A member said twice. */
  readonly doubled: string | undefined
  /** The signature on it: the issuer's on the whole, the issuer's on the token before the change, or one by another key. */
  readonly signer: 'issuer' | 'issuer-before' | 'foreign'
  /** Characters of the finished token replaced, removed (`''`) or added to, by position as a share of its length. */
  readonly edits: readonly { readonly at: number; readonly remove: 0 | 1; readonly insert: string }[]
}

const headerNames = ['alg', 'kid', 'typ', 'cty', 'crit', 'b64', 'jwk', 'jku', 'zip', '__proto__']
const claimNames = ['iss', 'aud', 'exp', 'nbf', 'iat', 'sub', 'cnf', 'scope', '__proto__']

/** Values that mean something somewhere. `now` is in seconds. */
function values(issuer: string, audience: string, now: number) {
  const strings = [
    issuer,
    `${issuer}/`,
    audience,
    'ES256',
    'es256',
    'none',
    'HS256',
    'EdDSA',
    'Ed25519',
    'JWT',
    'at+jwt',
    '',
  ]
  const numbers = [-31, -30, -29, 0, 29, 30, 31, 0.5].map((offset) => now + offset)
  return fc.oneof(
    fc.constantFrom<unknown>(...strings, ...numbers, [audience], [audience, 'x'], [issuer], ['exp'], null, true, 1e308),
    fc.jsonValue({ maxDepth: 1 }),
  )
}

/** Forgeries of an issuer's tokens; many of them do nothing much, so that some are still good. */
export function forgeries(issuer: string, audience: string, now: number): fc.Arbitrary<Forgery> {
  const value = values(issuer, audience, now)
  const some = (names: readonly string[]) =>
    fc
      .array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 2, size: 'max' })
      .map((members) => Object.fromEntries(members))
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.constantFrom<0 | 1>(0, 1),
    insert: fc.constantFrom('', 'A', 'B', '-', '_', '=', '.', '+', ' ', '9'),
  })
  return fc.record({
    header: fc.oneof(fc.constant({}), some(headerNames)),
    payload: fc.oneof(fc.constant({}), some(claimNames)),
    dropped: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      fc.array(fc.constantFrom(...headerNames, ...claimNames), { maxLength: 2 }),
    ),
    doubled: fc.oneof(
      { weight: 5, arbitrary: fc.constant(undefined) },
      fc.constantFrom('alg', 'kid', 'iss', 'aud', 'exp'),
    ),
    signer: fc.oneof(
      { weight: 4, arbitrary: fc.constant<Forgery['signer']>('issuer') },
      fc.constantFrom<Forgery['signer']>('issuer-before', 'foreign'),
    ),
    edits: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(edit, { maxLength: 2 })),
  })
}

const foreignKey = generateKeys('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as JWK

/** Makes the token. */
export async function forge(issuer: TestIssuer, forgery: Forgery): Promise<string> {
  const before = await issuer.sign()
  const [header = '', payload = '', signature = ''] = before.split('.')
  const overrides = {
    headerText: textOf(decoded(header), forgery.header, forgery),
    payloadText: textOf(decoded(payload), forgery.payload, forgery),
  }
  const signed = await issuer.sign(
    {},
    forgery.signer === 'foreign' ? { ...overrides, signWith: foreignKey } : overrides,
  )
  const token = forgery.signer === 'issuer-before' ? `${signed.split('.').slice(0, 2).join('.')}.${signature}` : signed
  return forgery.edits.reduce((text, { at, remove, insert }) => {
    const position = Math.min(text.length - 1, Math.floor(at * text.length))
    return text.slice(0, position) + insert + text.slice(position + remove)
  }, token)
}

function decoded(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}

function textOf(
  before: Readonly<Record<string, unknown>>,
  changed: Readonly<Record<string, unknown>>,
  { dropped, doubled }: Forgery,
): string {
  const members = Object.entries({ ...before, ...changed }).filter(([name]) => !dropped.includes(name))
  const repeated = members.filter(([name]) => name === doubled)
  return `{${[...repeated, ...members].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
}
