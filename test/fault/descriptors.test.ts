import { createTestIssuer } from '@jwks-auth/testing'
import { expect, it, onTestFinished } from 'vitest'
import { runProgram } from '../../test-support/run-program.ts'

/** Authenticates while no file can be opened, which is when undici is loaded, and after. */
const program = `
  const { closeSync, openSync } = await import('node:fs')
  const { createAuthenticator } = await import('@jwks-auth/core')
  const authenticator = createAuthenticator({ issuer: process.env.ISSUER, audience: 'api', requireHttps: false, prefetch: 'never' })
  const ask = async () => {
    const headers = { authorization: 'Bearer ' + process.env.TOKEN }
    const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers })
    return outcome.ok ? 'accepted' : outcome.error.code
  }
  const opened = []
  try {
    while (true) opened.push(openSync(process.execPath))
  } catch {}
  const without = await ask()
  for (const descriptor of opened) closeSync(descriptor)
  const provider = { tenant: 'default', provider: 'default' }
  await authenticator.registry.refresh(provider.tenant, provider.provider)
  process.send({ opened: opened.length, without, after: await ask() }, () => process.exit())
`

it.skipIf(process.platform === 'win32')(
  'the first fetch may find no free file descriptor; later ones succeed',
  async () => {
    const issuer = await createTestIssuer({ audience: 'api' })
    onTestFinished(() => issuer.close())
    const env = { ISSUER: issuer.issuer, TOKEN: await issuer.sign() }
    expect(await runProgram(program, { env, descriptors: 100 })).toEqual({
      exitCode: 0,
      errors: '',
      sent: { opened: expect.any(Number), without: 'ERR_KEYS_UNAVAILABLE', after: 'accepted' },
    })
  },
)
