import type { Clock } from '@jwks-auth/core'
import type { Chance } from './random.ts'

/** A key of the simulated provider; tokens are simulated by what they were signed with. */
export interface SimulatedKey {
  readonly kid: string
  /** Tells two keys under one `kid` apart. */
  readonly x: string
  readonly jwk: Readonly<Record<string, string>>
}

/** A P-256 key as far as reading a key set looks at it: nothing is verified in a simulation. */
export function createKey(kid: string, chance: Chance): SimulatedKey {
  const x = chance.base64url(32)
  return { kid, x, jwk: { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid, x, y: chance.base64url(32) } }
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

/** One key, to begin with. */
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
