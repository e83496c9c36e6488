import { describe, expect, it } from 'vitest'
import { storedPolicy, validatorsOf } from '../../src/http/freshness.ts'
import { type KeySet, NO_REFUSED_KEYS } from '../../src/jwks/key-set.ts'
import type { CacheOptions } from '../../src/jwks-cache/cache-options.ts'
import { createHeldKeys } from '../../src/jwks-cache/cache-state.ts'
import type { ImmutableKeys } from '../../src/jwks-cache/immutable-keys.ts'
import type { FetchedKeySet } from '../../src/jwks-cache/key-set-response.ts'
import { immutableTimes } from '../../src/jwks-cache/lifetimes.ts'
import { createRevocations } from '../../src/jwks-cache/revocations.ts'
import { checkProviderOptions } from '../../src/registry/check-provider-options.ts'
import { heldKeys, kidsOf, published } from './immutable-scene.ts'

const rules = { requireHttps: true, allowedDomains: [], hasDispatcher: false, canGuardConnections: true }

function optionsFor(keyLifetime: CacheOptions['keyLifetime']): CacheOptions {
  return checkProviderOptions('', { keyLifetime }, rules)
}

const policyAt = (now: number, etag = '"1"') => storedPolicy('https://auth0.test/jwks', { etag }, now)

function fetched(keySet: KeySet, now = 10, modified = true): FetchedKeySet {
  return { keySet, policy: policyAt(now), modified, refused: NO_REFUSED_KEYS, compromised: new Set() }
}

/** What a store has: immutable keys with their history. */
function stored({ keySet, history }: ImmutableKeys, fetchedAt: number) {
  const keys = keySet.keys.map(({ jwk }) => jwk)
  const entry = {
    version: 1 as const,
    keys,
    policy: policyAt(fetchedAt),
    immutable: history,
    ...immutableTimes(fetchedAt),
  }
  return { entry, keySet, refused: NO_REFUSED_KEYS }
}

/** Held keys beside a revocation, which makes every change take a moment. */
async function setScene(keyLifetime: CacheOptions['keyLifetime']) {
  const revocations = createRevocations()
  await revocations.add('revoked', published(['revoked', 'r']))
  const held = createHeldKeys(optionsFor(keyLifetime), revocations, { random: () => 0 })
  const kids = () => ({ published: kidsOfSet(held.published()), active: kidsOfSet(held.active()) })
  const validators = () => {
    const entry = held.entry()
    return entry && validatorsOf(entry.policy).etag
  }
  return { held, revocations, kids, validators }
}

function kidsOfSet(keySet: KeySet | undefined): readonly string[] {
  return keySet === undefined ? [] : kidsOf({ keySet }).toSorted((a, b) => (a < b ? -1 : 1))
}

describe.each(['http', 'immutable'] as const)(
  'a change while another is under way, with keyLifetime %s',
  (keyLifetime) => {
    it('by a revocation is in force when both are done', async () => {
      const { held, revocations, kids } = await setScene(keyLifetime)
      const replaced = held.replace(fetched(published(['a', '1'], ['b', '2'])), 10)
      const revoked = revocations.add('a', undefined)
      await Promise.all([replaced, revoked])
      expect(kids()).toEqual({ published: ['a', 'b'], active: ['b'] })
      expect(kidsOfSet((await replaced).keySet)).toEqual(['b'])
    })

    it('by a revocation that is taken back counts as it stands in the end', async () => {
      const { held, revocations, kids } = await setScene(keyLifetime)
      await held.replace(fetched(published(['a', '1'], ['b', '2'])), 10)
      await revocations.add('a', held.published())
      const applied = held.applyRevocations()
      revocations.lift('a')
      await Promise.all([applied, held.applyRevocations()])
      expect(kids().active).toEqual(['a', 'b'])
    })

    it('by keys whose private half was published has those gone', async () => {
      const { held, kids } = await setScene(keyLifetime)
      await held.replace(fetched(published(['a', '1'], ['b', '2'])), 10)
      const applied = held.applyRevocations()
      held.dropCompromised(new Set(published(['a', '1']).keys.map(({ material }) => material)), 20)
      await applied
      expect(kids()).toEqual({ published: ['b'], active: ['b'] })
    })
  },
)

describe('immutable keys', () => {
  it('from upstream and from the store at the same time are all held', async () => {
    const { held, kids } = await setScene('immutable')
    await Promise.all([
      held.replace(fetched(published(['a', '1'])), 10),
      held.adopt(stored(heldKeys([['b', '2', 5]]), 5)),
      held.replace(fetched(published(['c', '3'])), 11),
    ])
    expect(kids().active).toEqual(['a', 'b', 'c'])
    expect(new Map(held.entry()?.immutable?.learnedAt)).toEqual(
      new Map([
        ['a', 10],
        ['b', 5],
        ['c', 11],
      ]),
    )
  })

  it('that are forgotten while others are learned stay forgotten', async () => {
    const { held, kids } = await setScene('immutable')
    await held.replace(fetched(published(['a', '1'])), 10)
    const [, isForgotten] = await Promise.all([
      held.adopt(
        stored(
          heldKeys([
            ['a', '1', 5],
            ['b', '2', 5],
          ]),
          5,
        ),
      ),
      held.forget('a', 20),
    ])
    expect(isForgotten).toBe(true)
    expect(kids().published).toEqual(['b'])
  })

  it('that the store has unchanged are no news', async () => {
    const { held } = await setScene('immutable')
    await held.replace(fetched(published(['a', '1'])), 10)
    const before = held.entry()
    expect(await held.adopt(stored(heldKeys([['a', '1', 10]]), 10))).toBe(false)
    expect(held.entry()).toBe(before)
  })

  it('have validators as long as no key of that answer is missing', async () => {
    const { held, validators } = await setScene('immutable')
    await held.replace(fetched(published(['a', '1'], ['b', '2'])), 10)
    expect(validators()).toBe('"1"')
    await held.adopt(stored(heldKeys([['c', '3', 12]]), 12))
    expect(validators()).toBe('"1"')
    await held.forget('a', 20)
    expect(validators()).toBeUndefined()
    await held.replace(fetched(published(['a', '1'], ['b', '2']), 30), 30)
    expect(validators()).toBe('"1"')
  })

  it('have none where another process has forgotten a key of theirs', async () => {
    const { held, validators } = await setScene('immutable')
    await held.replace(fetched(published(['a', '1'], ['b', '2'])), 10)
    await held.adopt(stored(heldKeys([['b', '2', 10]], [['a', 20]]), 5))
    expect(validators()).toBeUndefined()
  })

  it('have none after a 304 that was asked for before a key was forgotten', async () => {
    const { held, validators, kids } = await setScene('immutable')
    const { keySet } = await held.replace(fetched(published(['a', '1'], ['b', '2'])), 10)
    await held.forget('a', 20)
    await held.replace(fetched(keySet, 30, false), 30)
    expect(kids().published).toEqual(['b'])
    expect(validators()).toBeUndefined()
  })
})
