import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeal } from '../../src/stores/integrity.ts'

const [oldKey, newKey] = ['o'.repeat(32), 'n'.repeat(32)]
const payload = { kind: 'snapshot', text: 'ü', list: [1, null] }

function base64url(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

describe('a seal with a key', () => {
  const seal = createSeal([newKey, oldKey])

  it('is HMAC-SHA256 over version, end and payload, with the first key', () => {
    const sealed = seal.seal(payload, null)
    const mac = createHmac('sha256', newKey).update(`1\nnull\n${sealed.payload}`).digest('base64url')
    expect(sealed).toEqual({
      version: 1,
      payload: JSON.stringify(payload),
      keepUntil: null,
      integrity: `hmac-sha256:${mac}`,
    })
  })

  it.each([newKey, oldKey])('opens what either key has sealed, and says if that was the one that signs now', (key) => {
    expect(seal.open(createSeal([key]).seal(payload, null))).toEqual({ ok: true, payload, isCurrent: key === newKey })
  })

  it.each<[string, readonly string[]]>([
    ['another key', ['x'.repeat(32)]],
    ['no key', []],
  ])('refuses what was sealed with %s', (_, keys) => {
    expect(seal.open(createSeal(keys).seal(payload, null))).toEqual({ ok: false, reason: 'integrity' })
  })

  it('opens any JSON value as it was, through any number of JSON round trips', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const stored = JSON.parse(JSON.stringify(JSON.parse(JSON.stringify(seal.seal(value, null)))))
        expect(seal.open(stored)).toEqual({ ok: true, payload: JSON.parse(JSON.stringify(value)), isCurrent: true })
      }),
    )
  })

  it('refuses any change of any member', () => {
    const sealed = seal.seal(payload, null)
    const members = ['payload', 'integrity'] as const
    fc.assert(
      fc.property(
        fc.constantFrom(...members),
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 2 }),
        (member, at, text) => {
          const position = at % (sealed[member].length + 1)
          const changed = sealed[member].slice(0, position) + text + sealed[member].slice(position + text.length)
          fc.pre(changed !== sealed[member])
          expect(seal.open({ ...sealed, [member]: changed })).toEqual({ ok: false, reason: 'integrity' })
        },
      ),
    )
    const { reason } = Object(seal.open({ ...sealed, keepUntil: undefined }))
    expect(reason).toBe('malformed')
  })

  it.each([0, 1_735_689_600_000, '2025-01-01T00:00:00.000Z'])('refuses another end: %s', (keepUntil) => {
    expect(seal.open({ ...seal.seal(payload, null), keepUntil }).ok).toBe(false)
  })

  it('refuses the same bytes in another spelling of base64', () => {
    const sealed = seal.seal(payload, null)
    for (const integrity of [`${sealed.integrity}=`, ` ${sealed.integrity}`, sealed.integrity.toUpperCase()]) {
      expect(seal.open({ ...sealed, integrity })).toEqual({ ok: false, reason: 'integrity' })
    }
  })

  it('refuses a plain hash in the place of a MAC', () => {
    const { payload: text } = seal.seal(payload, null)
    const forged = { version: 1, payload: text, keepUntil: null, integrity: `sha256:${base64url(`1\nnull\n${text}`)}` }
    expect(createSeal([]).open(forged)).toEqual({ ok: true, payload, isCurrent: true })
    expect(seal.open(forged)).toEqual({ ok: false, reason: 'integrity' })
  })
})

describe('a seal without a key', () => {
  const seal = createSeal([])

  it('finds out accidents', () => {
    const sealed = seal.seal(payload, null)
    expect(sealed.integrity).toBe(`sha256:${base64url(`1\nnull\n${sealed.payload}`)}`)
    expect(seal.open(sealed)).toEqual({ ok: true, payload, isCurrent: true })
    expect(seal.open({ ...sealed, payload: `${sealed.payload} ` })).toEqual({ ok: false, reason: 'integrity' })
  })

  it('does not believe a MAC that it cannot check', () => {
    expect(seal.open(createSeal([oldKey]).seal(payload, null))).toEqual({ ok: false, reason: 'integrity' })
  })
})

describe('what is no snapshot', () => {
  it.each([
    null,
    'text',
    7,
    [],
    {},
    { version: '1' },
    { version: 1 },
    { version: 1, payload: 1, keepUntil: null, integrity: 'sha256:' },
    { version: 1, payload: '{}', keepUntil: {}, integrity: 'sha256:' },
    { version: 1, payload: '{}', keepUntil: 1.5, integrity: 'sha256:' },
    { version: 1, payload: '{}', keepUntil: null, integrity: null },
  ])('is malformed: %j', (value) => {
    expect(createSeal([]).open(value)).toEqual({ ok: false, reason: 'malformed' })
  })

  it.each([0, 2, 1.5, -1])('is of another version: %d', (version) => {
    expect(createSeal([]).open({ ...createSeal([]).seal(payload, null), version })).toEqual({
      ok: false,
      reason: 'version',
    })
  })

  it('is malformed where the payload is sealed and no JSON', () => {
    const text = '{"kind":'
    const sealed = { version: 1, payload: text, keepUntil: null, integrity: `sha256:${base64url(`1\nnull\n${text}`)}` }
    expect(createSeal([]).open(sealed)).toEqual({ ok: false, reason: 'malformed' })
  })

  it('never throws and never opens, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (value) => {
        expect(createSeal([oldKey]).open(value).ok).toBe(false)
      }),
    )
  })
})
