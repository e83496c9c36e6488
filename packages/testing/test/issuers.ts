import { afterEach } from 'vitest'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '../src/index.ts'

const started: TestIssuer[] = []

/** Starts an issuer that is closed after the test. Its key is ES256 unless said otherwise, which is made fast. */
export async function startIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const issuer = await createTestIssuer({ algorithm: 'ES256', ...options })
  started.push(issuer)
  return issuer
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((issuer) => issuer.close()))
})
