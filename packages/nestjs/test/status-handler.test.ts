import { createRegistry, createStatusHandler, JwksAuthModule } from '@jwks-auth/nestjs'
import { describe, expect, it } from 'vitest'
import { createApp, listen, platforms } from './apps.ts'

describe.each(platforms)('createStatusHandler on %s', (platform) => {
  it('serves the status below its mount, to those whom authorize lets pass', async () => {
    const registry = createRegistry()
    const auth = { issuer: 'https://issuer.example/', audience: 'https://api.example', registry }
    const nest = await createApp(platform, { imports: [JwksAuthModule.forRoot(auth)] })
    const authorize = ({ headers }: { headers: Record<string, unknown> }) => headers.authorization === 'Bearer operator'
    nest.use('/status', createStatusHandler(registry, { authorize }))
    const app = await listen(nest)
    const providers = await app.get('/status/providers', 'operator')
    expect(providers.status).toBe(200)
    expect(JSON.stringify(providers.body)).toContain('"tenant":"default"')
    expect((await app.get('/status/providers')).status).toBe(403)
    expect((await app.get('/status/health/live')).status).toBe(200)
    expect((await app.get('/status/nowhere', 'operator')).status).toBe(404)
    await registry.close()
  })

  it('is not created without authorize', async () => {
    const registry = createRegistry()
    expect(() => createStatusHandler(registry, {} as never)).toThrow(/authorize/)
    await registry.close()
  })
})
