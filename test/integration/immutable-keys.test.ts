import { readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Registry } from '@jwks-auth/core'
import { jwksAuth } from '@jwks-auth/express'
import { audience, startAuthenticator, startIssuer, verdict } from '@jwks-auth/test-support/start'
import { memoryStore, type TestIssuer } from '@jwks-auth/testing'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'

/** All that a user has to write for keys that never change. */
const settings = ({ issuer, jwksUri }: TestIssuer, publicKeyPath: string) =>
  ({ issuer, jwksUri, audience, requireHttps: false, keyLifetime: 'immutable', publicKeyPath }) as const

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'jwks-auth-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  return directory
}

/** Resolves once the registry has written keys down; to be called before that. */
function saved(registry: Registry): Promise<unknown> {
  return new Promise((resolve) => registry.on('snapshot-saved', resolve))
}

function countFetches(registry: Registry): () => number {
  let fetches = 0
  registry.on('fetch', () => {
    fetches += 1
  })
  return () => fetches
}

describe('an authenticator with immutable keys in a directory', () => {
  it('after a restart verifies 10 000 tokens without a request upstream, with the provider down', async () => {
    const issuer = await startIssuer({ algorithm: 'EdDSA' })
    await issuer.addKey()
    const directory = await temporaryDirectory()
    const first = startAuthenticator(settings(issuer, directory))
    const written = saved(first.registry)
    expect(await verdict(first, await issuer.sign())).toBe('accepted')
    await written
    expect(issuer.requestCount()).toBe(1)
    await issuer.stop()

    // The first one is not closed: as after kill -9, it never gets to say anything more.
    // Each token is verified each time, as if it were new.
    const second = startAuthenticator({ ...settings(issuer, directory), tokenCache: false })
    const fetches = countFetches(second.registry)
    const verdicts = new Map<string, number>()
    const tokens = await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        issuer.sign({ sub: `user-${index}` }, { key: index % 2 === 0 ? 'key-1' : 'key-2' }),
      ),
    )
    for (let count = 0; count < 10_000; count += tokens.length) {
      for (const outcome of await Promise.all(tokens.map((token) => verdict(second, token)))) {
        verdicts.set(outcome, (verdicts.get(outcome) ?? 0) + 1)
      }
    }
    expect([...verdicts]).toEqual([['accepted', 10_000]])
    expect(fetches()).toBe(0)
    expect(issuer.requestCount()).toBe(1)
  })

  it('makes no metadata request either after a restart, where only the issuer is configured', async () => {
    const issuer = await startIssuer()
    const directory = await temporaryDirectory()
    const options = { ...settings(issuer, directory), jwksUri: undefined }
    const first = startAuthenticator(options)
    const written = saved(first.registry)
    expect(await verdict(first, await issuer.sign())).toBe('accepted')
    await written
    issuer.clearRequests()
    const second = startAuthenticator(options)
    expect(await verdict(second, await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount()).toBe(0)
  })

  it('asks once for a kid that is new, and has it after the next restart', async () => {
    const issuer = await startIssuer()
    const directory = await temporaryDirectory()
    const first = startAuthenticator(settings(issuer, directory))
    const written = saved(first.registry)
    await verdict(first, await issuer.sign())
    await written
    await issuer.rotate({ keepPrevious: false })
    const second = startAuthenticator(settings(issuer, directory))
    const writtenAgain = saved(second.registry)
    expect(await verdict(second, await issuer.sign())).toBe('accepted')
    await writtenAgain
    expect(issuer.requestCount()).toBe(2)
    const third = startAuthenticator(settings(issuer, directory))
    await third.registry.restore()
    expect(third.registry.status('default', 'default').kids).toEqual(['key-1', 'key-2'])
    expect(issuer.requestCount()).toBe(2)
  })

  it('writes where it was told to, and for itself alone', async () => {
    const issuer = await startIssuer()
    const directory = join(await temporaryDirectory(), 'keys')
    const authenticator = startAuthenticator(settings(issuer, directory))
    const written = saved(authenticator.registry)
    await verdict(authenticator, await issuer.sign())
    await written
    const [file = ''] = readdirSync(directory)
    expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
  })
})

describe('an authenticator with immutable keys in a store of its own', () => {
  it('needs its three methods and nothing else', async () => {
    const issuer = await startIssuer()
    const { load, save, delete: remove } = memoryStore()
    const { publicKeyPath: _none, ...options } = settings(issuer, '')
    const first = startAuthenticator({ ...options, store: { load, save, delete: remove } })
    const written = saved(first.registry)
    expect(await verdict(first, await issuer.sign())).toBe('accepted')
    await written
    await issuer.stop()
    const second = startAuthenticator({ ...options, store: { load, save, delete: remove } })
    expect(await verdict(second, await issuer.sign())).toBe('accepted')
  })
})

describe('the middleware', () => {
  it('takes both settings in its short form, and serves from the directory', async () => {
    const issuer = await startIssuer()
    const directory = await temporaryDirectory()
    async function startApp() {
      const middleware = jwksAuth(settings(issuer, directory))
      onTestFinished(() => middleware.close())
      const app = express()
      app.use(middleware)
      app.get('/', (request, response) => {
        response.json({ sub: request.auth?.claims.sub })
      })
      const server = app.listen(0)
      onTestFinished(() => void server.close())
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as AddressInfo
      return { middleware, url: `http://127.0.0.1:${port}/` }
    }
    const headers = { authorization: `Bearer ${await issuer.sign()}` }
    const first = await startApp()
    const written = saved(first.middleware.registry)
    expect((await fetch(first.url, { headers })).status).toBe(200)
    await written
    await issuer.stop()
    const second = await startApp()
    const answer = await fetch(second.url, { headers })
    expect(await answer.json()).toEqual({ sub: 'user-1' })
    expect(issuer.requestCount()).toBe(1)
  })
})
