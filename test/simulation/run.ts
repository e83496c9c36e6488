import { type AuthOutcome, createAuthenticator } from '@jwks-auth/core'
import { createRegistryFrom } from '../../packages/core/src/registry/create-registry.ts'
import { internals } from '../../packages/core/src/registry/registry.ts'
import { verifyInTurn } from './crypto-in-turn.ts'
import { createInvariants, InvariantBroken, type Invariants, type Question } from './invariants.ts'
import { createModel } from './model.ts'
import { createKey, createPublishedKeys, type SimulatedKey } from './published-keys.ts'
import { type Chance, createChance } from './random.ts'
import { createTokens, issuer } from './tokens.ts'
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

/** Refusals that come of keys; no other is to be expected. */
const keyRefusals: ReadonlySet<string> = new Set([
  'ERR_KEY_NOT_FOUND',
  'ERR_KEY_REVOKED',
  'ERR_KEYS_UNAVAILABLE',
  'ERR_SIGNATURE_INVALID',
])

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
  const provider = { issuer, jwksUri: 'https://auth0.test/jwks', ...pickOptions(chance) }
  const clockTolerance = chance.pick([0, 30_000])
  const { cache, registration } = registry[internals].registerNow(
    { tenant: 'acme', provider: 'auth0', ...provider },
    { network: 'any', where: '' },
  )
  const authenticator = createAuthenticator({
    registry,
    tenants: { acme: { providers: { auth0: provider } } },
    audience: false,
    clockTolerance,
    tokenCache: { max: chance.pick([2, 10_000]) },
  })
  const tokens = createTokens(chance, clock)
  const forger = createKey('bogus', chance)
  const model = createModel(registration.options)
  const invariants = createInvariants(registration.options, clockTolerance, model)
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

  function judge(outcome: AuthOutcome<unknown>, isAtOnce: boolean, question: Question): void {
    const now = clock.now()
    if (outcome.ok) invariants[isAtOnce ? 'acceptedAtOnce' : 'accepted'](now, question)
    else if (outcome.error.code === 'ERR_TOKEN_EXPIRED') invariants.expired(now, question)
    else if (keyRefusals.has(outcome.error.code)) invariants.refused(now, question)
    else throw outcome.error
  }

  /** A request with a token. */
  async function ask(key: SimulatedKey): Promise<void> {
    const question = { token: tokens.of(key), askedAt: clock.now() }
    const headers = { authorization: `Bearer ${question.token.text}` }
    const answer = authenticator.authenticate({ method: 'GET', url: '/', headers })
    if (!(answer instanceof Promise)) watched(() => judge(answer, true, question))
    else {
      const outcome = await answer
      watched(() => judge(outcome, false, question))
    }
  }

  function chooseKey(): SimulatedKey {
    const roll = chance.next()
    if (roll < 0.12) return { ...forger, kid: `bogus-${chance.integer(1, 1_000_000)}` }
    if (roll < 0.17) return { ...forger, kid: keys.signing().kid }
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

  const restoreCrypto = verifyInTurn()
  for (let now = START; now < end; now += HOUR / 60) {
    await time.runUntil(now, () => revoking > 0 || upstream.isProcessing())
    if (broken !== undefined) break
  }
  restoreCrypto()
  // What still waits is refused on close, which is no part of the run.
  const counts = { ...invariants.counts }
  await authenticator.close()
  await registry.close()
  if (broken !== undefined) throw replayable(broken, seed, hours)
  return { seed, hours, counts }
}

function replayable(broken: unknown, seed: number, hours: number): Error {
  const reason = broken instanceof Error ? broken.message : String(broken)
  return new InvariantBroken(`${reason}\nagain: npm run simulate -- --seed ${seed} --hours ${hours}`, { cause: broken })
}
