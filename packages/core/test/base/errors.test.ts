import { describe, expect, it } from 'vitest'
import * as core from '../../src/index.ts'
import { JwksAuthError, RequestNotAuthenticatedError, RequestRefusedError } from '../../src/index.ts'
import { errorOfCode } from './error-classes.ts'

const codes = Object.keys(errorOfCode) as (keyof typeof errorOfCode)[]

/** Every class of a specific error that the package exports: not the two bases, nor the public form of refusals. */
function exportedClasses(): readonly string[] {
  const bases: readonly unknown[] = [JwksAuthError, RequestRefusedError, RequestNotAuthenticatedError]
  return Object.entries(core)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof JwksAuthError)
    .filter(([, value]) => !bases.includes(value))
    .map(([name]) => name)
}

describe.each(codes)('the error of %s', (code) => {
  it('carries the code, and the name that it is exported by', () => {
    const error = errorOfCode[code]()
    expect(error.code).toBe(code)
    expect(error.name).toBe(error.constructor.name)
    expect(exportedClasses()).toContain(error.name)
  })

  it('is told from other errors by its base class', () => {
    expect(errorOfCode[code]()).toBeInstanceOf(JwksAuthError)
    expect(errorOfCode[code]()).toBeInstanceOf(Error)
  })

  it('keeps its cause', () => {
    const cause = new Error('cause')
    expect(errorOfCode[code]({ cause }).cause).toBe(cause)
  })
})

describe('error classes', () => {
  it('are one for each code', () => {
    const names = codes.map((code) => errorOfCode[code]().name)
    expect(new Set(names).size).toBe(codes.length)
    expect(exportedClasses().toSorted()).toEqual(names.toSorted())
  })

  it('that refuse a request have no stack frames, and the others do', () => {
    for (const code of codes) {
      const error = errorOfCode[code]()
      expect(/\n\s+at /.test(error.stack ?? ''), code).toBe(!(error instanceof RequestRefusedError))
    }
  })

  it('that have no stack frames leave other errors theirs', () => {
    errorOfCode.ERR_TOKEN_MISSING()
    expect(new Error('other').stack).toMatch(/\n\s+at /)
  })
})
