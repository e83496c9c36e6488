import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'
import { clientSource, subscribeAndLeave, UNTIL_NOTICE } from './run-program.ts'

describe.skipIf(!redisAvailable).each(['ioredis', 'ioredis5'])('a process that has unsubscribed, with %s', (module) => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedisServer()
  })
  afterAll(() => server.stop())

  it('exits by itself after notices have come', async () => {
    const exit = await subscribeAndLeave(clientSource.single(module, server.port), UNTIL_NOTICE)
    expect(exit).toEqual({ code: 0, output: 'done\n' })
  })

  it('exits by itself before it has connected', async () => {
    const exit = await subscribeAndLeave(clientSource.single(module, server.port), '')
    expect(exit).toEqual({ code: 0, output: 'done\n' })
  })

  it('exits by itself between attempts to connect to nothing', async () => {
    const exit = await subscribeAndLeave(clientSource.single(module, 1), 'await setTimeout(300)')
    expect(exit).toEqual({ code: 0, output: 'done\n' })
  })
})
