import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Clock } from '@jwks-auth/core'
import type { Chance } from './random.ts'

/** A key of the simulated provider. */
export interface SimulatedKey {
  readonly kid: string
  /** Tells two keys under one `kid` apart. */
  readonly x: string
  readonly jwk: Readonly<Record<string, string>>
  readonly privateKey: KeyObject
}

/** RFC 8410 §7: what stands before the 32 bytes of an Ed25519 private key, so that a seed makes the same key again. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** An Ed25519 key. */
export function createKey(kid: string, chance: Chance): SimulatedKey {
  const secret = Buffer.from(chance.base64url(32), 'base64url')
  const der = Buffer.concat([PKCS8_PREFIX, secret])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  return { kid, x, jwk: { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid, x }, privateKey }
}

/** What the provider publishes at one moment. */
export interface Publication {
  /** When this was put in the place of what was published before, in milliseconds since the epoch. */
  readonly since: number
  readonly keys: readonly SimulatedKey[]
  readonly etag: string
}

/** The provider's keys as they change. */
export interface PublishedKeys {
  /** What is published now. */
  current(): Publication
  /** What an edge cache that has not asked lately still has. */
  previous(): Publication
  /** The key that new tokens are signed with. */
  signing(): SimulatedKey
  /** Publishes a new key, with the old one beside it or not, perhaps under the old `kid`. */
  rotate(): void
  /** A key that was published once and is no longer. */
  retired(): SimulatedKey | undefined
}

/** Starts with one key. */
export function createPublishedKeys(chance: Chance, clock: Clock): PublishedKeys {
  let count = 0
  const newKey = (kid?: string): SimulatedKey => {
    count += 1
    return createKey(kid ?? `key-${count}`, chance)
  }
  const publish = (keys: readonly SimulatedKey[]): Publication => ({
    since: clock.now(),
    keys,
    etag: `"${count}-${keys.length}"`,
  })
  let current = publish([newKey()])
  let previous = current
  let retired: SimulatedKey | undefined

  const signing = (): SimulatedKey => {
    const [first] = current.keys
    if (first === undefined) throw new Error('a provider always has a key')
    return first
  }

  return {
    current: () => current,
    previous: () => previous,
    signing,
    retired: () => retired,
    rotate() {
      const old = signing()
      const isSameKid = chance.happens(0.1)
      const keepsOld = !isSameKid && chance.happens(0.7)
      previous = current
      current = publish([newKey(isSameKid ? old.kid : undefined), ...(keepsOld ? [old] : [])])
      retired = previous.keys.find((key) => current.keys.every(({ x }) => x !== key.x)) ?? retired
    },
  }
}
