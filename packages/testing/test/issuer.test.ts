import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { createManualClock, createTestIssuer, type TestIssuerOptions } from '../src/index.ts'
import { get } from './http-client.ts'
import { startIssuer } from './issuers.ts'

describe('options', () => {
  it('signs with RS256 and names the key key-1 when nothing is said', async () => {
    const issuer = await createTestIssuer()
    expect(issuer.signingKey).toMatchObject({ kid: 'key-1', alg: 'RS256' })
    await issuer.close()
  })

  it('gives the first key the algorithm and the name that were asked for', async () => {
    const issuer = await startIssuer({ algorithm: 'ES384', kid: 'mine' })
    expect(issuer.keys.map(({ kid, alg }) => [kid, alg])).toEqual([['mine', 'ES384']])
  })

  it('puts the path into the issuer, without a slash at the end', async () => {
    const issuer = await startIssuer({ path: '/oauth2/default' })
    expect(issuer.issuer).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/oauth2\/default$/)
    expect(issuer.jwksUri).toBe(`${issuer.issuer}/jwks`)
  })

  it('listens on the port that was asked for', async () => {
    const first = await startIssuer()
    const port = Number(new URL(first.issuer).port)
    await first.close()
    const second = await startIssuer({ port })
    expect(second.issuer).toBe(first.issuer)
  })

  it('takes iat, exp, Date and the time of requests from the clock', async () => {
    const clock = createManualClock({ now: 1_000_000_000_000 })
    const issuer = await startIssuer({ clock })
    const { payload } = await jwtVerify(await issuer.sign(), createLocalJWKSet(issuer.jwks), {
      currentDate: new Date(clock.now()),
    })
    expect(payload).toMatchObject({ iat: 1_000_000_000, exp: 1_000_000_300 })
    expect((await get(issuer.jwksUri)).headers.date).toBe('Sun, 09 Sep 2001 01:46:40 GMT')
    expect(issuer.requests[0]?.time).toBe(1_000_000_000_000)
  })

  it.each([
    ['unknown', { algoritm: 'ES256' }, "unknown option 'algoritm'"],
    ['inherited by name', { constructor: 1 }, "unknown option 'constructor'"],
    ['an unknown algorithm', { algorithm: 'HS256' }, "option 'algorithm' must be one of"],
    ['an empty kid', { kid: '' }, "option 'kid' must be"],
    ['an audience of numbers', { audience: [1] }, "option 'audience' must be"],
    ['a path without a slash before it', { path: 'a' }, "option 'path' must be"],
    ['a path with a slash after it', { path: '/a/' }, "option 'path' must be"],
    ['a path with dot segments', { path: '/a/../b' }, "option 'path' must be"],
    ['a port out of range', { port: 65_536 }, "option 'port' must be an integer from 0 to 65535"],
    ['a Cache-Control with a line break', { cacheControl: 'a\r\nb' }, "option 'cacheControl' must be"],
    ['a clock without now', { clock: {} }, "option 'clock' must be"],
  ])('refuses an option that is %s, by name', async (_, options, message) => {
    const creation = createTestIssuer(options as TestIssuerOptions)
    await expect(creation).rejects.toThrow(TypeError)
    await expect(creation).rejects.toThrow(message)
  })
})

