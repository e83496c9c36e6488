import { createTestIssuer, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { frameworks } from './frameworks.ts'
import { sendRaw } from './raw-request.ts'

const audience = 'https://api.example'
const integrityKey = 'a secret of thirty-two bytes or more'

describe.each(frameworks)('jwksAuth of $name, restarted with a warm store while the provider is down', ({ start }) => {
  it('accepts the first request without an upstream request', async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
    onTestFinished(() => issuer.close())
    const headers = [['Authorization', `Bearer ${await issuer.sign()}`]] as const
    const { jwksUri } = issuer
    const store = memoryStore()
    const auth = { issuer: issuer.issuer, jwksUri, audience, requireHttps: false, store, integrityKey }

    const before = await start({ auth })
    expect(await sendRaw(before.port, { headers })).toMatchObject({ status: 200 })
    await before.registry.persistAll()
    await before.close()
    await issuer.stop()
    issuer.clearRequests()

    const after = await start({ auth })
    onTestFinished(() => after.close())
    expect(await sendRaw(after.port, { headers })).toMatchObject({ status: 200 })
    expect(issuer.requestCount()).toBe(0)
    expect(after.registry.status('default', 'default').source).toBe('store')
  })
})
