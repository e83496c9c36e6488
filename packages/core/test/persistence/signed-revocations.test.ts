import { describe, expect, it } from 'vitest'
import type { Revocation } from '../../src/jwks-cache/usable-keys.ts'
import {
  readRevocation,
  readRevocationList,
  revocationListPayload,
  revocationPayload,
} from '../../src/persistence/revocation-records.ts'
import { createSnapshotSigner } from '../../src/stores/integrity.ts'

const key = { tenant: 'acme', provider: 'main' }
const record: Revocation = { id: '0123456789abcdef'.repeat(2), kid: 'a', thumbprints: ['x', 'y'], isLifted: false }
const lifted: Revocation = { ...record, id: 'f'.repeat(32), thumbprints: [], isLifted: true }
const signer = createSnapshotSigner(['a secret of thirty-two bytes or more'])

/** A payload as a store returns it: signed, through JSON, and verified. */
function verified(payload: unknown) {
  return signer.verify(JSON.parse(JSON.stringify(signer.sign(payload, null))))
}

const badRecords: readonly (readonly [string, unknown])[] = [
  ['nothing', undefined],
  ['null', null],
  ['text', 'revoked'],
  ['a list', [record]],
  ['no id', { ...record, id: undefined }],
  ['an id that is too short', { ...record, id: 'abc' }],
  ['an id in capitals', { ...record, id: 'F'.repeat(32) }],
  ['an id with a line feed behind it', { ...record, id: `${record.id}\n` }],
  ['an id that leads out of a directory', { ...record, id: `../${'a'.repeat(29)}` }],
  ['no kid', { ...record, kid: undefined }],
  ['a kid that is a number', { ...record, kid: 7 }],
  ['no thumbprints', { ...record, thumbprints: undefined }],
  ['thumbprints that are text', { ...record, thumbprints: 'x' }],
  ['a thumbprint that is a number', { ...record, thumbprints: ['x', 7] }],
  ['no isLifted', { ...record, isLifted: undefined }],
  ['an isLifted that is a number', { ...record, isLifted: 0 }],
]

const badKeys: readonly (readonly [string, unknown])[] = [
  ['missing', undefined],
  ['a tenant without provider', { tenant: 'acme' }],
  ['an invalid name', { tenant: 'acme', provider: '../x' }],
  ['an internal name', { tenant: 'acme', provider: '.revoked.main' }],
  ['a name that is too long', { tenant: 'a'.repeat(65), provider: 'main' }],
  ['a list', ['acme', 'main']],
]

describe('readRevocation', () => {
  it.each([record, lifted])('reads what was written', (written) => {
    expect(readRevocation(verified(revocationPayload(key, written)))).toEqual({ key, record: written, isCurrent: true })
  })

  it.each(badRecords)('refuses a record with %s', (_, wrong) => {
    expect(readRevocation(verified({ kind: 'revocation', key, record: wrong }))).toBeUndefined()
  })

  it.each(badKeys)('refuses a record whose provider is %s', (_, wrong) => {
    expect(readRevocation(verified({ kind: 'revocation', key: wrong, record }))).toBeUndefined()
  })

  it.each(['revocations', 'snapshot', 'refused', undefined])('refuses another kind of signed payload: %s', (kind) => {
    expect(readRevocation(verified({ kind, key, record }))).toBeUndefined()
  })

  it.each([null, [], 'text', 7])('refuses the payload %j', (payload) => {
    expect(readRevocation(verified(payload))).toBeUndefined()
  })

  it('refuses a payload whose signature is wrong', () => {
    const other = createSnapshotSigner(['another secret of thirty-two bytes'])
    expect(readRevocation(other.verify(signer.sign(revocationPayload(key, record), null)))).toBeUndefined()
    expect(readRevocation(signer.verify(undefined))).toBeUndefined()
  })
})

describe('readRevocationList', () => {
  it.each([[[]], [[record]], [[record, lifted]]])('reads what was written', (written) => {
    const stored = written.map((one) => ({ key, record: one, isCurrent: true }))
    expect(readRevocationList(verified(revocationListPayload(key, written)), key)).toEqual(stored)
  })

  it.each([
    { tenant: 'globex', provider: 'main' },
    { tenant: 'acme', provider: 'other' },
    { tenant: 'ACME', provider: 'main' },
  ])('refuses the list of %j', (other) => {
    expect(readRevocationList(verified(revocationListPayload(other, [record])), key)).toBeUndefined()
  })

  it.each(badRecords)('is read without a record that has %s', (_, wrong) => {
    const list = verified({ kind: 'revocations', key, records: [record, wrong, lifted] })
    expect(readRevocationList(list, key)?.map((stored) => stored.record)).toEqual([record, lifted])
  })

  it.each([undefined, null, record, 'text'])('refuses %j in place of a list', (records) => {
    expect(readRevocationList(verified({ kind: 'revocations', key, records }), key)).toBeUndefined()
  })

  it.each(['revocation', 'snapshot', undefined])('refuses another kind of signed payload: %s', (kind) => {
    expect(readRevocationList(verified({ kind, key, records: [record] }), key)).toBeUndefined()
  })

  it('refuses a payload whose signature is wrong', () => {
    const other = createSnapshotSigner([])
    expect(
      readRevocationList(other.verify(signer.sign(revocationListPayload(key, [record]), null)), key),
    ).toBeUndefined()
  })
})
