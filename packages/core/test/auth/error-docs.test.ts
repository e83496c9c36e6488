import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { refusalRows } from '../../src/auth/refusal.ts'
import { RequestRefusedError } from '../../src/base/errors/jwks-auth-error.ts'
import type { ErrorCode } from '../../src/index.ts'
import { errorOfCode } from '../base/error-classes.ts'

const text = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| `ERR_'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
const codes = Object.keys(errorOfCode) as ErrorCode[]

function statusOf(code: ErrorCode): string {
  return String(refusalRows[code]?.status ?? 'none')
}

describe('docs/errors.md', () => {
  it('has one row for each code, and no other', () => {
    expect(rows.map(([code]) => code).toSorted()).toEqual(codes.toSorted())
  })

  it.each(codes)('names the class and the status of %s, and says what to do', (code) => {
    const [, name, status, cause, advice] = rows.find(([named]) => named === code) ?? []
    expect({ name, status }).toEqual({ name: errorOfCode[code]().name, status: statusOf(code) })
    expect(cause).not.toBe('')
    expect(advice).toBeTruthy()
  })
})

describe('the table of responses', () => {
  it('has a row for each error that refuses a request, so that none is answered with 503 by mistake', () => {
    const refusals = codes.filter((code) => errorOfCode[code]() instanceof RequestRefusedError)
    expect(refusals.length).toBeGreaterThan(20)
    expect(refusals.filter((code) => refusalRows[code] === undefined)).toEqual([])
  })
})
