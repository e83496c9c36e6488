import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSnapshotSigner } from '../../src/stores/integrity.ts'

const [oldKey, newKey] = ['o'.repeat(32), 'n'.repeat(32)]
const payload = { kind: 'snapshot', text: 'ü', list: [1, null] }

function base64url(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

describe('a signer with a key', () => {
  const signer = createSnapshotSigner([newKey, oldKey])

  it('is HMAC-SHA256 over version, end and payload, with the first key', () => {
    const signed = signer.sign(payload, null)
    const mac = createHmac('sha256', newKey).update(`1\nnull\n${signed.payload}`).digest('base64url')
    expect(signed).toEqual({
      version: 1,
      payload: JSON.stringify(payload),
      keepUntil: null,
      integrity: `hmac-sha256:${mac}`,
    })
  })

  it.each([newKey, oldKey])(
    'verifies what either key has signed, and says whether that was the one that signs now',
    (key) => {
      expect(signer.verify(createSnapshotSigner([key]).sign(payload, null))).toEqual({
        ok: true,
        payload,
        isCurrent: key === newKey,
      })
    },
  )

  it.each<[string, readonly string[]]>([
    ['another key', ['x'.repeat(32)]],
    ['no key', []],
  ])('refuses what was signed with %s', (_, keys) => {
    expect(signer.verify(createSnapshotSigner(keys).sign(payload, null))).toEqual({ ok: false, reason: 'integrity' })
  })

  it('opens any JSON value as it was, through any number of JSON round trips', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const stored = JSON.parse(JSON.stringify(JSON.parse(JSON.stringify(signer.sign(value, null)))))
        expect(signer.verify(stored)).toEqual({ ok: true, payload: JSON.parse(JSON.stringify(value)), isCurrent: true })
      }),
    )
  })

  it('refuses any change of any member', () => {
    const signed = signer.sign(payload, null)
    const members = ['payload', 'integrity'] as const
    fc.assert(
      fc.property(
        fc.constantFrom(...members),
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 2 }),
        (member, at, text) => {
          const position = at % (signed[member].length + 1)
          const changed = signed[member].slice(0, position) + text + signed[member].slice(position + text.length)
          fc.pre(changed !== signed[member])
          expect(signer.verify({ ...signed, [member]: changed })).toEqual({ ok: false, reason: 'integrity' })
        },
      ),
    )
    const { reason } = Object(signer.verify({ ...signed, keepUntil: undefined }))
    expect(reason).toBe('malformed')
  })

  it.each([0, 1_735_689_600_000, '2025-01-01T00:00:00.000Z'])('refuses another end: %s', (keepUntil) => {
    expect(signer.verify({ ...signer.sign(payload, null), keepUntil }).ok).toBe(false)
  })

  it('refuses the same bytes in another spelling of base64', () => {
    const signed = signer.sign(payload, null)
    for (const integrity of [`${signed.integrity}=`, ` ${signed.integrity}`, signed.integrity.toUpperCase()]) {
      expect(signer.verify({ ...signed, integrity })).toEqual({ ok: false, reason: 'integrity' })
    }
  })

  it('refuses a plain hash in the place of a MAC', () => {
    const { payload: text } = signer.sign(payload, null)
    const forged = { version: 1, payload: text, keepUntil: null, integrity: `sha256:${base64url(`1\nnull\n${text}`)}` }
    expect(createSnapshotSigner([]).verify(forged)).toEqual({ ok: true, payload, isCurrent: true })
    expect(signer.verify(forged)).toEqual({ ok: false, reason: 'integrity' })
  })
})

describe('a signer without a key', () => {
  const signer = createSnapshotSigner([])

  it('finds out accidents', () => {
    const signed = signer.sign(payload, null)
    expect(signed.integrity).toBe(`sha256:${base64url(`1\nnull\n${signed.payload}`)}`)
    expect(signer.verify(signed)).toEqual({ ok: true, payload, isCurrent: true })
    expect(signer.verify({ ...signed, payload: `${signed.payload} ` })).toEqual({ ok: false, reason: 'integrity' })
  })

  it('does not believe a MAC that it cannot check', () => {
    expect(signer.verify(createSnapshotSigner([oldKey]).sign(payload, null))).toEqual({
      ok: false,
      reason: 'integrity',
    })
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
    expect(createSnapshotSigner([]).verify(value)).toEqual({ ok: false, reason: 'malformed' })
  })

  it.each([0, 2, 1.5, -1])('is of another version: %d', (version) => {
    expect(createSnapshotSigner([]).verify({ ...createSnapshotSigner([]).sign(payload, null), version })).toEqual({
      ok: false,
      reason: 'version',
    })
  })

  it('is malformed where the payload is signed and no JSON', () => {
    const text = '{"kind":'
    const signed = { version: 1, payload: text, keepUntil: null, integrity: `sha256:${base64url(`1\nnull\n${text}`)}` }
    expect(createSnapshotSigner([]).verify(signed)).toEqual({ ok: false, reason: 'malformed' })
  })

  it('never throws and never opens, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (value) => {
        expect(createSnapshotSigner([oldKey]).verify(value).ok).toBe(false)
      }),
    )
  })
})
