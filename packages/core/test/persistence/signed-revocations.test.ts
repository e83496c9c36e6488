import { describe, expect, it } from 'vitest'
import type { Revocation } from '../../src/jwks-cache/revocations.ts'
import {
  readRevocation,
  readRevocationList,
  revocationListPayload,
  revocationPayload,
} from '../../src/persistence/signed-revocations.ts'
import { createSeal } from '../../src/stores/integrity.ts'

const key = { tenant: 'acme', provider: 'main' }
const record: Revocation = { id: '0123456789abcdef'.repeat(2), kid: 'a', thumbprints: ['x', 'y'], isLifted: false }
const lifted: Revocation = { ...record, id: 'f'.repeat(32), thumbprints: [], isLifted: true }
const seal = createSeal(['a secret of thirty-two bytes or more'])

/** What comes back from a store. */
function opened(payload: unknown) {
  return seal.open(JSON.parse(JSON.stringify(seal.seal(payload, null))))
}

const noRecords: readonly (readonly [string, unknown])[] = [
  ['nothing', undefined],
  ['null', null],
  ['text', 'revoked'],
  ['a list', [record]],
  ['no id', { ...record, id: undefined }],
  ['an id that is too short', { ...record, id: 'abc' }],
  ['an id in capitals', { ...record, id: 'F'.repeat(32) }],
  ['an id with more behind it', { ...record, id: `${record.id}\n` }],
  ['an id that leads out of a directory', { ...record, id: `../${'a'.repeat(29)}` }],
  ['no kid', { ...record, kid: undefined }],
  ['a kid that is a number', { ...record, kid: 7 }],
  ['no thumbprints', { ...record, thumbprints: undefined }],
  ['thumbprints that are text', { ...record, thumbprints: 'x' }],
  ['a thumbprint that is a number', { ...record, thumbprints: ['x', 7] }],
  ['no word on whether it is lifted', { ...record, isLifted: undefined }],
  ['half a word on whether it is lifted', { ...record, isLifted: 0 }],
]

const noKeys: readonly (readonly [string, unknown])[] = [
  ['nobody', undefined],
  ['a tenant alone', { tenant: 'acme' }],
  ['a name that no provider has', { tenant: 'acme', provider: '../x' }],
  ['a record of the registry', { tenant: 'acme', provider: '.revoked.main' }],
  ['a name that is too long', { tenant: 'a'.repeat(65), provider: 'main' }],
  ['a list', ['acme', 'main']],
]

describe('one record', () => {
  it.each([record, lifted])('is read as it was written', (written) => {
    expect(readRevocation(opened(revocationPayload(key, written)))).toEqual({ key, record: written, isCurrent: true })
  })

  it.each(noRecords)('is none with %s', (_, wrong) => {
    expect(readRevocation(opened({ kind: 'revocation', key, record: wrong }))).toBeUndefined()
  })

  it.each(noKeys)('is none of %s', (_, wrong) => {
    expect(readRevocation(opened({ kind: 'revocation', key: wrong, record }))).toBeUndefined()
  })

  it.each(['revocations', 'snapshot', 'refused', undefined])('is nothing else that was sealed: %s', (kind) => {
    expect(readRevocation(opened({ kind, key, record }))).toBeUndefined()
  })

  it.each([null, [], 'text', 7])('is no payload %j', (payload) => {
    expect(readRevocation(opened(payload))).toBeUndefined()
  })

  it('is none where the seal is broken', () => {
    const other = createSeal(['another secret of thirty-two bytes'])
    expect(readRevocation(other.open(seal.seal(revocationPayload(key, record), null)))).toBeUndefined()
    expect(readRevocation(seal.open(undefined))).toBeUndefined()
  })
})

describe('the list of a provider', () => {
  it.each([[[]], [[record]], [[record, lifted]]])('is read as it was written', (written) => {
    const stored = written.map((one) => ({ key, record: one, isCurrent: true }))
    expect(readRevocationList(opened(revocationListPayload(key, written)), key)).toEqual(stored)
  })

  it.each([
    { tenant: 'globex', provider: 'main' },
    { tenant: 'acme', provider: 'other' },
    { tenant: 'ACME', provider: 'main' },
  ])('is not that of %j', (other) => {
    expect(readRevocationList(opened(revocationListPayload(other, [record])), key)).toBeUndefined()
  })

  it.each(noRecords)('is refused as a whole with %s in it', (_, wrong) => {
    expect(readRevocationList(opened({ kind: 'revocations', key, records: [record, wrong] }), key)).toBeUndefined()
  })

  it.each([undefined, null, record, 'text'])('is no list %j', (records) => {
    expect(readRevocationList(opened({ kind: 'revocations', key, records }), key)).toBeUndefined()
  })

  it.each(['revocation', 'snapshot', undefined])('is nothing else that was sealed: %s', (kind) => {
    expect(readRevocationList(opened({ kind, key, records: [record] }), key)).toBeUndefined()
  })

  it('is none where the seal is broken', () => {
    const other = createSeal([])
    expect(readRevocationList(other.open(seal.seal(revocationListPayload(key, [record]), null)), key)).toBeUndefined()
  })
})
