import { type AuthOutcome, createAuthenticator } from '@jwks-auth/core'
import { createRegistryFrom } from '../../packages/core/src/registry/create-registry.ts'
import { internals } from '../../packages/core/src/registry/registry.ts'
import { verifyInTurn } from './crypto-in-turn.ts'
import { createInvariants, InvariantBroken, type Invariants, type SimulatedRequest } from './invariants.ts'
import { createModel, type Moment } from './model.ts'
import { createKey, createPublishedKeys, type SimulatedKey } from './published-keys.ts'
import { type Chance, createChance } from './random.ts'
import { createTokens, issuer } from './tokens.ts'
import { createUpstream, type Mood } from './upstream.ts'
import { createVirtualTime } from './virtual-time.ts'

/** The outcome of a run. */
export interface SimulationResult {
  readonly seed: number
  readonly hours: number
  readonly counts: Invariants['counts'] & { steps: number; suspensions: number }
}

const START = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Milliseconds by which the wall clock is stepped at most, in either direction. */
const steps = [2_000, 60_000, HOUR, DAY, 30 * DAY, 365 * DAY]

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

/** Refusals for the sake of keys; others are not expected. */
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
 * revoked or bogus, on a machine whose wall clock is stepped and which is suspended, and checks the rules at every step.
 *
 * @throws InvariantBroken at the first step that breaks a rule
 */
export async function simulate(seed: number, hours: number): Promise<SimulationResult> {
  const chance = createChance(seed)
  const time = createVirtualTime(START)
  const { clock } = time
  const end = hours * HOUR
  const keys = createPublishedKeys(chance, time.trueNow)
  const upstream = createUpstream(keys, time, chance)
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
  let calmSince = 0
  let broken: unknown
  let revoking = 0
  const clockCounts = { steps: 0, suspensions: 0 }
  const present = (): Moment => ({ wall: clock.now(), monotonic: clock.monotonic() })

  function watched(step: () => void): void {
    try {
      step()
    } catch (error) {
      broken ??= error
    }
  }

  registry.on('fetch', ({ reason }) => watched(() => invariants.fetchBegins(present(), reason, upstream.inFlight())))
  const onEnd = ({ reason }: { readonly reason: Parameters<Invariants['fetchEnds']>[1] }): void => {
    upstream.processed()
    watched(() => invariants.fetchEnds(present(), reason, upstream.last()))
  }
  registry.on('refresh', onEnd)
  registry.on('refresh-failed', onEnd)
  for (const change of ['unavailable', 'recovered'] as const) {
    registry.on(change, () => watched(() => invariants.availabilityChanged(present(), change)))
  }
  cache.start()

  const verification = verifyInTurn()

  function judge(outcome: AuthOutcome<unknown>, isAtOnce: boolean, request: SimulatedRequest): void {
    const now = present()
    if (outcome.ok) invariants[isAtOnce ? 'acceptedAtOnce' : 'accepted'](now, request)
    else if (outcome.error.code === 'ERR_TOKEN_EXPIRED') invariants.expired(now, request)
    else if (keyRefusals.has(outcome.error.code)) invariants.refused(now, request)
    else throw outcome.error
  }

  /** A request with a token. */
  async function ask(key: SimulatedKey): Promise<void> {
    const request = { token: tokens.of(key), askedAt: present() }
    const headers = { authorization: `Bearer ${request.token.text}` }
    const checksBefore = verification.checks()
    const answer = authenticator.authenticate({ method: 'GET', url: '/', headers })
    const isCached = verification.checks() === checksBefore
    if (!(answer instanceof Promise)) watched(() => judge(answer, isCached, request))
    else {
      const outcome = await answer
      watched(() => judge(outcome, false, request))
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
    if (isWell && clock.monotonic() >= calmSince + 10_000) invariants.firstUsed(present(), key)
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
    calmSince = clock.monotonic()
    invariants.disturbed()
  }

  /** Steps the wall clock, and puts it right again later. The keys must be served as if that had not been. */
  function stepWallClock(): void {
    if (time.wrongBy() !== 0) return
    const most = chance.pick(steps)
    clockCounts.steps += 1
    time.step(chance.integer(1, most) * chance.pick([1, -1]))
    tokens.renew()
    clock.setTimeout(
      () => {
        time.step(-time.wrongBy())
        tokens.renew()
      },
      chance.integer(1, chance.pick([1_000, 60_000, 2 * HOUR])),
    )
  }

  function suspend(): void {
    clockCounts.suspensions += 1
    time.suspend(chance.integer(1, chance.pick([1_000, 60_000, HOUR, 3 * DAY])))
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
  repeat(HOUR, stepWallClock)
  repeat(3 * HOUR, suspend)

  for (let now = 0; now < end; now += HOUR / 60) {
    await time.runUntil(now, () => revoking > 0 || upstream.isProcessing())
    watched(() => invariants.reported(present(), registry.status('acme', 'auth0')))
    if (broken !== undefined) break
  }
  verification.restore()
  // Requests that still wait are refused on close, which is not part of the run.
  const counts = { ...invariants.counts, ...clockCounts }
  await authenticator.close()
  await registry.close()
  if (broken !== undefined) throw replayable(broken, seed, hours)
  return { seed, hours, counts }
}

function replayable(broken: unknown, seed: number, hours: number): Error {
  const reason = broken instanceof Error ? broken.message : String(broken)
  return new InvariantBroken(`${reason}\nreproduce: npm run simulate -- --seed ${seed} --hours ${hours}`, {
    cause: broken,
  })
}
