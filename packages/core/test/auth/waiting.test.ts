import { describe, expect, it } from 'vitest'
import { setTokenScene, type TokenScene, verdictOf } from './token-cache/token-scene.ts'

/** A promise that the test resolves, and whether something waits for it. */
function gate<Value>() {
  let open = (_value: Value): void => undefined
  let arrive = (): void => undefined
  const opened = new Promise<Value>((resolve) => (open = resolve))
  const arrived = new Promise<void>((resolve) => (arrive = resolve))
  const wait = (): Promise<Value> => {
    arrive()
    return opened
  }
  return { wait, arrived, open: (value: Value) => open(value) }
}

function schemaOf(validate: () => unknown) {
  return { '~standard': { version: 1, vendor: 'test', validate } } as never
}

/** What can be waited for, and the value that lets the request go on. */
const waits = {
  validate: (wait: () => Promise<never>) => ({ validate: wait }),
  'the schema': (wait: () => Promise<never>) => ({ claims: schemaOf(wait) }),
  isRevoked: (wait: () => Promise<never>) => ({ isRevoked: wait }),
  'the tenant resolver': (wait: () => Promise<never>) => ({ tenant: wait }),
  getToken: (wait: () => Promise<never>) => ({ getToken: wait }),
} as const

type Waiting = keyof typeof waits
const goOn = (name: Waiting, token: string): unknown =>
  ({ validate: true, 'the schema': { value: {} }, isRevoked: false, 'the tenant resolver': 'acme', getToken: token })[
    name
  ]

interface Event {
  readonly happen: (scene: TokenScene) => unknown
  readonly code: string
  readonly rules?: object
  /** Seconds until the token expires. */
  readonly lifetime?: number
}

/** What may happen meanwhile, and how the request is refused then. */
const events: Readonly<Record<string, Event>> = {
  'the token expires': { happen: ({ clock }) => clock.advance(31_000), code: 'ERR_TOKEN_EXPIRED', lifetime: 30 },
  'the token becomes older than maxTokenAge': {
    happen: ({ clock }) => clock.advance(31_000),
    code: 'ERR_TOKEN_TOO_OLD',
    rules: { maxTokenAge: 30_000 },
  },
  'the key is revoked': {
    happen: ({ registry }) => registry.revokeKey('acme', 'main', 'key-1'),
    code: 'ERR_KEY_REVOKED',
  },
  'the key is withdrawn': {
    happen: async ({ registry, issuer }) => {
      await issuer.rotate({ keepPrevious: false })
      await registry.refresh('acme', 'main')
    },
    code: 'ERR_KEY_NOT_FOUND',
  },
  'the provider is unregistered': {
    happen: ({ registry }) => registry.unregister('acme', 'main'),
    code: 'ERR_ISSUER_NOT_ALLOWED',
  },
  'the authenticator is closed': {
    happen: ({ authenticator }) => authenticator.close(),
    code: 'ERR_REGISTRY_CLOSED',
  },
  'the registry is closed': { happen: ({ registry }) => registry.close(), code: 'ERR_REGISTRY_CLOSED' },
}

async function setEventScene(options: object, { rules, lifetime = 3_600 }: Event) {
  const scene = await setTokenScene({ ...options, rules: { clockTolerance: 0, ...rules } })
  const now = Math.floor(scene.clock.now() / 1000)
  // Keys are in memory, so that there is nothing else to wait for.
  await scene.registry.refresh('acme', 'main')
  return { ...scene, token: await scene.issuer.sign({ iat: now, exp: now + lifetime }) }
}

describe.each(Object.keys(waits) as Waiting[])('a request that waits for %s', (name) => {
  it.each(Object.entries(events))('is refused if %s meanwhile', async (_, event) => {
    const { wait, arrived, open } = gate<never>()
    const scene = await setEventScene(waits[name](wait), event)
    const waiting = scene.ask(scene.token)
    await arrived
    await event.happen(scene)
    open(goOn(name, scene.token) as never)
    expect(verdictOf(await waiting)).toBe(event.code)
  })

  it('is accepted if nothing happens meanwhile', async () => {
    const { wait, arrived, open } = gate<never>()
    const { issuer, ask } = await setTokenScene(waits[name](wait))
    const token = await issuer.sign()
    const waiting = ask(token)
    await arrived
    open(goOn(name, token) as never)
    expect(verdictOf(await waiting)).toBe('accepted')
  })
})

describe('a cached token', () => {
  it.each(Object.entries(events))('is refused if %s while isRevoked waits', async (_, event) => {
    let answer: () => unknown = () => false
    const scene = await setEventScene({ isRevoked: () => answer() }, event)
    expect(verdictOf(await scene.ask(scene.token))).toBe('accepted')
    const { wait, open } = gate<boolean>()
    answer = wait
    const waiting = scene.ask(scene.token)
    await event.happen(scene)
    open(false)
    expect(verdictOf(await waiting)).toBe(event.code)
  })
})
