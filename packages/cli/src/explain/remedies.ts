const REMEDIES: Readonly<Record<string, string>> = {
  ERR_TOKEN_TOO_LONG: 'Issue smaller tokens, or raise maxTokenBytes.',
  ERR_TOKEN_MALFORMED: 'Send an access token that is a JWT, whole and unchanged; not an opaque or an encrypted one.',
  ERR_AUTHORIZATION_MALFORMED:
    'Send an access token that is a JWT, whole and unchanged; not an opaque or an encrypted one.',
  ERR_CRITICAL_HEADER_NOT_UNDERSTOOD: 'Configure the issuer not to add crit or b64.',
  ERR_ALGORITHM_NOT_ALLOWED:
    'Sign with one of the allowed algorithms, or add this one to algorithms. HS256 and none never are.',
  ERR_TOKEN_TYPE_NOT_ALLOWED: 'Send an access token, not an ID token; for an issuer with another type, set typ.',
  ERR_TENANT_NOT_DETERMINED: 'No tenant has this issuer. Compare iss with the option issuer, character by character.',
  ERR_TENANT_UNKNOWN: 'Add the tenant, or check its name.',
  ERR_ISSUER_NOT_ALLOWED: 'Compare iss with the option issuer, character by character: a slash at the end counts.',
  ERR_TOKEN_EXPIRED: 'Get a new token; if all are refused, set the clocks.',
  ERR_TOKEN_NOT_YET_VALID: 'Set the clocks, or raise clockTolerance.',
  ERR_TOKEN_ISSUED_IN_FUTURE: 'Set the clocks, or raise clockTolerance.',
  ERR_TOKEN_TOO_OLD: 'Get a new token, or raise maxTokenAge.',
  ERR_AUDIENCE_NOT_ALLOWED: 'Request a token for this API: its aud must name one of audience.',
  ERR_CLIENT_NOT_ALLOWED: 'Add the client to clientIds, or find out which one it is.',
  ERR_CLAIM_MISSING:
    'Configure the issuer to add the claim; where tokens have no aud, set audience: false and clientIds.',
  ERR_CLAIM_MALFORMED:
    'Fix the issuer: the claim has the wrong type. Times are numbers of seconds, other claims strings.',
  ERR_CLAIM_NOT_BOUND: 'Check that the token is for this tenant: a claim of boundClaims has another value.',
  ERR_CONFIRMATION_NOT_CHECKED: "Issue plain bearer tokens, or set cnf: 'ignore'.",
  ERR_KEY_NOT_FOUND: 'Check that the token is from this issuer, and that it publishes the key: jwks-auth doctor.',
  ERR_KEY_REVOKED: 'The key was revoked.',
  ERR_SIGNATURE_INVALID: 'Treat the token as forged or corrupted; or the issuer publishes another key under this kid.',
  ERR_KEYS_UNAVAILABLE: 'Check the provider: jwks-auth doctor.',
  ERR_CLAIMS_REJECTED: 'Compare the schema in claims with the claims of the token.',
  ERR_TOKEN_REJECTED: 'Check the conditions in validate.',
  ERR_TOKEN_REVOKED: 'Nothing, if isRevoked is right.',
}

/** What to do about a refusal. */
export function remedyFor(code: string): string {
  return REMEDIES[code] ?? 'See docs/errors.md for this code.'
}
