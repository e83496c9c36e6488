import type { VerificationKey } from '../jwks/verification-key.ts'
import { isGuid, TENANT_PLACEHOLDER } from './issuer-template.ts'

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
