import { sign } from 'node:crypto'
import type { Clock } from '@jwks-auth/core'
import type { SimulatedKey } from './published-keys.ts'
import type { Chance } from './random.ts'

export const issuer = 'https://auth0.test/'

/** A token that a caller has. */
export interface SimulatedToken {
  /** What it was signed with. */
  readonly key: SimulatedKey
  readonly text: string
  /** When it expires, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Callers' tokens: most use the one that they have until it expires, and some go on after that. */
export interface SimulatedTokens {
  /** A token that was signed with this key. */
  of(key: SimulatedKey): SimulatedToken
}

/** Starts without tokens. */
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
  }
}

function signToken(key: SimulatedKey, exp: number): SimulatedToken {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'EdDSA', kid: key.kid })}.${encode({ iss: issuer, exp })}`
  const signature = sign(null, Buffer.from(input), key.privateKey).toString('base64url')
  return { key, text: `${input}.${signature}`, expiresAt: exp * 1000 }
}
