import { type KeyObject, verify } from 'node:crypto'
import type { Instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeyNotFoundError, SignatureInvalidError } from '../base/errors/request-errors.ts'
import type { Steps } from '../base/steps.ts'
import type { ImportedKey, VerificationKey } from '../jwks/verification-key.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import { type RequestContext, wait } from './callbacks.ts'
import { isGuid, TENANT_PLACEHOLDER } from './claim-rules.ts'
import type { ParsedToken } from './parse-token.ts'

/** The keys that may have signed a token, and when they were asked for: the time limit of a refetch counts from there. */
export interface FoundSigningKeys {
  readonly keys: readonly VerificationKey[]
  readonly askedAt: Instant
}

/** Creates the search for the key that verifies a token's signature; it returns an error where there is none. */
export function createSigningKeySearch() {
  const checkSignature = createSignatureCheck()

  /** The one of these keys that verifies the signature; `undefined` if none does, an error if none may be used. */
  function* signerAmong(
    keys: readonly VerificationKey[],
    token: ParsedToken,
    cache: ProviderCache,
    context: RequestContext,
  ): Steps<VerificationKey | KeyNotFoundError | undefined> {
    let isAnyUsable = false
    for (const key of keys) {
      if (!vouchesForIssuer(key, token.payload)) continue
      const imported = cache.importKey(key, token.header.alg)
      if (imported === undefined) continue
      isAnyUsable = true
      if (yield* wait(context, checkSignature(imported, token))) return key
    }
    return isAnyUsable ? undefined : new KeyNotFoundError()
  }

  return function* findSigningKey(
    { keys, askedAt }: FoundSigningKeys,
    token: ParsedToken,
    cache: ProviderCache,
    context: RequestContext,
  ): Steps<VerificationKey | JwksAuthError> {
    const { kid, alg } = token.header
    const signer = yield* signerAmong(keys, token, cache, context)
    if (signer !== undefined) return signer
    // The provider may have published new material under the same `kid`: one more search, within the refetch budget.
    const others = yield* wait(context, cache.findOtherKeys(kid, alg, keys, askedAt))
    context.hasWaitedSinceKey = false
    if (others instanceof JwksAuthError) return others
    const other = others.length === 0 ? undefined : yield* signerAmong(others, token, cache, context)
    return other ?? new SignatureInvalidError()
  }
}

/**
 * Entra ID's issuers in each of its clouds. A tenant has the same keys for tokens of version 1.0 and 2.0, and its key
 * endpoint names the v2.0 issuer for them.
 */
const ENTRA_ISSUERS: readonly { readonly v1: (tid: string) => string; readonly v2: (tid: string) => string }[] = [
  {
    v1: (tid) => `https://sts.windows.net/${tid}/`,
    v2: (tid) => `https://login.microsoftonline.com/${tid}/v2.0`,
  },
  {
    v1: (tid) => `https://sts.windows.net/${tid}/`,
    v2: (tid) => `https://login.microsoftonline.us/${tid}/v2.0`,
  },
  {
    v1: (tid) => `https://sts.chinacloudapi.cn/${tid}/`,
    v2: (tid) => `https://login.partner.microsoftonline.cn/${tid}/v2.0`,
  },
]

/**
 * True unless the key's own `issuer` member names another issuer than the token does.
 *
 * Endpoints that serve many customers, such as that of Entra ID's `common`, name in each key the issuer whose tokens it
 * may verify: in full, or with `{tenantid}` for the token's `tid`, which must be a GUID. A key for Entra's v2.0 issuer may
 * also verify tokens of the v1.0 issuer with the same `tid`. A key without `issuer` may verify tokens of any issuer.
 * Whether the token's issuer is one of the configured ones is checked elsewhere.
 */
export function vouchesForIssuer({ jwk }: VerificationKey, claims: Readonly<Record<string, unknown>>): boolean {
  const { iss } = claims
  if (jwk.issuer === undefined || jwk.issuer === iss) return true
  const tid = claims['tid']
  if (!isGuid(tid)) return false
  const issuer = jwk.issuer.replaceAll(TENANT_PLACEHOLDER, tid)
  return issuer === iss || ENTRA_ISSUERS.some(({ v1, v2 }) => issuer === v2(tid) && iss === v1(tid))
}

/**
 * How many signatures are checked on the spot in one turn of the event loop. Four keep the delay of a turn below 0.4 ms;
 * docs/decisions/003-signature-check.md has the figures.
 */
const CHECKS_PER_TURN = 4

/** The largest RSA key that is checked on the spot, in bits. A check takes about 90 µs. */
const MAX_CHEAP_RSA_BITS = 4096

/** Checks a token's signature (RFC 7515 §5.2, step 8); a promise only where the check runs on the thread pool. */
export type SignatureCheck = (
  key: ImportedKey,
  token: Pick<ParsedToken, 'signingInput' | 'signature'>,
) => boolean | Promise<boolean>

/**
 * Creates a signature check that runs on the event loop while it is quiet and the key is cheap, and on Node's thread pool
 * otherwise, so that a flood of tokens uses all cores and cannot starve cached tokens.
 */
export function createSignatureCheck(): SignatureCheck {
  let checksThisTurn = 0
  const endTurn = (): void => {
    checksThisTurn = 0
  }
  return (key, token) => {
    if (checksThisTurn >= CHECKS_PER_TURN || !isCheap(key.keyObject)) return verifySignature(key, token)
    if (checksThisTurn === 0) setImmediate(endTurn)
    checksThisTurn += 1
    return verify(key.hash, Buffer.from(token.signingInput, 'latin1'), key.verifyInput, token.signature)
  }
}

/** Checks a token's signature on the thread pool. */
export function verifySignature(
  { hash, verifyInput }: ImportedKey,
  { signingInput, signature }: Pick<ParsedToken, 'signingInput' | 'signature'>,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(hash, Buffer.from(signingInput, 'latin1'), verifyInput, signature, (error, isSigned) => {
      if (error === null) resolve(isSigned)
      else reject(error)
    })
  })
}

/** RSA up to 4096 bits, P-256 and Ed25519 take 22 to 90 µs; P-384, P-521 and larger RSA keys 0.3 to 1.5 ms. */
function isCheap({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? Infinity) <= MAX_CHEAP_RSA_BITS
  return asymmetricKeyType === 'ed25519' || asymmetricKeyDetails?.namedCurve === 'prime256v1'
}
