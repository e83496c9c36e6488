import { readdir } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileStore, type ProviderKey } from '../../src/index.ts'
import { refusedName, revocationName, snapshotName } from '../../src/stores/file-names.ts'
import { acme, acmeFile, partsOf, snapshotOf, temporaryDirectory } from './store-scene.ts'

const identifier = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/)
const key: fc.Arbitrary<ProviderKey> = fc.record({
  tenant: identifier,
  provider: fc
    .tuple(fc.constantFrom('', '.revoked.', '.refused.', '.refused..revoked.'), identifier)
    .map(([word, name]) => word + name),
})
/** A key, and one that only differs in case or in where the tenant ends. */
const twins = key.chain(({ tenant, provider }) =>
  fc.constantFrom<[ProviderKey, ProviderKey]>(
    [
      { tenant, provider },
      { tenant: tenant.toUpperCase(), provider },
    ],
    [
      { tenant, provider },
      { tenant, provider: provider.replace(/[^.]+$/, (name) => name.toUpperCase()) },
    ],
    [
      { tenant: tenant.slice(0, 20), provider: `x-${provider.slice(-20).replace(/^\.+/, '')}` },
      { tenant: `${tenant.slice(0, 20)}-x`, provider: `x${provider.slice(-20).replace(/^\.+/, '')}` },
    ],
  ),
)

describe('the name of a file', () => {
  it('has safe characters, is short, and is no device name', () => {
    fc.assert(
      fc.property(key, (key) => {
        for (const name of [snapshotName(key), refusedName(key)]) {
          expect(name).toMatch(/^jwks-[a-z0-9_.-]+-[0-9a-f]{32}\.(?:json|refused)$/)
          expect(name.length).toBeLessThanOrEqual(200)
        }
      }),
    )
  })

  it('differs for each key, also on a disk that ignores case', () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(key, key), twins), ([one, other]) => {
        const isSame = one.tenant === other.tenant && one.provider === other.provider
        expect(snapshotName(one).toLowerCase() === snapshotName(other).toLowerCase()).toBe(isSame)
        expect(refusedName(one).toLowerCase() === refusedName(other).toLowerCase()).toBe(isSame)
      }),
    )
  })

  it('stays the same in all versions', () => {
    expect(snapshotName(acme)).toBe(acmeFile)
    expect(snapshotName({ tenant: 'Acme', provider: '.revoked.Auth0' })).toMatch(
      /^jwks-acme-\.revoked\.auth0-[0-9a-f]{32}\.json$/,
    )
    expect(refusedName(acme)).toBe(acmeFile.replace(/json$/, 'refused'))
    expect(revocationName('0'.repeat(32))).toBe(`${'0'.repeat(32)}.json`)
  })
})

const illegal = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a\\b',
  'a\0b',
  'a:b',
  '.hidden',
  'é',
  'a b',
  'a\n',
  'a'.repeat(65),
  '.revoked.',
  '.revoked../x',
  '.removed.a',
  '.REVOKED.a',
  '.refused..refused..refused.a',
  undefined,
  null,
  1,
  ['a'],
]

describe('a key that no registry has made', () => {
  it.each([
    ...illegal.map((tenant) => ({ tenant, provider: 'p' })),
    ...illegal.map((provider) => ({ tenant: 't', provider })),
    { tenant: '.revoked.a', provider: 'p' },
  ])('is rejected and touches nothing: %j', async (key) => {
    const directory = temporaryDirectory()
    const store = fileStore({ directory })
    const { setAside } = partsOf(store)
    for (const [method, ...rest] of [
      [store.load],
      [store.save, snapshotOf('x')],
      [store.delete],
      [setAside],
    ] as const) {
      const called: Promise<unknown> = Reflect.apply(method, store, [key, ...rest])
      await expect(called).rejects.toThrow(TypeError)
    }
    expect(await readdir(directory)).toEqual([])
  })
})

describe('an id of a revocation', () => {
  it.each(['', 'a', '../x', 'A'.repeat(32), 'a'.repeat(33), `${'a'.repeat(32)}\n`, undefined, ['a'.repeat(32)]])(
    'is rejected when it is not 32 hexadecimal digits: %j',
    async (id) => {
      const directory = temporaryDirectory()
      const { revocations } = partsOf(fileStore({ directory }))
      const saved: Promise<unknown> = Reflect.apply(revocations.save, revocations, [id, snapshotOf('x')])
      await expect(saved).rejects.toThrow(TypeError)
      expect(await readdir(directory)).toEqual([])
    },
  )
})