describe('what is published', () => {
  it('serves the public halves of its keys, ready for a verifier', async () => {
    const issuer = await startIssuer({ audience: 'api' })
    const response = await fetch(issuer.jwksUri)
    const published = JSON.parse(await response.text())
    expect(published).toEqual(issuer.jwks)
    expect(JSON.stringify(published)).not.toContain('"d"')
    const { payload } = await jwtVerify(await issuer.sign(), createLocalJWKSet(published), {
      issuer: issuer.issuer,
      audience: 'api',
    })
    expect(payload.sub).toBe('user-1')
  })

  it('publishes something else to the letter when told to, and goes back', async () => {
    const issuer = await startIssuer()
    issuer.setJwks('{"keys": [ ]}')
    expect((await get(issuer.jwksUri)).body.toString()).toBe('{"keys": [ ]}')
    issuer.setJwks(null)
    expect((await get(issuer.jwksUri)).body.toString()).toBe('null')
    issuer.setJwks({ keys: [{ kty: 'oct', k: 'AAAA' }] })
    expect((await get(issuer.jwksUri)).body.toString()).toBe('{"keys":[{"kty":"oct","k":"AAAA"}]}')
    issuer.setJwks(undefined)
    expect(JSON.parse((await get(issuer.jwksUri)).body.toString())).toEqual(issuer.jwks)
    expect(() => issuer.setJwks(() => 1)).toThrow(TypeError)
  })

  it('serves the OpenID metadata under the path and the OAuth metadata before it', async () => {
    const issuer = await startIssuer({ path: '/oauth2/default' })
    const { origin } = new URL(issuer.issuer)
    const expected = { issuer: issuer.issuer, jwks_uri: issuer.jwksUri }
    const openid = await get(`${issuer.issuer}/.well-known/openid-configuration`)
    const oauth = await get(`${origin}/.well-known/oauth-authorization-server/oauth2/default`)
    expect(JSON.parse(openid.body.toString())).toMatchObject(expected)
    expect(JSON.parse(openid.body.toString())).toHaveProperty('subject_types_supported')
    expect(JSON.parse(oauth.body.toString())).toMatchObject(expected)
    expect(JSON.parse(oauth.body.toString())).not.toHaveProperty('subject_types_supported')
    expect(issuer.requests.map(({ endpoint }) => endpoint)).toEqual(['openid', 'oauth'])
  })

  it('replaces, adds and leaves out members of metadata, in both documents or in one', async () => {
    const issuer = await startIssuer()
    const read = async (name: string) => JSON.parse((await get(`${issuer.issuer}/.well-known/${name}`)).body.toString())
    issuer.setMetadata({ issuer: 'https://other.example', jwks_uri: undefined, extra: 1 })
    for (const name of ['openid-configuration', 'oauth-authorization-server']) {
      const document = await read(name)
      expect(document).toMatchObject({ issuer: 'https://other.example', extra: 1 })
      expect(document).not.toHaveProperty('jwks_uri')
    }
    issuer.setMetadata({}, 'openid')
    expect((await read('openid-configuration')).issuer).toBe(issuer.issuer)
    expect((await read('oauth-authorization-server')).issuer).toBe('https://other.example')
    expect(() => issuer.setMetadata({}, 'jwks' as 'openid')).toThrow("must be one of 'openid', 'oauth'")
  })

  it('moves the key set, and metadata follows', async () => {
    const issuer = await startIssuer({ path: '/a' })
    const before = issuer.jwksUri
    issuer.moveJwks('/v2/keys')
    expect(issuer.jwksUri).toBe(`${issuer.issuer}/v2/keys`)
    expect((await get(before)).status).toBe(404)
    expect((await get(issuer.jwksUri)).status).toBe(200)
    const metadata = await get(`${issuer.issuer}/.well-known/openid-configuration`)
    expect(JSON.parse(metadata.body.toString()).jwks_uri).toBe(issuer.jwksUri)
    expect(() => issuer.moveJwks('keys')).toThrow(TypeError)
  })

  it('answers 404 elsewhere, and 405 to other methods', async () => {
    const issuer = await startIssuer({ path: '/a' })
    expect((await get(`${new URL(issuer.issuer).origin}/jwks`)).status).toBe(404)
    expect((await get(`${issuer.issuer}/authorize`)).status).toBe(404)
    const post = await get(issuer.jwksUri, {}, 'POST')
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD'])
  })

  it('answers HEAD with the fields of GET and no body', async () => {
    const issuer = await startIssuer()
    const whole = await get(issuer.jwksUri)
    const head = await get(issuer.jwksUri, {}, 'HEAD')
    expect(head.body).toHaveLength(0)
    expect(head.headers.etag).toBe(whole.headers.etag)
    expect(head.headers['content-length']).toBe(String(whole.body.length))
  })
})

describe('going down and up', () => {
  it('refuses connections and cuts open ones while it is down, and comes back at the same address', async () => {
    const issuer = await startIssuer()
    const { issuer: address, jwks } = issuer
    issuer.answerOnce('jwks', { kind: 'hang' })
    const open = get(issuer.jwksUri)
    const cut = expect(open).rejects.toMatchObject({ code: 'ECONNRESET' })
    await issuer.waitForRequests(1)
    await issuer.stop()
    await cut
    await expect(get(issuer.jwksUri)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await issuer.start()
    expect(issuer.issuer).toBe(address)
    expect(JSON.parse((await get(issuer.jwksUri)).body.toString())).toEqual(jwks)
  })

  it('ends in the state that the last of several unawaited calls asked for', async () => {
    const issuer = await startIssuer()
    await Promise.all([issuer.stop(), issuer.start(), issuer.start(), issuer.stop(), issuer.stop(), issuer.start()])
    expect((await get(issuer.jwksUri)).status).toBe(200)
  })

  it('does not start again once it is closed', async () => {
    const issuer = await startIssuer()
    await issuer.close()
    await issuer.close()
    await expect(issuer.start()).rejects.toThrow('closed')
    await expect(get(issuer.jwksUri)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('closes when it is disposed of, as await using does', async () => {
    const issuer = await startIssuer()
    await issuer[Symbol.asyncDispose]()
    await expect(get(issuer.jwksUri)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(issuer.start()).rejects.toThrow('closed')
  })

  it('rejects when its port is taken', async () => {
    const issuer = await startIssuer()
    const port = Number(new URL(issuer.issuer).port)
    await expect(createTestIssuer({ algorithm: 'ES256', port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})
