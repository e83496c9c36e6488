import { sign } from 'node:crypto'
import type { Clock } from '@jwks-auth/core'
import type { SimulatedKey } from './published-keys.ts'
import type { Chance } from './random.ts'

export const issuer = 'https://auth0.test/'

/** A token that a caller has. */
export interface SimulatedToken {
  /** The key that has signed it. */
  readonly key: SimulatedKey
  readonly text: string
  /** When it expires by the wall clock, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Callers' tokens: most callers use theirs until it expires, and some use it after that. */
export interface SimulatedTokens {
  /** A token that is signed with this key. */
  of(key: SimulatedKey): SimulatedToken
  /** Forgets all tokens: the callers' new ones are of the present wall clock. */
  renew(): void
}

/** Creates callers without tokens. */
export function createTokens(chance: Chance, clock: Clock): SimulatedTokens {
  const tokens = new Map<string, SimulatedToken>()
  return {
    of(key) {
      const name = `${key.kid} ${key.x}`
      const known = tokens.get(name)
      if (known !== undefined && (clock.now() < known.expiresAt || chance.happens(0.9))) return known
      const token = signToken(key, Math.floor(clock.now() / 1000) + chance.integer(30, 7_200))
      tokens.set(name, token)
      return token
    },
    renew() {
      tokens.clear()
    },
  }
}

function signToken(key: SimulatedKey, exp: number): SimulatedToken {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'EdDSA', kid: key.kid })}.${encode({ iss: issuer, exp })}`
  const signature = sign(null, Buffer.from(input), key.privateKey).toString('base64url')
  return { key, text: `${input}.${signature}`, expiresAt: exp * 1000 }
}
