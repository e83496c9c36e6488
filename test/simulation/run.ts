import { KeyNotFoundError, KeyRevokedError, KeysUnavailableError } from '@jwks-auth/core'
import { createRegistryFrom } from '../../packages/core/src/registry/create-registry.ts'
import { internals } from '../../packages/core/src/registry/registry.ts'
import { createInvariants, InvariantBroken, type Invariants } from './invariants.ts'
import { createModel } from './model.ts'
import { createKey, createPublishedKeys, type SimulatedKey } from './published-keys.ts'
import { type Chance, createChance } from './random.ts'
import { createUpstream, type Mood } from './upstream.ts'
import { createVirtualTime } from './virtual-time.ts'

/** What a run came to. */
export interface SimulationResult {
  readonly seed: number
  readonly hours: number
  readonly counts: Invariants['counts']
}

const START = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000

const moods: readonly Mood[] = [
  'edge-cached',
  'refusing',
  'hanging',
  'overloaded',
  'throttling',
  'garbled',
  'empty',
  'forbidden',
]

/** Options that differ from run to run, so that no rule holds only for the defaults. */
function pickOptions(chance: Chance) {
  return {
    refreshEarly: chance.pick([0, 5_000, 30_000, 900_000]),
    prefetchJitter: chance.pick([0, 5_000]),
    prefetch: chance.pick(['active', 'always', 'never'] as const),
    staleWhileError: chance.pick([0, 60_000, 3_600_000]),
    maxStale: chance.pick([1_800_000, 86_400_000]),
    minTtl: chance.pick([1_000, 30_000]),
    negativeCacheTtl: chance.pick([0, 1_000]),
    unknownKidCooldown: chance.pick([1_000, 10_000, 60_000]),
  }
}

/**
 * Plays hours of one provider's life against the real cache in virtual time, with callers whose tokens are good, old,
 * revoked or bogus, and checks the rules at every step.
 *
 * @throws InvariantBroken at the first step that breaks a rule
 */
export async function simulate(seed: number, hours: number): Promise<SimulationResult> {
  const chance = createChance(seed)
  const time = createVirtualTime(START)
  const { clock } = time
  const end = START + hours * HOUR
  const keys = createPublishedKeys(chance, clock)
  const upstream = createUpstream(keys, clock, chance)
  const registry = createRegistryFrom({ clock }, { random: () => chance.next(), transport: () => upstream.transport })
  const { cache, registration } = registry[internals].registerNow(
    { tenant: 'acme', provider: 'auth0', jwksUri: 'https://auth0.test/jwks', ...pickOptions(chance) },
    { network: 'public', where: '' },
  )
  const model = createModel(registration.options)
  const invariants = createInvariants(registration.options, model)
  let calmSince = START
  let broken: unknown
  let revoking = 0

  function watched(step: () => void): void {
    try {
      step()
    } catch (error) {
      broken ??= error
    }
  }

  registry.on('fetch', ({ reason }) => watched(() => invariants.fetchBegins(clock.now(), reason, upstream.inFlight())))
  const onEnd = ({ reason }: { readonly reason: Parameters<Invariants['fetchEnds']>[1] }): void => {
    upstream.processed()
    watched(() => invariants.fetchEnds(clock.now(), reason, upstream.last()))
  }
  registry.on('refresh', onEnd)
  registry.on('refresh-failed', onEnd)
  cache.start()

  /** A request with a token: the cache is asked as an authenticator asks it, signatures aside. */
  async function ask(key: SimulatedKey): Promise<void> {
    const question = { key, askedAt: clock.now() }
    const isMine = ({ jwk }: { readonly jwk: object }): boolean => 'x' in jwk && jwk.x === key.x
    try {
      const found = await cache.find(key.kid, 'ES256', question.askedAt)
      const verifies =
        found.some(isMine) || (await cache.findOthers(key.kid, 'ES256', found, question.askedAt)).some(isMine)
      watched(() => invariants[verifies ? 'accepted' : 'refused'](clock.now(), question))
    } catch (error) {
      const isRefusal =
        error instanceof KeyNotFoundError || error instanceof KeysUnavailableError || error instanceof KeyRevokedError
      if (isRefusal) watched(() => invariants.refused(clock.now(), question))
      else broken ??= error
    }
  }

  function chooseKey(): SimulatedKey {
    const roll = chance.next()
    if (roll < 0.12) return createKey(`bogus-${chance.integer(1, 1_000_000)}`, chance)
    if (roll < 0.17) return createKey(keys.signing().kid, chance)
    const retired = keys.retired()
    if (roll < 0.22 && retired !== undefined) return retired
    const key = keys.signing()
    const isWell = upstream.mood() === 'well' || upstream.mood() === 'edge-cached'
    if (isWell && clock.now() >= calmSince + 10_000) invariants.firstUsed(clock.now(), key)
    return key
  }

  /** An operator revokes the key in use, and the provider replaces it. */
  async function revoke(): Promise<void> {
    const key = keys.signing()
    revoking += 1
    await registry.revokeKey('acme', 'auth0', key.kid)
    invariants.revoked(key)
    revoking -= 1
    keys.rotate()
    disturb()
  }

  function disturb(): void {
    calmSince = clock.now()
    invariants.disturbed()
  }

  /** Does something again and again, at random intervals that average `mean` milliseconds. */
  function repeat(mean: number, action: () => void): void {
    const next = (): void => {
      clock.setTimeout(
        () => {
          action()
          next()
        },
        1 + chance.next() * 2 * mean,
      )
    }
    next()
  }

  repeat(4_000, () => void ask(chooseKey()))
  repeat(600_000, () => {
    for (let burst = chance.integer(5, 60); burst > 0; burst -= 1) void ask(chooseKey())
  })
  repeat(2_700_000, () => {
    keys.rotate()
    disturb()
  })
  repeat(1_500_000, () => {
    upstream.setMood(upstream.mood() === 'well' ? chance.pick(moods) : 'well')
    disturb()
  })
  repeat(5 * HOUR, () => void cache.refresh())
  repeat(7 * HOUR, () => void revoke())

  for (let now = START; now < end; now += HOUR / 60) {
    await time.runUntil(now, () => revoking > 0 || upstream.isProcessing())
    if (broken !== undefined) break
  }
  await registry.close()
  if (broken !== undefined) throw replayable(broken, seed, hours)
  return { seed, hours, counts: invariants.counts }
}

function replayable(broken: unknown, seed: number, hours: number): Error {
  const reason = broken instanceof Error ? broken.message : String(broken)
  return new InvariantBroken(`${reason}\nagain: npm run simulate -- --seed ${seed} --hours ${hours}`, { cause: broken })
}
