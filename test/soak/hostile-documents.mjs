/** Key sets that a hostile provider publishes: each kind is a function that returns the body. */
import { generateKeyPairSync } from 'node:crypto'

/** @typedef {import('./chance.mjs').Chance} Chance */
/** @typedef {Record<string, unknown>} Jwk */

// Exported by the generation itself: on Node 20, a later `export` can wait for ever for the lock of a generation that is
// garbage-collected meanwhile.
const encodings = { publicKeyEncoding: { format: 'jwk' }, privateKeyEncoding: { format: 'jwk' } }
const pairs = Array.from({ length: 8 }, () => generateKeys('rsa', { modulusLength: 2048 }))
const publicKeys = pairs.map(({ publicKey }) => publicKey)
const privateKeys = pairs.map(({ privateKey }) => privateKey)
const curve = generateKeys('ec', { namedCurve: 'P-256' }).publicKey

/** @param {string} type @param {object} options @returns {{ publicKey: Jwk, privateKey: Jwk }} */
function generateKeys(type, options) {
  return /** @type {any} */ (generateKeyPairSync)(type, { ...options, ...encodings })
}

/** The `kid` that the hostile tenant's tokens name; there is other material under it at each fetch. */
export const hostileKid = 'same'

/** @param {Chance} chance @returns {Jwk} */
function goodKey(chance) {
  return { ...chance.pick(/** @type {[Jwk]} */ (publicKeys)), kid: hostileKid, alg: 'RS256', use: 'sig' }
}

/** @param {...unknown} keys */
function keySet(...keys) {
  return JSON.stringify({ keys })
}

/** @param {string} text @param {number} depth */
function nested(text, depth) {
  return `${text.repeat(depth)}0${(text.startsWith('[') ? ']' : '}').repeat(depth)}`
}

/** A key with one more member, given as text because `JSON.stringify` could not make it. @param {Jwk} key @param {string} member */
function withMember(key, member) {
  return `{"keys":[${JSON.stringify(key).slice(0, -1)},${member}}]}`
}

/** @type {Readonly<Record<string, (chance: Chance) => string | Buffer>>} */
const kinds = {
  'other material under the same kid': (chance) => keySet(goodKey(chance)),
  'a member nested deeply in arrays': (chance) => withMember(goodKey(chance), `"x":${nested('[', 5_000)}`),
  'a member nested deeply in objects': (chance) => withMember(goodKey(chance), `"ext":${nested('{"a":', 5_000)}`),
  'a used member nested deeply': (chance) => withMember(goodKey(chance), `"key_ops":${nested('[', 5_000)}`),
  'a set nested deeply': () => `{"keys":${nested('[', 100_000)}}`,
  'one good key among bad entries': (chance) => `{"keys":[${JSON.stringify(goodKey(chance))}${',0'.repeat(500_000)}]}`,
  'one good key among refused keys': (chance) =>
    `{"keys":[${JSON.stringify(goodKey(chance))}${',{"kty":"RSA","kid":"a"}'.repeat(40_000)}]}`,
  'a thousand keys under one kid': (chance) =>
    keySet(...Array.from({ length: 1_000 }, () => ({ ...goodKey(chance), n: modulus(chance) }))),
  'a body of two megabytes': (chance) => withMember(goodKey(chance), `"x":"${'a'.repeat(2_000_000)}"`),
  'an exponent of thousands of bits': (chance) =>
    keySet({ ...goodKey(chance), e: oddBytes(chance, 250).toString('base64url') }),
  'a modulus of sixteen thousand bits': (chance) =>
    keySet({ ...goodKey(chance), n: oddBytes(chance, 2_048).toString('base64url') }),
  'numbers where strings belong': (chance) =>
    `{"keys":[{"kty":1e999,"kid":12345678901234567890,"n":-0,"e":65537},${JSON.stringify(goodKey(chance))}]}`,
  'null where strings belong': (chance) => keySet({ ...goodKey(chance), d: null, use: null, alg: null, x5c: null }),
  'another encoding of the same key': (chance) => {
    const key = goodKey(chance)
    const n = Buffer.concat([Buffer.alloc(chance.below(4)), Buffer.from(String(key['n']), 'base64url')])
    return keySet({ ...key, n: n.toString('base64'), e: 'AAEAAQ==' })
  },
  'a curve point of another length': (chance) => {
    const x = Buffer.concat([Buffer.alloc(1), Buffer.from(String(curve['x']), 'base64url')])
    return keySet(goodKey(chance), { ...curve, kid: 'curve', x: x.toString('base64url') })
  },
  'a private key': (chance) =>
    keySet({ ...chance.pick(/** @type {[Jwk]} */ (privateKeys)), kid: hostileKid }, goodKey(chance)),
  'a secret': (chance) => keySet({ kty: 'oct', k: 'c2VjcmV0', kid: hostileKid, alg: 'HS256' }, goodKey(chance)),
  'names of prototypes': (chance) =>
    `{"__proto__":{"keys":[]},"keys":[${JSON.stringify(goodKey(chance))},{"kid":"__proto__","constructor":{}}]}`,
  'duplicate members': (chance) => `{"keys":[],"keys":[${JSON.stringify(goodKey(chance))}]}`,
  'a byte order mark': (chance) => `\ufeff${keySet(goodKey(chance))}`,
  'an empty set': () => keySet(),
  'no set': () => '[]',
  'a page': () => '<!doctype html><title>Sign in</title>',
  'any bytes': (chance) => chance.bytes(1 + chance.below(2_000)),
  'a truncated set': (chance) => keySet(goodKey(chance)).slice(0, 100),
}

/** @param {Chance} chance */
function modulus(chance) {
  return oddBytes(chance, 256).toString('base64url')
}

/** @param {Chance} chance @param {number} count */
function oddBytes(chance, count) {
  const bytes = chance.bytes(count)
  bytes[0] = 0xc1
  bytes[count - 1] = (bytes[count - 1] ?? 0) | 1
  return bytes
}

const names = Object.keys(kinds)

/** @param {Chance} chance */
export function hostileDocument(chance) {
  const name = chance.pick(/** @type {[string]} */ (names))
  const body = kinds[name]?.(chance) ?? ''
  return { name, body: Buffer.from(body) }
}
