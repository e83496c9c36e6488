/**
 * Signs ES256 tokens by the million, which no library does: a signature is three numbers made in advance and one
 * multiplication, since a few nonces serve for all tokens. That gives the private key away to whoever sees two tokens,
 * and this key signs nothing but what is measured here.
 */
import { createECDH, createHash } from 'node:crypto'
import { base64url, usualClaims } from './tokens.mjs'

/** The order of P-256 (SEC 2, §2.4.2). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const nonces = 64

/**
 * @param {import('./tokens.mjs').TestIssuer} issuer whose signing key is ES256
 * @returns {(index: number) => string} the token of that number, no two alike
 */
export function createQuickSigner({ issuer, signingKey: { kid, privateJwk } }) {
  const d = numberOf(privateJwk.d ?? '')
  const prepared = Array.from({ length: nonces }, () => {
    const nonce = createECDH('prime256v1')
    const x = nonce.generateKeys().subarray(1, 33)
    const r = numberOf(x.toString('base64url')) % order
    return { r: bytesOf(r), rd: (r * d) % order, inverse: inverseOf(numberOf(nonce.getPrivateKey('base64url'))) }
  })
  const header = base64url(JSON.stringify({ alg: 'ES256', kid, typ: 'JWT' }))
  const iat = Math.floor(Date.now() / 1000)
  return (index) => {
    const signingInput = `${header}.${base64url(JSON.stringify(usualClaims(issuer, iat, index)))}`
    const { r, rd, inverse } = prepared[index % nonces] ?? { r: Buffer.alloc(32), rd: 0n, inverse: 0n }
    const hash = BigInt(`0x${createHash('sha256').update(signingInput).digest('hex')}`)
    const s = (inverse * (hash + rd)) % order
    return `${signingInput}.${base64url(Buffer.concat([r, bytesOf(s)]))}`
  }
}

/** @param {string} text base64url */
function numberOf(text) {
  return BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)
}

/** @param {bigint} number */
function bytesOf(number) {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex')
}

/** By Fermat, the order being prime. @param {bigint} number */
function inverseOf(number) {
  let result = 1n
  for (let [base, exponent] = [number, order - 2n]; exponent > 0n; exponent >>= 1n, base = (base * base) % order) {
    if (exponent & 1n) result = (result * base) % order
  }
  return result
}
