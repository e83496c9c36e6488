import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestIssuer } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Certified,
  certify,
  certifyServer,
  privateKeyOf,
} from '../../../packages/core/test/http/tls/certificates.ts'
import { createApi } from '../src/api.ts'
import { thisCluster } from '../src/cluster.ts'

const audience = 'https://billing.example.com'

/** An API server that gives its keys to the bearer of one token, with a certificate of its own authority. */
async function start() {
  // Signs the tokens; its own endpoints are not used.
  const keys = await createTestIssuer({ algorithm: 'RS256', audience })
  const authority = certify({ subject: 'cluster' })
  const apiServer = { token: 'reader-1', answers: [] as number[] }
  const server = createServer(tlsOf(authority), (request, response) => {
    const isReader = request.headers.authorization === `Bearer ${apiServer.token}`
    const status = isReader ? 200 : 401
    apiServer.answers.push(status)
    response.writeHead(status, { 'content-type': 'application/jwk-set+json', 'cache-control': 'max-age=600' })
    response.end(isReader ? JSON.stringify(keys.jwks) : '{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const files = await mkdtemp(join(tmpdir(), 'serviceaccount-'))
  const write = (name: 'token' | 'ca.crt', text: string) => writeFile(join(files, name), text)
  await write('token', 'reader-1\n')
  await write('ca.crt', authority.certificate)
  const jwksUri = `https://127.0.0.1:${(server.address() as AddressInfo).port}/openid/v1/jwks`
  const api = await createApi({ ...thisCluster, jwksUri, files })
  onTestFinished(async () => {
    await api.close()
    server.closeAllConnections()
    server.close()
    await keys.close()
    await rm(files, { recursive: true })
  })

  return {
    keys,
    apiServer,
    write,
    /** The API server is replaced by one with a certificate of this authority. */
    renewAuthority(renewed: Certified) {
      server.setSecureContext(tlsOf(renewed))
      server.closeAllConnections()
    },
    tokenOf: (sub: string, claims = {}) => keys.sign({ iss: thisCluster.issuer, sub, ...claims }),
    async call(token: string, url = '/whoami') {
      const response = await api.inject({ url, headers: { authorization: `Bearer ${token}` } })
      return { status: response.statusCode, body: response.json() }
    },
  }
}

function tlsOf(authority: Certified): { key: string; cert: string } {
  const certified = certifyServer(authority)
  return { key: privateKeyOf(certified), cert: certified.certificate }
}

describe('the API for pods', () => {
  it('authenticates a pod by its service-account token', async () => {
    const { call, tokenOf, apiServer } = await start()
    expect(await call(await tokenOf('system:serviceaccount:shop:checkout'))).toEqual({
      status: 200,
      body: { serviceAccount: { namespace: 'shop', name: 'checkout' } },
    })
    expect(apiServer.answers).toEqual([200])
  })

  it('lets the service accounts of one namespace read invoices', async () => {
    const { call, tokenOf } = await start()
    expect(await call(await tokenOf('system:serviceaccount:shop:checkout'), '/invoices')).toMatchObject({ status: 200 })
    for (const sub of ['system:serviceaccount:other:checkout', 'system:node:shop', 'shop']) {
      expect(await call(await tokenOf(sub), '/invoices')).toMatchObject({ status: 403 })
    }
  })

  it('refuses tokens for another audience, such as those for the API server itself', async () => {
    const { call, tokenOf } = await start()
    const token = await tokenOf('system:serviceaccount:shop:checkout', { aud: 'https://kubernetes.default.svc' })
    expect(await call(token)).toMatchObject({ status: 401 })
  })

  it('uses the renewed files after they were rotated, without a restart', async () => {
    const { call, tokenOf, keys, write, apiServer, renewAuthority } = await start()
    expect(await call(await tokenOf('system:serviceaccount:shop:checkout'))).toMatchObject({ status: 200 })
    const renewed = certify({ subject: 'cluster-2' })
    apiServer.token = 'reader-2'
    renewAuthority(renewed)
    await write('token', 'reader-2\n')
    await write('ca.crt', renewed.certificate)
    await keys.rotate()
    expect(await call(await tokenOf('system:serviceaccount:shop:checkout'))).toMatchObject({ status: 200 })
    expect(apiServer.answers).toEqual([200, 200])
  })

  it('answers 503, and not 401, where the API server refuses its token or has another authority', async () => {
    const { call, tokenOf, apiServer, write } = await start()
    const token = await tokenOf('system:serviceaccount:shop:checkout')
    await write('token', 'expired')
    expect(await call(token)).toMatchObject({ status: 503 })
    await write('ca.crt', certify({ subject: 'other' }).certificate)
    expect(await call(token)).toMatchObject({ status: 503 })
    expect(apiServer.answers).toEqual([401])
  })
})
