import { startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { parseToken } from '../../../packages/core/src/auth/parse-token.ts'
import { hmacVector, type PrivateKeyVector, signatureVectors, unsecuredVector } from './vectors.ts'
import { isSigned, readSetOf } from './verify.ts'

/** Before `exp` of the tokens of RFC 7515 appendix A. */
const inTime = 1_300_819_000_000

function publicHalf({ d: _, ...key }: PrivateKeyVector): Readonly<Record<string, string>> {
  return key
}

/** An API that trusts the issuer `joe`, which publishes one key. */
async function startApi(key: object, now: number) {
  const clock = createManualClock({ now })
  const issuer = await startIssuer({ clock })
  issuer.setJwks({ keys: [key] })
  return startAuthenticatorFor(issuer, { issuer: 'joe', audience: false, clock })
}

describe.each(signatureVectors)('$source', ({ key, token, isJwt }) => {
  it('verifies with the public half of its key', async () => {
    expect(await isSigned(token, publicHalf(key))).toBe(true)
  })

  it('does not verify with one bit of the payload changed', async () => {
    const [header, payload = '', signature] = token.split('.')
    const bytes = Buffer.from(payload, 'base64url')
    bytes[0] = (bytes[0] ?? 0) ^ 1
    expect(await isSigned([header, bytes.toString('base64url'), signature].join('.'), publicHalf(key))).toBe(false)
  })

  it('has a key that is refused as it is printed, with its private half', () => {
    const { keySet, refused } = readSetOf(key)
    expect(keySet.keys).toEqual([])
    expect(refused.first.map(({ reason }) => reason)).toEqual(['private'])
  })

  it('is a JWT only where its payload is an object', () => {
    const parsed = parseToken(token)
    expect('code' in parsed ? parsed.code : undefined).toBe(isJwt ? undefined : 'ERR_TOKEN_MALFORMED')
  })
})

describe.each(signatureVectors.filter(({ isJwt }) => isJwt))(
  'a request with the token of $source',
  ({ key, token }) => {
    it('is let in', async () => {
      expect(await verdict(await startApi(publicHalf(key), inTime), token)).toBe('accepted')
    })

    it('is refused once its exp is past', async () => {
      expect(await verdict(await startApi(publicHalf(key), inTime + 600_000), token)).toBe('ERR_TOKEN_EXPIRED')
    })

    it('is refused where the key was published with its private half', async () => {
      expect(await verdict(await startApi(key, inTime), token)).toBe('ERR_KEYS_UNAVAILABLE')
    })
  },
)

describe('RFC 7515 A.1, HS256', () => {
  it('is refused, and so is the secret as a published key', async () => {
    expect(await verdict(await startApi(hmacVector.secret, inTime), hmacVector.token)).toBe('ERR_ALGORITHM_NOT_ALLOWED')
    expect(readSetOf(hmacVector.secret).refused.first.map(({ reason }) => reason)).toEqual(['symmetric'])
  })
})

describe('RFC 7515 A.5, none', () => {
  it('is refused, with an empty signature and with any', async () => {
    const api = await startApi({ kty: 'oct' }, inTime)
    expect(await verdict(api, unsecuredVector)).toBe('ERR_TOKEN_MALFORMED')
    expect(await verdict(api, `${unsecuredVector}AAAA`)).toBe('ERR_ALGORITHM_NOT_ALLOWED')
  })
})
