import { createRegistry } from '@jwks-auth/core'
import { createTestIssuer } from '@jwks-auth/testing'
import { expect, it, onTestFinished } from 'vitest'

it('fetches for many tenants at once without a warning of the process', async () => {
  const issuer = await createTestIssuer({ algorithm: 'ES256' })
  const registry = createRegistry({ requireHttps: false, defaults: { network: 'any' } })
  const warnings: Error[] = []
  const onWarning = (warning: Error): number => warnings.push(warning)
  process.on('warning', onWarning)
  onTestFinished(async () => {
    process.off('warning', onWarning)
    await registry.close()
    await issuer.close()
  })

  const tenants = Array.from({ length: 60 }, (_, index) => `tenant-${index}`)
  for (const tenant of tenants)
    await registry.register({ tenant, provider: 'idp', jwksUri: `${issuer.jwksUri}?${tenant}` })
  await Promise.all(tenants.map((tenant) => registry.resolve(tenant, 'idp')))
  // Warnings are told in a later turn of the event loop.
  await new Promise(setImmediate)

  expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([])
  expect(issuer.requestCount('jwks')).toBe(60)
})
