/** How bad a finding is: `error` and `warning` end the command with exit code 1, a `note` does not. */
export type Severity = 'error' | 'warning' | 'note'

/** What a finding is about. */
export type Subject = 'issuer' | 'metadata' | 'key set'

/** The name of a finding, stable for scripts. */
export type FindingCode =
  | 'issuer-malformed'
  | 'http'
  | 'url-not-allowed'
  | 'name-not-resolved'
  | 'unreachable'
  | 'address-not-allowed'
  | 'timed-out'
  | 'slow'
  | 'cut-off'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'certificate-not-trusted'
  | 'certificate-wrong-host'
  | 'certificate-expires-soon'
  | 'tls-failed'
  | 'redirect-to-http'
  | 'too-many-redirects'
  | 'redirect-without-location'
  | 'redirected'
  | 'status'
  | 'html'
  | 'not-json'
  | 'empty'
  | 'too-large'
  | 'large'
  | 'content-type'
  | 'coding-mislabelled'
  | 'coding-missing'
  | 'coding-broken'
  | 'coding-not-supported'
  | 'byte-order-mark'
  | 'issuer-mismatch'
  | 'metadata-not-an-object'
  | 'jwks-uri-missing'
  | 'jwks-uri-malformed'
  | 'jwks-uri-http'
  | 'jwks-uri-other-origin'
  | 'algorithms-without-key'
  | 'second-location'
  | 'not-a-key-set'
  | 'no-keys'
  | 'no-usable-key'
  | 'too-many-keys'
  | 'duplicate-kid'
  | 'duplicate-key'
  | 'key-sets-differ'
  | 'key-private'
  | 'key-symmetric'
  | 'key-too-short'
  | 'key-too-long'
  | 'key-exponent'
  | 'key-forgeable'
  | 'key-malformed'
  | 'key-not-importable'
  | 'key-without-kid'
  | 'kid-too-long'
  | 'alg-mismatch'
  | 'key-ops'
  | 'certificate-of-other-key'
  | 'key-not-for-signatures'
  | 'key-without-alg'
  | 'not-cacheable'
  | 'lifetime-too-short'
  | 'lifetime-too-long'
  | 'expired-on-arrival'
  | 'no-lifetime'
  | 'cache-control-contradictory'
  | 'clock-skew'
  | 'constant-validators'
  | 'validator-malformed'
  | 'validators-change'
  | 'no-validators'

/** One thing that the doctor has to say about a provider. */
export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  readonly subject: Subject
  /** The key that it is about, by its position in the set. */
  readonly key?: number | undefined
  /** What was found. May quote the provider, so it must be made printable. */
  readonly message: string
  /** What to do about it. */
  readonly remedy: string
}

const trustRemedy =
  'Send the whole chain, intermediate certificates included. For an authority of your own, give --ca here and the option ca to jwksAuth.'
const bodyRemedy = 'Serve the document itself at this URL, as JSON and with status 200, without a login or a web page.'
const keyRemedy = 'Publish a key that follows RFC 7517 and RFC 7518; this one is not used.'
const codingRemedy = 'Make Content-Encoding name exactly the codings that the body has. Proxies often cause this.'
const validatorRemedy =
  'Derive the ETag from the content. While it does not change, conditional requests hide a rotation until a token with the new kid arrives.'

