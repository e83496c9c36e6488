import { inspect } from 'node:util'
import type { FleetNotice } from '@jwks-auth/core'
import { type RedisClient, redisStore } from '@jwks-auth/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ClientOptions, ioredis6, type TestClient, versions } from './clients.ts'
import { eventually } from './eventually.ts'
import { idOf, newKey, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

const CHANNEL = 'jwks-auth:notices'

describe.skipIf(!redisAvailable).each(versions)('notices through $name', (version) => {
  let server: RedisServer
  let store: WholeStore
  let notices: FleetNotice[]
  const clients: TestClient[] = []
  const subscriptions: (() => void)[] = []

  beforeAll(async () => {
    server = await startRedisServer()
    store = storeWith()
  })
  afterEach(async () => {
    for (const unsubscribe of subscriptions.splice(0)) unsubscribe()
    await eventually('there is no subscription', async () => (await listeners()) === 0)
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await server.stop()
  })

  function storeWith(options: ClientOptions = {}): WholeStore {
    const client = version.single(server.port, options)
    clients.push(client)
    return storeOf({ client })
  }

  /** Subscribes and waits until the server knows. */
  async function listen(to: WholeStore = store, channel = CHANNEL): Promise<() => void> {
    const heard: FleetNotice[] = []
    notices = heard
    const unsubscribe = to.coordination.subscribe((notice) => heard.push(notice))
    subscriptions.push(unsubscribe)
    await subscribed(channel)
    return unsubscribe
  }

  async function listeners(channel = CHANNEL): Promise<number> {
    const reply = await server.command('PUBSUB', 'NUMSUB', channel)
    return Number(Array.isArray(reply) ? reply[1] : Number.NaN)
  }

  const subscribed = (channel = CHANNEL) => eventually('subscribed', async () => (await listeners(channel)) > 0)

  /** How many logins of a user the server refused. */
  async function failedLogins(user: string): Promise<number> {
    const log = await server.command('ACL', 'LOG')
    const entries = Array.isArray(log) ? log.map((entry: unknown) => (Array.isArray(entry) ? entry : [])) : []
    const ofUser = entries.filter((entry) => entry.includes(user) && entry.includes('auth'))
    return ofUser.reduce((sum: number, entry) => sum + Number(entry[entry.indexOf('count') + 1]), 0)
  }

  /** Sends a notice and waits for it, so that all earlier ones have arrived, and removes it again. */
  async function afterAllBefore(from: WholeStore = storeWith()): Promise<void> {
    const last = newKey()
    const isLast = (notice: FleetNotice) => notice.kind === 'snapshot' && notice.key.provider === last.provider
    await from.coordination.saveIf(last, snapshotOf('last'), undefined, 'g')
    await eventually('the last notice', () => notices.some(isLast))
    notices.splice(notices.findIndex(isLast), 1)
  }

  it('announce snapshots and revocations that another process saved', async () => {
    const key = newKey()
    await listen()
    const other = storeWith()
    await other.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    await other.revocations.save(idOf(1), snapshotOf('a'))
    await eventually('two notices', () => notices.length === 2)
    expect(notices).toEqual([{ kind: 'snapshot', key }, { kind: 'revocations' }])
  })

  it('arrive when the change can be loaded', async () => {
    const key = newKey()
    const loads: Promise<unknown>[] = []
    subscriptions.push(store.coordination.subscribe(() => loads.push(store.load(key))))
    await subscribed()
    await storeWith().coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    await eventually('a notice', () => loads.length > 0)
    expect(await loads[0]).toEqual(snapshotOf('a'))
  })

  it('do not announce a save that was fenced off, nor changes of a store without coordination', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    await listen()
    expect(await storeWith().coordination.saveIf(key, snapshotOf('b'), undefined, 'g')).toBe(false)
    const client = version.single(server.port)
    clients.push(client)
    await redisStore({ client, coordinate: false }).revocations?.save(idOf(1), snapshotOf('a'))
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it('reach only stores with the same keyPrefix', async () => {
    const prefixed = storeWith({ keyPrefix: 'app:' })
    const key = newKey()
    await listen(prefixed, `app:${CHANNEL}`)
    await storeWith().coordination.saveIf(newKey(), snapshotOf('a'), undefined, 'g')
    await storeWith({ keyPrefix: 'app:' }).coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    await afterAllBefore(prefixed)
    expect(notices).toEqual([{ kind: 'snapshot', key }])
  })

  it.each([
    '',
    'null',
    '{',
    '[]',
    '"revocations"',
    '{"kind":"other"}',
    '{"kind":"snapshot"}',
    '{"kind":"snapshot","tenant":"a"}',
    '{"kind":"snapshot","tenant":"a","provider":7}',
    '{"kind":"snapshot","tenant":"a}","provider":"b"}',
    '{"kind":"snapshot","tenant":"","provider":"b"}',
  ])('are not made of %j', async (message) => {
    await listen()
    await server.command('PUBLISH', CHANNEL, message)
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it('reach every listener over one connection', async () => {
    const first = await listen()
    const heardByFirst = notices
    await listen()
    expect(await listeners()).toBe(1)
    first()
    first()
    await afterAllBefore()
    expect(heardByFirst).toEqual([])
  })

  it('reach the other listeners where one throws', async () => {
    subscriptions.push(
      store.coordination.subscribe(() => {
        throw new Error('a listener that throws')
      }),
    )
    await listen()
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it('reach a listener that subscribes again', async () => {
    const unsubscribe = await listen()
    unsubscribe()
    await eventually('there is no subscription', async () => (await listeners()) === 0)
    await listen()
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it('do not change the client', async () => {
    const client = version.single(server.port)
    clients.push(client)
    const { coordination, load } = storeOf({ client })
    const unsubscribe = coordination.subscribe(() => {})
    await subscribed()
    unsubscribe()
    await eventually('there is no subscription', async () => (await listeners()) === 0)
    expect(await load(newKey())).toBeUndefined()
    expect(client.status).toBe('ready')
  })

  it('arrive again after the connection was cut, and both changes are reported once', async () => {
    await listen()
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await subscribed()
    await afterAllBefore()
    await eventually('resumed', () => notices.length > 1)
    expect(notices).toEqual([{ kind: 'interrupted', cause: expect.any(Error) }, { kind: 'resumed' }])
  })

  it('arrive again after the server was down, even if the client has given up', async () => {
    const client = version.single(server.port, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    })
    clients.push(client)
    await listen(storeOf({ client }))
    await server.kill()
    await eventually('the client has given up', () => client.status === 'end')
    await server.restart()
    await subscribed()
    await afterAllBefore()
    await eventually('resumed', () => notices.length > 1)
    expect(notices).toEqual([{ kind: 'interrupted', cause: expect.any(Error) }, { kind: 'resumed' }])
  })

  it('arrive from a server that was down when the subscription began', async () => {
    await server.kill()
    const heard: FleetNotice[] = []
    notices = heard
    subscriptions.push(storeWith().coordination.subscribe((notice) => heard.push(notice)))
    await eventually('interrupted', () => notices.length > 0)
    await server.restart()
    await subscribed()
    await afterAllBefore()
    await eventually('resumed', () => notices.length > 1)
    expect(notices).toEqual([{ kind: 'interrupted', cause: expect.any(Error) }, { kind: 'resumed' }])
  })

  it('are reported as interrupted while the server refuses the subscription, and then arrive', async () => {
    await server.command('ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels')
    const muted = storeWith({ username: 'mute', password: 'secret' })
    const heard: FleetNotice[] = []
    notices = heard
    subscriptions.push(muted.coordination.subscribe((notice) => heard.push(notice)))
    await eventually('interrupted', () => heard.length > 0)
    expect(heard).toEqual([
      { kind: 'interrupted', cause: expect.objectContaining({ message: expect.stringContaining('NOPERM') }) },
    ])
    await server.command('ACL', 'SETUSER', 'mute', 'allchannels')
    await eventually('resumed', () => heard.length > 1)
    expect(heard.slice(1)).toEqual([{ kind: 'resumed' }])
    heard.length = 0
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it('arrive where the user may subscribe but not publish', async () => {
    await server.command('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@all', '-publish', 'allchannels')
    await listen(storeWith({ username: 'reader', password: 'secret' }))
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it("arrive again with the client's current password after it was rotated", async () => {
    const user = ['ACL', 'SETUSER', 'rotated', 'on', '~*', '+@all', 'allchannels', 'resetpass'] as const
    const [command, ...words] = user
    await server.command(command, ...words, '>old')
    const client = version.single(server.port, { username: 'rotated', password: 'old' })
    clients.push(client)
    await listen(storeOf({ client }))
    await server.command(command, ...words, '>new')
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually('interrupted', () => notices.length > 0)
    // More than one attempt with the old password is reported once, and shows no password.
    await eventually('several attempts', async () => (await failedLogins('rotated')) > 2)
    expect(notices).toEqual([{ kind: 'interrupted', cause: expect.any(Error) }])
    Object.assign(client.options ?? {}, { password: 'new' })
    await eventually('resumed', () => notices.length > 1)
    notices.length = 0
    await afterAllBefore()
    expect(notices).toEqual([])
  })

  it('arrive again after CONFIG SET requirepass, once the client has the password', async () => {
    const guarded = await startRedisServer()
    const client = version.single(guarded.port)
    const heard: FleetNotice[] = []
    const unsubscribe = storeOf({ client }).coordination.subscribe((notice) => heard.push(notice))
    try {
      await eventually('subscribed', async () => {
        return String(await guarded.command('PUBSUB', 'CHANNELS')).includes(CHANNEL)
      })
      await guarded.command('CONFIG', 'SET', 'requirepass', 'new')
      const admin = new Redis({ port: guarded.port, host: '127.0.0.1', password: 'new' })
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await eventually('interrupted', () => heard.length > 0)
      Object.assign(client.options ?? {}, { password: 'new' })
      await eventually('resumed', () => heard.length > 1)
      await admin.publish(CHANNEL, '{"kind":"revocations"}')
      await eventually('a notice', () => heard.length > 2)
      expect(heard).toEqual([
        { kind: 'interrupted', cause: expect.any(Error) },
        { kind: 'resumed' },
        { kind: 'revocations' },
      ])
      admin.disconnect()
    } finally {
      unsubscribe()
      client.disconnect()
      await guarded.stop()
    }
  })

  it('show no password in the cause of an interruption', async () => {
    const heard: FleetNotice[] = []
    const wrong = storeWith({ username: 'stranger', password: 'hunter2' })
    subscriptions.push(wrong.coordination.subscribe((notice) => heard.push(notice)))
    await eventually('interrupted', () => heard.length > 0)
    expect(inspect(heard, { depth: null, showHidden: true })).toContain('WRONGPASS')
    expect(inspect(heard, { depth: null, showHidden: true })).not.toContain('hunter2')
  })

  it('are reported as interrupted to a listener that comes later', async () => {
    const wrong = storeWith({ username: 'stranger', password: 'wrong' })
    const [first, second]: [FleetNotice[], FleetNotice[]] = [[], []]
    subscriptions.push(wrong.coordination.subscribe((notice) => first.push(notice)))
    await eventually('interrupted', () => first.length > 0)
    subscriptions.push(wrong.coordination.subscribe((notice) => second.push(notice)))
    await eventually('the other is notified', () => second.length > 0)
    expect([first, second]).toEqual([first, first])
    expect(first).toHaveLength(1)
  })

  it('are reported as interrupted where the server stops answering, and arrive again', async () => {
    await listen()
    server.pause()
    await eventually('interrupted', () => notices.length > 0)
    server.resume()
    await eventually('resumed', () => notices.length > 1)
    expect(notices).toEqual([{ kind: 'interrupted', cause: expect.any(Error) }, { kind: 'resumed' }])
    notices.length = 0
    await afterAllBefore()
    expect(notices).toEqual([])
  })
})

describe.skipIf(!redisAvailable)('a client that cannot open another connection', () => {
  let server: RedisServer
  let client: TestClient
  beforeAll(async () => {
    server = await startRedisServer()
    client = ioredis6.single(server.port)
  })
  afterAll(async () => {
    client.disconnect()
    await server.stop()
  })

  it.each<[string, (() => unknown) | undefined]>([
    ['has no duplicate', undefined],
    ['has one that gives nothing', () => undefined],
    ['has one that gives something else', () => ({ on() {} })],
  ])('does everything but receive notices, and reports that, where it %s', async (_, duplicate) => {
    const bare: RedisClient = {
      evalsha: (sha1, count, ...values) => client.evalsha(sha1, count, ...values),
      eval: (script, count, ...values) => client.eval(script, count, ...values),
      ...(duplicate && { duplicate }),
    }
    const store = storeOf({ client: bare })
    const heard: FleetNotice[] = []
    const unsubscribe = store.coordination.subscribe((notice) => heard.push(notice))
    const key = newKey()
    expect(await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')).toBe(true)
    expect(heard).toEqual([{ kind: 'interrupted', cause: expect.any(Error) }])
    expect(await store.load(key)).toEqual(snapshotOf('a'))
    unsubscribe()
  })
})
