import assert from 'node:assert/strict'
import type { SnapshotStore } from '@jwks-auth/core'
import { type OptionTable, optional } from '@jwks-auth/core/adapter'
import { generationCases, noticeCases, revocationNoticeCases } from './contract/generation-cases.ts'
import { leaseCases } from './contract/lease-cases.ts'
import { revocationCases } from './contract/revocation-cases.ts'
import { setAsideCases, snapshotCases } from './contract/snapshot-cases.ts'
import type { Case, StorePart, StorePlace } from './contract/store-place.ts'
import { checkOptions, listOf } from './option-checks.ts'

/** One case of the contract, for any test runner: `test(name, run)`. */
export interface StoreContractCase {
  /** What is checked, as the end of a sentence that begins with "the store". */
  readonly name: string
  /** Makes a new place, checks the case in it and clears it up; rejects with what is wrong. Takes two seconds at most. */
  readonly run: () => Promise<void>
}

/** What else the contract is to check. */
export interface SnapshotStoreContractOptions {
  /** The optional parts that the store has; each brings its cases. Default: none. */
  readonly parts?: readonly StorePart[]
}

const allParts: readonly StorePart[] = ['setAside', 'revocations', 'coordination']

const table = { parts: optional(listOf(allParts)) } satisfies OptionTable<SnapshotStoreContractOptions>

/**
 * What a registry expects of its store, as cases to run one by one. Each has a new place from `createPlace`, which must
 * be empty, and opens up to three stores over it. No network, no fake timers: leases of 200 ms expire in real time.
 *
 * @throws TypeError for an unknown option or part
 */
export function snapshotStoreContract(
  createPlace: () => StorePlace | Promise<StorePlace>,
  options: SnapshotStoreContractOptions = {},
): readonly StoreContractCase[] {
  const { parts = [] } = checkOptions('snapshotStoreContract', options, table)
  const has = (part: StorePart): boolean => parts.includes(part)
  const cases: readonly Case[] = [
    hasParts(parts),
    ...snapshotCases,
    ...(has('setAside') ? setAsideCases : []),
    ...(has('revocations') ? revocationCases : []),
    ...(has('coordination') ? [...leaseCases, ...generationCases, ...noticeCases] : []),
    ...(has('coordination') && has('revocations') ? revocationNoticeCases : []),
  ]
  return cases.map(([name, check]) => ({
    name,
    async run() {
      const place = await createPlace()
      try {
        await check({ store: await place.open(), open: async (): Promise<SnapshotStore> => place.open() })
      } finally {
        await place.dispose?.()
      }
    },
  }))
}

/** An undeclared part would be used by registries without having been checked. */
function hasParts(parts: readonly StorePart[]): Case {
  return [
    parts.length === 0 ? 'has no optional parts' : `has ${parts.join(', ')} and no other optional part`,
    async ({ store }) => {
      assert.deepEqual(
        allParts.filter((part) => store[part] !== undefined),
        allParts.filter((part) => parts.includes(part)),
      )
    },
  ]
}
