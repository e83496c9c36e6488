import { afterEach, describe, expect, it } from 'vitest'
import { runCli } from '../../packages/cli/test/terminal.ts'
import { type OpenIdProvider, startOpenIdProvider } from '../integration/openid-provider.ts'

let provider: OpenIdProvider | undefined

afterEach(() => provider?.stop())

interface Report {
  readonly findings: readonly { readonly code: string; readonly severity: string }[]
}

async function seriousFindings(...args: readonly string[]) {
  const { code, stdout } = await runCli(['doctor', '--json', ...args])
  const { findings } = JSON.parse(stdout) as Report
  return { code, serious: findings.filter(({ severity }) => severity !== 'note').map((each) => each.code) }
}

describe('doctor on a real OpenID provider', () => {
  it.each(['RS256', 'ES256'] as const)('has no false alarm, with %s', async (algorithm) => {
    provider = await startOpenIdProvider(algorithm)
    expect(await seriousFindings('--allow-http', provider.issuer)).toEqual({ code: 0, serious: [] })
    expect(await seriousFindings('--allow-http', `${provider.issuer}/jwks`)).toEqual({ code: 0, serious: [] })
  })

  it('has no false alarm after a rotation that keeps the previous key', async () => {
    provider = await startOpenIdProvider('ES256')
    await provider.rotate({ keepPrevious: true })
    expect(await seriousFindings('--allow-http', provider.issuer)).toEqual({ code: 0, serious: [] })
  })

  it('reports what is wrong with it: that it uses http:', async () => {
    provider = await startOpenIdProvider('ES256')
    expect(await seriousFindings(provider.issuer)).toEqual({ code: 1, serious: ['http', 'jwks-uri-http'] })
  })

  it('reports that it is down', async () => {
    provider = await startOpenIdProvider('ES256')
    await provider.stop()
    expect(await seriousFindings('--allow-http', provider.issuer)).toEqual({ code: 1, serious: ['unreachable'] })
  })
})