/** Every finding: its severity, and what to do about it. */
const catalogue: Readonly<Record<FindingCode, readonly [Severity, string]>> = {
  // The target
  'issuer-malformed': ['error', 'Use an issuer that is an https: URL without query and fragment (RFC 8414 §2).'],
  http: ['error', 'Serve it by https:. Whoever is on the way can replace keys that come by http:.'],
  'url-not-allowed': ['error', 'Use an absolute https: URL without credentials.'],

  // Connection
  'name-not-resolved': ['error', 'Check the spelling of the host, and the DNS that this machine uses.'],
  unreachable: ['error', 'Check that the provider runs, and that no firewall or proxy is in between.'],
  'address-not-allowed': [
    'error',
    'Other origins than the configured one must have public addresses. To allow this one, use the options network and allowAddresses.',
  ],
  'timed-out': ['error', 'Make the provider respond faster, or set retryPolicy.attemptTimeout. The default is 3 s.'],
  slow: ['warning', 'A response should take less than 1 s: the first requests after a start wait for it.'],
  'cut-off': ['error', 'The connection ended before the body was complete. Check Content-Length and the proxies.'],

  // TLS
  'certificate-expired': ['error', 'Renew the certificate.'],
  'certificate-not-yet-valid': ['error', 'Check the clock of this machine, and when the certificate becomes valid.'],
  'certificate-not-trusted': ['error', trustRemedy],
  'certificate-wrong-host': [
    'error',
    'Use a certificate that names this host, or the host that the certificate names.',
  ],
  'certificate-expires-soon': ['warning', 'Renew the certificate, and check why this did not happen by itself.'],
  'tls-failed': ['error', 'Offer TLS 1.2 or 1.3 with a current cipher suite at this port.'],

  // Redirects and status
  'redirect-to-http': ['error', 'Redirect to https: only. jwksAuth does not follow this.'],
  'too-many-redirects': ['error', 'Use the URL at the end of the chain; three redirects are followed.'],
  'redirect-without-location': ['error', 'Send Location with a redirect, or status 200 with the document.'],
  redirected: ['warning', 'Configure the final URL: each redirect costs a request and one more host to depend on.'],
  status: ['error', bodyRemedy],

  // Body
  html: ['error', bodyRemedy],
  'not-json': ['error', bodyRemedy],
  empty: ['error', bodyRemedy],
  'too-large': ['error', 'Make it smaller than maxResponseBytes, 1 MiB by default.'],
  large: ['warning', 'Remove keys and members that are not needed: each refresh transfers all of it.'],
  'content-type': [
    'warning',
    'Send application/json, or application/jwk-set+json for a key set. Other libraries refuse anything else.',
  ],
  'coding-mislabelled': ['warning', codingRemedy],
  'coding-missing': ['error', codingRemedy],
  'coding-broken': ['error', codingRemedy],
  'coding-not-supported': ['error', 'Use gzip or br, or no Content-Encoding.'],
  'byte-order-mark': ['warning', 'Write JSON without a byte order mark (RFC 8259 §8.1). Other libraries refuse it.'],

  // Metadata
  'issuer-mismatch': [
    'error',
    'Configure exactly the issuer that the metadata names, which is the iss of the tokens (RFC 8414 §3.3). A slash at the end counts.',
  ],
  'metadata-not-an-object': ['error', 'Publish metadata as one JSON object (RFC 8414 §3.2).'],
  'jwks-uri-missing': ['error', 'Publish jwks_uri in the metadata, or configure the option jwksUri.'],
  'jwks-uri-malformed': ['error', 'Make jwks_uri an absolute URL (RFC 8414 §2).'],
  'jwks-uri-http': ['error', 'Publish a jwks_uri with https:.'],
  'jwks-uri-other-origin': ['note', 'This is usual for large providers. It must have a public address.'],
  'algorithms-without-key': [
    'warning',
    'Publish a key for an algorithm of id_token_signing_alg_values_supported, or correct that list.',
  ],
  'second-location': [
    'note',
    'Serve /.well-known/openid-configuration too, or configure metadataUri: this saves one request per discovery.',
  ],

  // Key set
  'not-a-key-set': ['error', 'Publish a JSON object with the list keys (RFC 7517 §5).'],
  'no-keys': ['error', 'Publish the signing keys. An empty set is refused, and cached keys stay.'],
  'no-usable-key': [
    'error',
    'Publish a key for one of the algorithms RS, PS, ES or EdDSA. Without one no token passes.',
  ],
  'too-many-keys': ['error', 'Publish fewer keys: those beyond maxKeys (1 000) are not read.'],
  'duplicate-kid': ['error', 'Give each key its own kid: which one verifies a token depends on the library.'],
  'duplicate-key': ['warning', 'Publish each key once: a rotation under the same key material changes nothing.'],
  'key-sets-differ': [
    'warning',
    'Make all servers behind this URL publish the same keys: tokens are refused or accepted by chance.',
  ],

  // Keys
  'key-private': [
    'error',
    'Replace this key at once and treat it as compromised: anyone can sign tokens with it. Publish public members only.',
  ],
  'key-symmetric': ['error', 'Remove this key, and treat it as compromised: a symmetric key in a key set is public.'],
  'key-too-short': ['error', 'Use RSA keys of 2048 bits or more (RFC 7518 §3.3).'],
  'key-too-long': ['error', 'Use RSA keys of at most 8192 bits: longer ones take too long to verify.'],
  'key-exponent': ['error', 'Use the exponent 65537 (AQAB).'],
  'key-forgeable': ['error', 'Replace this key: anyone can make signatures that it verifies.'],
  'key-malformed': ['error', keyRemedy],
  'key-not-importable': ['error', keyRemedy],
  'key-without-kid': [
    'warning',
    'Give the key a kid, and put it into the header of tokens. Without it a rotation is noticed by failed signatures only.',
  ],
  'kid-too-long': ['error', 'Use a kid of at most 256 bytes: tokens with a longer one are refused.'],
  'alg-mismatch': ['error', 'Make alg fit the type and curve of the key. No signature is checked with this one.'],
  'key-ops': ['warning', 'Add verify to key_ops, or leave it out: the key is not used for signatures.'],
  'certificate-of-other-key': ['warning', 'Make x5c certify the key beside it; jwksAuth ignores x5c, others do not.'],
  'key-not-for-signatures': ['note', 'It is ignored, as it should be.'],
  'key-without-alg': ['note', 'A key with alg can be used with this algorithm only (RFC 8725 §3.1).'],

  // Caching
  'not-cacheable': [
    'warning',
    'Send Cache-Control: max-age, such as 600. As it is, each process fetches the keys every 30 s (minTtl).',
  ],
  'lifetime-too-short': ['warning', 'Send a max-age of 300 or more. Less than minTtl (30 s) is raised to it.'],
  'lifetime-too-long': ['warning', 'Send a max-age of at most a day, so that a withdrawn key is not used for longer.'],
  'expired-on-arrival': [
    'warning',
    'Check Age, Expires and the cache on the way: the response is stale when it arrives.',
  ],
  'no-lifetime': ['note', 'Send Cache-Control: max-age. Without it keys are cached for 10 min (defaultTtl).'],
  'cache-control-contradictory': ['warning', 'Send one max-age. The smallest counts here; others take another one.'],
  'clock-skew': ['warning', 'Set the clocks, of this machine or of the provider: iat, nbf and exp depend on them.'],

  // Validators
  'constant-validators': ['error', validatorRemedy],
  'validator-malformed': ['warning', 'Send an ETag as RFC 9110 §8.8.3 defines it: in quotes. This one is not used.'],
  'validators-change': [
    'note',
    'The ETag changes although the content does not, so conditional requests save nothing.',
  ],
  'no-validators': ['note', 'Send an ETag, so that a refresh of unchanged keys costs one 304.'],
}

/** All names, for the documentation and `--ignore`. */
export const findingCodes: readonly FindingCode[] = Object.keys(catalogue) as FindingCode[]

/** The severity and remedy of a finding. */
export function describeFinding(code: FindingCode): { readonly severity: Severity; readonly remedy: string } {
  const [severity, remedy] = catalogue[code]
  return { severity, remedy }
}

/** Makes a finding. */
export function finding(code: FindingCode, subject: Subject, message: string, key?: number): Finding {
  return { code, ...describeFinding(code), subject, key, message }
}
