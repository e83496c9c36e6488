import { type RedisClient, redisStore } from '@jwks-auth/redis'
import { describe, expect, it } from 'vitest'

/** A client with the required methods that does nothing. */
function client(options?: RedisClient['options']): RedisClient {
  return { evalsha: () => Promise.resolve(null), eval: () => Promise.resolve(null), ...(options && { options }) }
}

/** As a caller in plain JavaScript would. */
function make(options: unknown): unknown {
  return Reflect.apply(redisStore, undefined, [options])
}

describe('the options of redisStore', () => {
  it.each([
    [undefined, 'options must be an object'],
    [null, 'options must be an object'],
    ['redis://localhost', 'options must be an object'],
    [[], 'options must be an object'],
    [{}, 'client must be'],
    [client(), 'takes options, { client }'],
    [{ evalSha() {}, eval() {}, sendCommand() {} }, 'takes options, { client }'],
    [{ client: 'redis://localhost' }, 'client must be'],
    [{ client: {} }, 'client must be'],
    [{ client: {} }, 'evalsha and eval is missing'],
    [{ client: { evalsha() {} } }, ': eval is missing'],
    [{ client: { eval() {} } }, ': evalsha is missing'],
    [{ client: { evalsha: 'x', eval() {} } }, ': evalsha is missing'],
    [{ client: { evalsha() {}, eval() {}, internal_send_command() {} } }, 'node-redis needs a wrapper'],
    [{ client: { evalSha() {}, eval() {}, sendCommand() {} } }, 'node-redis needs a wrapper'],
    [{ client: { ...client(), duplicate: {} } }, 'client.duplicate must be a function'],
    [{ client: { ...client(), listen: true } }, 'client.listen must be a function'],
    [{ client: client(), namespace: '' }, 'namespace must be'],
    [{ client: client(), namespace: 7 }, 'namespace must be'],
    [{ client: client(), namespace: null }, 'namespace must be'],
    [{ client: client(), namespace: 'a b' }, 'namespace must be'],
    [{ client: client(), namespace: '{a}' }, 'namespace must be'],
    [{ client: client(), namespace: 'a/b' }, 'namespace must be'],
    [{ client: client(), namespace: 'a*' }, 'namespace must be'],
    [{ client: client(), namespace: 'a'.repeat(65) }, 'namespace must be'],
    [{ client: client(), namespace: 'a\n' }, 'namespace must be'],
    [{ client: client(), coordinate: 'yes' }, 'coordinate must be'],
    [{ client: client(), coordinate: null }, 'coordinate must be'],
    [{ client: client(), nameSpace: 'a' }, 'options has no option "nameSpace"; did you mean "namespace"?'],
    [{ client: client(), prefix: 'a' }, 'options has no option "prefix"; it takes client, namespace, coordinate'],
  ])('are refused where they are %j', (options, message) => {
    expect(() => make(options)).toThrow(TypeError)
    expect(() => make(options)).toThrow(message)
  })

  it.each(['jwks-auth', 'prod:jwks.auth_2', 'a'.repeat(64)])('may have the namespace %j', (namespace) => {
    expect(() => redisStore({ client: client(), namespace })).not.toThrow()
  })

  it('may be undefined where they have a default', () => {
    const store = make({ client: client(), namespace: undefined, coordinate: undefined, other: undefined })
    expect(store).toHaveProperty('coordination')
  })

  it.each(['{}', 'app:{}', 'a}{}{b}'])('may not have a client with the keyPrefix %j', (keyPrefix) => {
    expect(() => redisStore({ client: client({ keyPrefix }) })).toThrow(TypeError)
    expect(() => redisStore({ client: client({ keyPrefix }) })).toThrow('client must not have a keyPrefix')
  })

  it.each(['', 'app:', '{app}:', '{app', 'app}', '}app', '{a}{}', undefined])(
    'may have one with the keyPrefix %j',
    (keyPrefix) => {
      expect(() => redisStore({ client: client({ keyPrefix }) })).not.toThrow()
    },
  )

  it.each([undefined, true, null, {}])('reject each call of a client that returns no promise but %j', async (reply) => {
    const store = redisStore({ client: Object.assign(client(), { evalsha: () => reply }) })
    const load = store.load({ tenant: 'a', provider: 'b' })
    await expect(load).rejects.toThrow(TypeError)
    await expect(load).rejects.toThrow('client.evalsha must return a promise')
  })

  it('make a store that is shared', () => {
    expect(redisStore({ client: client() }).isShared).toBe(true)
  })

  it('make a store without coordination where it is not wanted', () => {
    const store = redisStore({ client: client(), coordinate: false })
    expect(store).not.toHaveProperty('coordination')
    expect(store.revocations).toBeDefined()
  })
})
