import { expect, it, onTestFinished, vi } from 'vitest'
import { startAuthenticatorFor, startIssuer, verdict } from '../../test-support/start.ts'

it('tokens expire by the fake clock of a test framework, and keys are fetched meanwhile', async () => {
  const issuer = await startIssuer()
  const token = await issuer.sign()
  // As docs/testing-your-api.md says: undici needs setImmediate and process.nextTick.
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const authenticator = startAuthenticatorFor(issuer)
  expect(await verdict(authenticator, token)).toBe('accepted')
  vi.advanceTimersByTime(24 * 3_600_000)
  expect(await verdict(authenticator, token)).toBe('ERR_TOKEN_EXPIRED')
  expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
})
