import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { runCli } from './terminal.ts'

describe('the command line of drill', () => {
  const url = ['--url', 'http://127.0.0.1:1/']

  it.each<[string, readonly string[], string]>([
    ['no URL', ['--audience', 'x'], '--url must be an absolute URL'],
    ['a URL of another kind', ['--url', 'ftp://a.example'], '--url must be an absolute URL'],
    ['no audience', url, '--audience is missing'],
    [
      'an unknown algorithm',
      [...url, '--audience', 'x', '--algorithm', 'HS256'],
      '--algorithm must be one of RS256, ES256, EdDSA',
    ],
    ['a header without a value', [...url, '--audience', 'x', '--header', 'x-tenant'], "--header must be 'name: value'"],
    ['claims that are a list', [...url, '--audience', 'x', '--claims', '[]'], '--claims must be a JSON object'],
    ['claims that are no JSON', [...url, '--audience', 'x', '--claims', '{'], '--claims must be a JSON object'],
    ['a time that is no number', [...url, '--audience', 'x', '--outage', '5s'], '--outage must be a whole number'],
    ['an argument', [...url, '--audience', 'x', 'http://a.example'], 'drill takes options only'],
    ['a misspelt option', [...url, '--audiense', 'x'], 'did you mean --audience?'],
  ])('ends with 2 and says why: %s', async (_, args, message) => {
    const { code, stdout, stderr } = await runCli(['drill', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('ends with 2 where the port of the issuer is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    const { code, stderr } = await runCli(['drill', ...url, '--audience', 'x', '--algorithm', 'ES256', '--port', port])
    server.close()
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`cannot listen on port ${port}`),
    })
  })
})
