import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { compileExamples } from '../architecture/examples.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

function examplesOf(adapter: string): readonly string[] {
  const text = readFileSync(`${root}packages/${adapter}/README.md`, 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
}

describe.each(['express', 'koa', 'fastify'])('the README of %s', (adapter) => {
  it('has examples, and all compile', () => {
    const examples = examplesOf(adapter)
    expect(examples.length).toBeGreaterThanOrEqual(6)
    expect(compileExamples(examples, `packages/${adapter}/test`)).toEqual(examples.map(() => []))
  })
})

describe('an example that is wrong', () => {
  it('does not compile', () => {
    const misspelt = [
      "import { jwksAuth } from '@jwks-auth/express'\njwksAuth({ issuer: 'a', audience: 'b', realms: 'c' })",
      "import { jwksAuht } from '@jwks-auth/express'\njwksAuht()",
    ]
    expect(compileExamples(misspelt, 'packages/express/test')).toEqual([
      [expect.stringContaining('realms')],
      [expect.stringContaining('jwksAuht')],
    ])
  })
})
