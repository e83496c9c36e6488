/** Tokens that an attacker without a key can make. */

/**
 * Good tokens with another `kid` in the header, no two alike. A key that does not exist cannot sign, so the
 * signatures are another token's.
 *
 * @param {readonly string[]} good
 * @param {number} count
 */
export function bogusKids(good, count) {
  return Array.from({ length: count }, (_, index) => {
    const [header = '', payload, signature] = (good[index % good.length] ?? '').split('.')
    const members = JSON.parse(Buffer.from(header, 'base64url').toString())
    const text = JSON.stringify({ ...members, kid: `bogus-${index}` })
    return `${Buffer.from(text).toString('base64url')}.${payload}.${signature}`
  })
}

/**
 * Good tokens, each with the signature of the next: only a signature check can tell.
 *
 * @param {readonly string[]} good
 */
export function wrongSignatures(good) {
  return good.map((token, index) => {
    const other = good[(index + 1) % good.length] ?? ''
    return token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'))
  })
}
