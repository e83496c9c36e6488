import { startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import type { SigningAlgorithm } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

/** The order of each algorithm's group, and the bytes of a number in a signature (FIPS 186-5, RFC 8032 §5.1). */
const groups = {
  ES256: { bytes: 32, order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n },
  ES384: {
    bytes: 48,
    order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  ES512: {
    bytes: 66,
    order: (1n << 521n) - 0x5ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf7n,
  },
} as const

type Curve = keyof typeof groups

/** Both numbers of a signature. */
interface Numbers {
  readonly r: bigint
  readonly s: bigint
}

/** The issuer's token, and the same with other numbers in its signature. */
async function scene(algorithm: Curve) {
  const issuer = await startIssuer({ algorithm })
  const { bytes, order } = groups[algorithm]
  const good = await issuer.sign({ jti: 'one' })
  const [header, payload, signature = ''] = good.split('.')
  const hex = Buffer.from(signature, 'base64url').toString('hex')
  const numbers = { r: BigInt(`0x${hex.slice(0, bytes * 2)}`), s: BigInt(`0x${hex.slice(bytes * 2)}`) }
  const withSignature = (value: Buffer): string => `${header}.${payload}.${value.toString('base64url')}`
  return {
    authenticator: startAuthenticatorFor(issuer),
    good,
    withSignature,
    withNumbers(change: (numbers: Numbers, order: bigint) => Numbers): string {
      const { r, s } = change(numbers, order)
      return withSignature(Buffer.concat([r, s].map((number) => bigEndian(number, bytes))))
    },
    numbers,
  }
}

function bigEndian(number: bigint, bytes: number): Buffer {
  return Buffer.from(number.toString(16).padStart(bytes * 2, '0'), 'hex')
}

/** DER, as OpenSSL and Java write signatures, which RFC 7518 §3.4 does not. */
function der({ r, s }: Numbers): Buffer {
  const integers = [r, s].map((number) => {
    const text = number.toString(16)
    const content = Buffer.from(`00${text.length % 2 === 0 ? '' : '0'}${text}`, 'hex')
    return Buffer.concat([Buffer.from([0x02, content.length]), content])
  })
  const body = Buffer.concat(integers)
  return Buffer.concat([Buffer.from(body.length < 128 ? [0x30, body.length] : [0x30, 0x81, body.length]), body])
}

describe.each<Curve>(['ES256', 'ES384', 'ES512'])('a signature by %s', (algorithm) => {
  it.each<[string, (numbers: Numbers, order: bigint) => Numbers]>([
    ['r = 0', ({ s }) => ({ r: 0n, s })],
    ['s = 0', ({ r }) => ({ r, s: 0n })],
    ['r = s = 1', () => ({ r: 1n, s: 1n })],
    ['r = n', ({ s }, n) => ({ r: n, s })],
    ['s = n', ({ r }, n) => ({ r, s: n })],
    ['r = s = n', (_, n) => ({ r: n, s: n })],
    ['r = n and s = 0', (_, n) => ({ r: n, s: 0n })],
    ['r and s exchanged', ({ r, s }) => ({ r: s, s: r })],
  ])('with %s is none', async (_, change) => {
    const { authenticator, withNumbers } = await scene(algorithm)
    expect(await verdict(authenticator, withNumbers(change))).toBe('ERR_SIGNATURE_INVALID')
  })

  it('in DER is none', async () => {
    const { authenticator, withSignature, numbers } = await scene(algorithm)
    expect(await verdict(authenticator, withSignature(der(numbers)))).toBe('ERR_SIGNATURE_INVALID')
  })

  it('has a twin (s = n - s) that is as good, so that the text of a token does not name it', async () => {
    const { authenticator, good, withNumbers } = await scene(algorithm)
    const twin = withNumbers(({ r, s }, n) => ({ r, s: n - s }))
    expect(twin).not.toBe(good)
    expect([await verdict(authenticator, good), await verdict(authenticator, twin)]).toEqual(['accepted', 'accepted'])
  })
})

describe('a signature by ES512', () => {
  it.each<[string, (numbers: Numbers, order: bigint) => Numbers]>([
    ['r + n', ({ r, s }, n) => ({ r: r + n, s })],
    ['s + n', ({ r, s }, n) => ({ r, s: s + n })],
  ])('with %s, which is the same by modulus, is none', async (_, change) => {
    const { authenticator, withNumbers } = await scene('ES512')
    expect(await verdict(authenticator, withNumbers(change))).toBe('ERR_SIGNATURE_INVALID')
  })
})

describe.each<SigningAlgorithm>(['EdDSA', 'Ed25519'])('a signature by %s', (algorithm) => {
  it('has no twin: S + L is none (RFC 8032 5.1.7)', async () => {
    const order = (1n << 252n) + 27742317777372353535851937790883648493n
    const issuer = await startIssuer({ algorithm })
    const [header, payload, signature = ''] = (await issuer.sign()).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString('hex')}`)
    const twin = Buffer.concat([bytes.subarray(0, 32), bigEndian(s + order, 32).toReversed()])
    const token = `${header}.${payload}.${twin.toString('base64url')}`
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_SIGNATURE_INVALID')
  })
})
