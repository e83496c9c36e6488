import { boolean, choice, type OptionTable, optional } from '@jwks-auth/core/adapter'
import { type CryptoKey, exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose'
import { checkOptions, text } from './option-checks.ts'

/** The algorithms that an issuer's own keys can have (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
export const signingAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** The `alg` of a key that an issuer signs with. */
export type SigningAlgorithm = (typeof signingAlgorithms)[number]

/** A key pair of the issuer. It stays usable after it is no longer published. */
export interface TestKey {
  /** Its name in the key set and in the header of tokens (RFC 7517 §4.5). */
  readonly kid: string
  /** What it signs with. */
  readonly alg: SigningAlgorithm
  /** The public half as published, with `kid`, `alg` and `use: 'sig'`. */
  readonly publicJwk: Readonly<JWK>
  /** The private half, for tests that publish it by mistake, or that give the key to another tool. */
  readonly privateJwk: Readonly<JWK>
  /** The public half for Web Crypto and jose. */
  readonly publicKey: CryptoKey
  /** The private half for Web Crypto and jose; extractable. */
  readonly privateKey: CryptoKey
}

/** What kind of key to make. */
export interface TestKeyOptions {
  /** Its algorithm. Default: that of the key that signs now. RSA keys have 2048 bits and take a tenth of a second. */
  readonly algorithm?: SigningAlgorithm
  /** Its name. Default: `key-1`, `key-2` and so on. A published key of the same name is replaced. */
  readonly kid?: string
}

/** How to change over to a new signing key. */
export interface RotateOptions extends TestKeyOptions {
  /** Whether the key that signed so far stays published, as in an orderly rotation. Default: true. */
  readonly keepPrevious?: boolean
}

/** The keys of one issuer: those it publishes, and the one it signs with. */
export interface KeyRing {
  /** The published keys, oldest first. */
  readonly published: readonly TestKey[]
  /** The key that signs. It need not be published. */
  readonly signing: TestKey
  /** The published keys as a key set (RFC 7517 §5). */
  readonly jwks: JSONWebKeySet
  /** Makes and publishes a key that signs from now on. */
  readonly rotate: (options: RotateOptions) => Promise<TestKey>
  /** Makes and publishes a key that does not sign. */
  readonly add: (options: TestKeyOptions) => Promise<TestKey>
  /** Stops publishing a key. */
  readonly remove: (kid: string) => void
  /** The published key of that name, or the one that signs. */
  readonly find: (kid: string) => TestKey
}

const keyTable = { algorithm: choice(signingAlgorithms), kid: optional(text) } satisfies OptionTable<TestKeyOptions>
const rotateTable = { ...keyTable, keepPrevious: boolean(true) } satisfies OptionTable<RotateOptions>

/** Makes a key ring that holds one key, published and signing. */
export async function createKeyRing(algorithm: SigningAlgorithm, kid: string | undefined): Promise<KeyRing> {
  let generated = 0
  let published: readonly TestKey[] = []

  const nextKid = (): string => {
    do generated += 1
    while (published.some((key) => key.kid === `key-${generated}`))
    return `key-${generated}`
  }
  const publish = (key: TestKey): void => {
    const replaces = published.some((other) => other.kid === key.kid)
    published = Object.freeze(
      replaces ? published.map((other) => (other.kid === key.kid ? key : other)) : [...published, key],
    )
  }

  let signing = await generateTestKey(algorithm, kid ?? nextKid())
  publish(signing)

  return {
    get published() {
      return published
    },
    get signing() {
      return signing
    },
    get jwks() {
      return { keys: published.map((key) => ({ ...key.publicJwk })) }
    },
    async rotate(options) {
      const {
        algorithm = signing.alg,
        kid: wanted = nextKid(),
        keepPrevious,
      } = checkOptions('rotate', options, rotateTable)
      const key = await generateTestKey(algorithm, wanted)
      const previous = signing
      signing = key
      publish(key)
      if (!keepPrevious) published = Object.freeze(published.filter((other) => other !== previous))
      return key
    },
    async add(options) {
      const { algorithm = signing.alg, kid: wanted = nextKid() } = checkOptions('addKey', options, keyTable)
      const key = await generateTestKey(algorithm, wanted)
      publish(key)
      return key
    },
    remove(unwanted) {
      const remaining = published.filter((key) => key.kid !== unwanted)
      if (remaining.length === published.length) throw new TypeError(`removeKey: no key '${unwanted}' is published`)
      published = Object.freeze(remaining)
    },
    find(wanted) {
      const key = published.find((candidate) => candidate.kid === wanted)
      if (key !== undefined) return key
      if (signing.kid === wanted) return signing
      throw new TypeError(`sign: no key '${wanted}' is published; pass the TestKey itself for one that was removed`)
    },
  }
}

async function generateTestKey(alg: SigningAlgorithm, kid: string): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const [publicJwk, privateJwk] = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)])
  const named = { kid, alg, use: 'sig' }
  return Object.freeze({
    kid,
    alg,
    publicJwk: Object.freeze({ ...publicJwk, ...named }),
    privateJwk: Object.freeze({ ...privateJwk, ...named }),
    publicKey,
    privateKey,
  })
}
