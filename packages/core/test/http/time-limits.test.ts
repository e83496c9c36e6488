import { once } from 'node:events'
import { startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'
import { UpstreamTimedOutError } from '../../src/base/errors/upstream-errors.ts'
import type { ResolveName } from '../../src/http/addresses.ts'
import { createTransport } from '../../src/http/transport.ts'
import type { HttpDispatcher } from '../../src/index.ts'
import { createRegistryFrom } from '../../src/registry/create-registry.ts'
import { startSilentServer, startUnacceptingServer } from './silent-server.ts'
import { loopbackPolicy } from './transport-scene.ts'

/** Starts a fetch that nothing will answer, and ends its attempt when it has come as far as it will. */
async function errorOf(url: string, isThere: () => Promise<unknown>, resolveName?: ResolveName): Promise<unknown> {
  const transport = createTransport(undefined, resolveName === undefined ? {} : { resolveName })
  onTestFinished(() => transport.close())
  const controller = new AbortController()
  const request = { url, document: 'key set', headers: {}, signal: controller.signal, timeout: 60_000 } as const
  const outcome = transport.get(request, loopbackPolicy).catch((error: unknown) => error)
  await isThere()
  controller.abort(new UpstreamTimedOutError())
  return await outcome
}

describe('an attempt that has ended rejects immediately, and says what it was doing', () => {
  it('while the name is resolved', async () => {
    const asked = deferred()
    const hanging: ResolveName = () => asked.resolve(undefined)
    expect(await errorOf('http://dead.example/', () => asked.promise, hanging)).toMatchObject({
      code: 'ERR_UPSTREAM_TIMED_OUT',
      document: 'key set',
      step: 'name resolution',
      message: 'The provider did not respond in time (key set, name resolution)',
    })
  })

  it('while TCP connects', async () => {
    const { port } = await startUnacceptingServer()
    const isConnecting = () => new Promise((resolve) => setTimeout(resolve, 50))
    expect(await errorOf(`http://127.0.0.1:${port}/`, isConnecting)).toMatchObject({ step: 'connecting' })
  })

  it('during the TLS handshake, and closes the pending connection', async () => {
    const server = await startSilentServer()
    const hasHello = async () => {
      while (server.sockets[0] === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
      while (server.sockets[0].bytesRead === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await errorOf(`https://127.0.0.1:${server.port}/`, hasHello)).toMatchObject({ step: 'TLS handshake' })
    const [socket] = server.sockets
    if (socket !== undefined && !socket.closed) await once(socket, 'close')
    expect(socket?.closed).toBe(true)
  })

  it('while the head of the response is awaited', async () => {
    const issuer = await startIssuer()
    issuer.answerAlways('jwks', { kind: 'hang' })
    expect(await errorOf(issuer.jwksUri, () => issuer.waitForRequests(1))).toMatchObject({
      step: 'waiting for the response',
    })
  })

  it('while the body is read', async () => {
    const issuer = await startIssuer()
    issuer.answerAlways('jwks', { kind: 'stalled-body' })
    const hasHead = async () => {
      await issuer.waitForRequests(1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(await errorOf(issuer.jwksUri, hasHead)).toMatchObject({ step: 'reading the response' })
  })
})

describe('{ attemptTimeout: 300, deadline: 1000 }', () => {
  const retryPolicy = {
    attemptTimeout: 300,
    deadline: 1_000,
    initialBackoff: 1,
    maxBackoff: 1,
    jitter: 'none',
  } as const

  /** Resolves by a registry, on the machine's clock: the number of attempts, the milliseconds, and the failure. */
  async function resolveFrom(jwksUri: string, resolveName?: ResolveName) {
    const parts = resolveName === undefined ? {} : { resolveName }
    const transport = () => createTransport(undefined, parts)
    const registry = createRegistryFrom({ requireHttps: false }, { random: Math.random, transport })
    onTestFinished(() => registry.close())
    let attempts = 0
    registry.on('fetch', () => {
      attempts += 1
    })
    await registry.register({ tenant: 'acme', provider: 'main', jwksUri, network: 'any', retryPolicy })
    const startedAt = performance.now()
    const error = await registry.resolve('acme', 'main').catch((reason: unknown) => reason)
    return { attempts, took: performance.now() - startedAt, error }
  }

  it.each([
    ['a full backlog that swallows SYNs', async () => `http://127.0.0.1:${(await startUnacceptingServer()).port}/jwks`],
    [
      'a TLS handshake that is never answered',
      async () => `https://127.0.0.1:${(await startSilentServer()).port}/jwks`,
    ],
    ['a request that is never answered', async () => `http://127.0.0.1:${(await startSilentServer()).port}/jwks`],
  ])('ends three attempts within about a second: %s', async (_, start) => {
    const { attempts, took, error } = await resolveFrom(await start())
    expect(error).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE', cause: { code: 'ERR_UPSTREAM_TIMED_OUT' } })
    expect(attempts).toBe(3)
    // A connect timeout of its own would take ten seconds for each attempt.
    expect(took).toBeLessThan(5_000)
  })

  it('ends three attempts within about a second: a name whose servers do not respond', async () => {
    const { attempts, took, error } = await resolveFrom('http://dead.example/jwks', () => undefined)
    expect(error).toMatchObject({ cause: { code: 'ERR_UPSTREAM_TIMED_OUT', step: 'name resolution' } })
    expect(attempts).toBe(3)
    expect(took).toBeLessThan(5_000)
  })
})

describe('onSent', () => {
  /** Fetches with a counter of the requests that were written; ends the attempt after a while. */
  async function sentTo(url: string, dispatcher?: HttpDispatcher): Promise<number> {
    const transport = createTransport(dispatcher)
    onTestFinished(() => transport.close())
    let sent = 0
    const onSent = (): void => {
      sent += 1
    }
    const signal = AbortSignal.timeout(200)
    const request = { url, document: 'key set', headers: {}, signal, timeout: 5_000, onSent } as const
    await transport.get(request, loopbackPolicy).catch(() => undefined)
    return sent
  }

  it('is called for a request that is written, on a new connection and on a reused one', async () => {
    const issuer = await startIssuer()
    expect(await sentTo(issuer.jwksUri)).toBe(1)
    issuer.answerOnce('jwks', { kind: 'redirect', location: '/jwks' })
    expect(await sentTo(issuer.jwksUri)).toBe(2)
  })

  it('is called although the server does not respond', async () => {
    const { port } = await startSilentServer()
    expect(await sentTo(`http://127.0.0.1:${port}/`)).toBe(1)
  })

  it('is not called while TCP connects, or during the TLS handshake', async () => {
    const [unaccepting, silent] = [await startUnacceptingServer(), await startSilentServer()]
    expect(await sentTo(`http://127.0.0.1:${unaccepting.port}/`)).toBe(0)
    expect(await sentTo(`https://127.0.0.1:${silent.port}/`)).toBe(0)
  })

  it('is called immediately for a dispatcher, which does not say when it connects', async () => {
    const request = async () => await new Promise<never>(() => undefined)
    expect(await sentTo('http://issuer.example/', { request })).toBe(1)
  })
})

function deferred() {
  let resolve = (_: unknown): void => undefined
  const promise = new Promise((onResolve) => {
    resolve = onResolve
  })
  return { promise, resolve }
}
