import { createAuthenticator, createRegistry, tenantFromHeader } from '@jwks-auth/core'
import { describe, expect, it } from 'vitest'
import {
  requestOptionTable,
  tenantOptionTable,
  tokenCacheTable,
} from '../../packages/core/src/auth/check-auth-options.ts'
import { claimRuleTable } from '../../packages/core/src/auth/claim-rules.ts'
import { protectedResourceTable } from '../../packages/core/src/auth/protected-resource.ts'
import type { Option } from '../../packages/core/src/base/options.ts'
import { registryEventTypes } from '../../packages/core/src/jwks-cache/cache-events.ts'
import { retryOptionTable } from '../../packages/core/src/jwks-cache/cache-options.ts'
import { providerOptionTable } from '../../packages/core/src/registry/provider-options.ts'
import { providerKeyTable, providerLocationTable } from '../../packages/core/src/registry/registration.ts'
import { registryOptionTable } from '../../packages/core/src/registry/registry-options.ts'
import { tenantCacheTable } from '../../packages/core/src/tenants/tenant-lookup.ts'
import { compileExamples } from './examples.ts'
import { brokenLinks, examplesIn, markdownFiles, relativeLinks, repositoryUrl, tableRows } from './markdown.ts'
import { readRepository } from './source-file.ts'

const repository = readRepository()
const documents = new Map(markdownFiles(repository).map(({ path, text }) => [path, text]))

/** The rows of a document's section, with the names that stand in their first cell. */
function rowsOf(path: string, section: string) {
  return tableRows(documents.get(path) ?? '')
    .filter((row) => row.section === section)
    .map(({ cells }) => ({ cells, names: [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name) }))
}

/** The options of a section of docs/options.md: the rows whose first cell is names and nothing else. */
function optionsOf(section: string) {
  return rowsOf('docs/options.md', section)
    .filter(({ cells }) => /^`[^`]+`(?:, `[^`]+`)*$/.test(cells[0] ?? ''))
    .flatMap(({ cells, names }) => names.map((name) => ({ name, default: cells[1] ?? '', bounds: cells[3] ?? '' })))
}

/** The message of what a function throws or rejects with. */
async function messageOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

/** Those of these names that an entry point does not know, each given a value of the wrong type. */
async function unknownTo(names: readonly string[], work: (wrong: never) => unknown): Promise<string[]> {
  const messages = await Promise.all(names.map((name) => messageOf(() => work({ [name]: Symbol('wrong') } as never))))
  return names.filter((_, index) => messages[index]?.includes('has no option') ?? true)
}

/** The tables of docs/options.md by section. Where several are in one section, the names differ. */
const optionTables: Readonly<Record<string, Readonly<Record<string, Option<unknown>>>>> = {
  Names: providerKeyTable,
  'Where a provider is': providerLocationTable,
  Tenants: tenantOptionTable,
  'Claim rules': claimRuleTable,
  'Request options': requestOptionTable,
  'Provider options': providerOptionTable,
  'Retry policy': retryOptionTable,
  'Token cache': tokenCacheTable,
  'Tenant cache': tenantCacheTable,
  'Registry options': registryOptionTable,
  'Protected resource metadata': protectedResourceTable,
}

/** Options of `jwksAuth` that have no table: a registry is checked by itself, and the adapter for Fastify has one option. */
const otherOptions: Readonly<Record<string, readonly string[]>> = {
  'Registry options': ['registry'],
  'Fastify only': ['global'],
}

describe('docs/options.md', () => {
  const provider = { issuer: 'https://issuer.example', audience: 'api' }
  const sections = [...new Set([...Object.keys(optionTables), ...Object.keys(otherOptions)])]

  it.each(sections)('has one row for each option under %s, and no other', (section) => {
    const names = [...Object.keys(optionTables[section] ?? {}), ...(otherOptions[section] ?? [])]
    const documented = optionsOf(section).map(({ name }) => name)
    expect(documented.toSorted()).toEqual(names.toSorted())
  })

  const rows = Object.entries(optionTables).flatMap(([section, table]) =>
    optionsOf(section).flatMap((row) => {
      const option = table[row.name]
      return option === undefined ? [] : [{ ...row, section, option }]
    }),
  )

  const literals = rows.filter(({ default: cell }) => isLiteral(cell))
  const described = rows.filter(({ default: cell }) => !isLiteral(cell))
  const required = rows.filter(({ option }) => !Object.hasOwn(option, 'default'))

  it.each(literals)('gives the default of $name under $section', ({ default: cell, option }) => {
    expect(option.default).toEqual(literal(cell))
  })

  it.each(described)('describes the default of $name under $section, which is no word or number', ({ option }) => {
    expect(['number', 'boolean', 'string']).not.toContain(typeof option.default)
  })

  it.each(required)('says that $name under $section is required', ({ default: cell }) => {
    expect(cell).toMatch(/^required/)
  })

  const numbers = rows.filter(({ option }) => option.bounds !== undefined)

  it.each(numbers)('gives the bounds of $name under $section, and they hold', ({ name, bounds: cell, option }) => {
    const { min, max = Number.MAX_SAFE_INTEGER } = option.bounds ?? { min: Number.NaN }
    expect(rangeOf(cell)).toEqual({ min, max })
    for (const value of [min, max]) expect(option.check(name, value)).toBe(value)
    for (const value of [min - 1, max + 1]) expect(() => option.check(name, value)).toThrow(`${name} must be a whole`)
  })

  it.each(rows.filter(({ option }) => option.choices !== undefined))(
    'gives the values of $name under $section',
    ({ bounds: cell, option }) => {
      expect([...cell.matchAll(/`'([^`]+)'`/g)].map(([, word]) => word)).toEqual(option.choices)
    },
  )

  it('is compared with all that tables say', () => {
    expect(literals.length).toBeGreaterThan(35)
    expect(numbers.length).toBeGreaterThan(25)
  })

  const namesIn = (...titles: readonly string[]) => titles.flatMap((title) => optionsOf(title).map(({ name }) => name))

  it('has no option that the entry points do not know', async () => {
    const accepted = namesIn('Where a provider is', 'Claim rules', 'Provider options', 'Request options', 'Tenants')
    expect(await unknownTo(accepted, (wrong) => createAuthenticator(wrong))).toEqual([])
    const ofRegistry = namesIn('Registry options').filter((name) => name !== 'registry')
    expect(await unknownTo(ofRegistry, (wrong) => createRegistry(wrong))).toEqual([])
    const ofRegistration = namesIn('Names', 'Where a provider is', 'Provider options')
    expect(await unknownTo(ofRegistration, (wrong) => createRegistry().register(wrong))).toEqual([])
    const cache = (tokenCache: never) => createAuthenticator({ ...provider, tokenCache })
    expect(await unknownTo(namesIn('Token cache'), cache)).toEqual([])
    const tenant = tenantFromHeader('x-tenant')
    const tenantCache = (bounds: never) =>
      createAuthenticator({ tenants: () => undefined, tenant, audience: 'api', tenantCache: bounds })
    expect(await unknownTo(namesIn('Tenant cache'), tenantCache)).toEqual([])
    const retries = (retryPolicy: never) => createRegistry({ defaults: { retryPolicy } })
    expect(await unknownTo(namesIn('Retry policy'), retries)).toEqual([])
    expect(await unknownTo(['nonsense'], retries)).toEqual(['nonsense'])
  })
})

describe('docs/caching.md', () => {
  it('has one row for each event, and no other', () => {
    const names = rowsOf('docs/caching.md', 'Events').flatMap((row) => row.names.slice(0, 1))
    expect(names.toSorted()).toEqual([...registryEventTypes].toSorted())
  })

  it('has one row for each member of a status, and no other', async () => {
    const registry = createRegistry()
    await registry.register({ tenant: 'acme', provider: 'main', issuer: 'https://issuer.example' })
    const members = rowsOf('docs/caching.md', 'Status').filter(({ cells }) => cells.length === 2)
    const names = members.flatMap((row) => row.names)
    expect(names.toSorted()).toEqual(Object.keys(registry.status('acme', 'main')).toSorted())
    await registry.close()
  })
})

describe('docs/architecture.md', () => {
  it('names files that exist', () => {
    const text = documents.get('docs/architecture.md') ?? ''
    const named = [...text.matchAll(/`((?:[\w-]+\/)*[\w-]+\.ts)`/g)].map(([, path = '']) => path)
    const paths = new Set(repository.map(({ path }) => path))
    expect(named.filter((name) => !paths.has(name) && !paths.has(`packages/core/src/${name}`))).toEqual([])
    expect(named.length).toBeGreaterThan(50)
  })
})

describe('SECURITY.md', () => {
  const text = documents.get('SECURITY.md') ?? ''
  const named = [...text.matchAll(/`((?:test|packages)\/[\w./-]+)`/g)].map(([, path = '']) => path)

  it('names tests that exist', () => {
    const paths = repository.map(({ path }) => path)
    expect(named.filter((name) => !paths.some((path) => path === name || path.startsWith(`${name}/`)))).toEqual([])
    expect(named.length).toBeGreaterThan(30)
  })

  it('names a test for every attacker', () => {
    const attackers = tableRows(text).filter(({ section }) => section === 'Attackers')
    expect(attackers).toHaveLength(6)
    for (const { cells } of attackers) expect(cells[4]).toMatch(/`(?:test|packages)\//)
  })
})

describe('links between documents', () => {
  it('lead to files and headings that exist', () => {
    expect(brokenLinks(repository)).toEqual([])
  })

  it.each(['b.md', '../c.md', 'a.md#none', '#none', 'd/', '../docs#a'])('are found broken: %s', (link) => {
    const files = [{ path: 'docs/a.md', text: `# A\n[b](${link})` }]
    expect(brokenLinks(files)).toEqual([`docs/a.md links to ${link}`])
  })

  it.each(['a.md', '../docs/a.md#a-b', '#a-b', '../docs/', '../docs', 'https://example.com/b.md', 'mailto:a@b'])(
    'may be %s',
    (link) => {
      expect(brokenLinks([{ path: 'docs/a.md', text: `# \`A\` b\n[b](${link})` }])).toEqual([])
    },
  )

  it.each(['blob/main/docs/b.md', 'blob/main/docs', 'tree/main/docs/a.md', 'tree/main/d', 'blob/v1/docs/a.md', 'wiki'])(
    'are found broken on GitHub: %s',
    (path) => {
      const files = [{ path: 'docs/a.md', text: `# A\n[b](${repositoryUrl}/${path})` }]
      expect(brokenLinks(files)).toEqual([`docs/a.md links to ${repositoryUrl}/${path}`])
    },
  )

  it.each(['blob/main/docs/a.md', 'blob/main/docs/a.md#a', 'tree/main/docs', 'tree/main/docs/'])(
    'may be on GitHub: %s',
    (path) => {
      expect(brokenLinks([{ path: 'docs/a.md', text: `# A\n[b](${repositoryUrl}/${path})` }])).toEqual([])
    },
  )

  it('may lead to an anchor that is written out', () => {
    expect(brokenLinks([{ path: 'a.md', text: '[b](#b-1)\n<a id="b-1"></a>\n' }])).toEqual([])
  })

  it('are not looked for in code', () => {
    expect(brokenLinks([{ path: 'a.md', text: '```ts\nconst a = [b](c)\n```\n' }])).toEqual([])
  })
})

describe('the README of a package', () => {
  const readmes = [...documents].filter(([path]) => /^packages\/[^/]+\/README\.md$/.test(path))

  it('has absolute links to other files, so that they work on npm', () => {
    expect(readmes.length).toBeGreaterThanOrEqual(12)
    expect(readmes.flatMap(([path, text]) => relativeLinks({ path, text }))).toEqual([])
  })

  it.each(['[a](../b.md)', '![a](b.png)', '[a]: ../b.md', '<img src="b.png">', '[a](/b.md)'])(
    'is found to have a relative one: %s',
    (text) => {
      expect(relativeLinks({ path: 'a.md', text })).toEqual([expect.stringMatching(/^a\.md links to .*b\.(?:md|png)$/)])
    },
  )

  it('may have links to web sites and to its own headings', () => {
    expect(relativeLinks({ path: 'a.md', text: '[a](#b) [c](https://example.com/d)' })).toEqual([])
  })

  it('links to the API reference of each entry point', () => {
    const pages = repository.flatMap(({ path }) => /^docs\/api\/(?!README).+\.md$/.exec(path) ?? [])
    const missing = pages.filter((page) => {
      const [, folder = ''] = /^docs\/api\/([^/.]+)/.exec(page) ?? []
      return !documents.get(`packages/${folder}/README.md`)?.includes(`(${repositoryUrl}/blob/main/${page})`)
    })
    expect(missing).toEqual([])
    expect(pages.length).toBeGreaterThanOrEqual(14)
  })

  it.each(readmes)('is in the repository that its manifest names: %s', (path) => {
    const { text = '{}' } = repository.find((file) => file.path === path.replace('README.md', 'package.json')) ?? {}
    expect(JSON.parse(text)).toMatchObject({ repository: { url: `git+${repositoryUrl}.git` } })
  })
})

describe('examples in documents', () => {
  // Those of the adapters change global types, so each README is compiled by itself, in test/contract.
  // Signatures in docs/api are generated from sources that the compiler has checked, and are no programs.
  // Those of docs/migrating.md use libraries that change them, too: test/migrating.
  const paths = [...documents.keys()].filter((path) =>
    /^(?:README|docs\/(?!migrating|nestjs\.)[^/]+|packages\/(?:core|opentelemetry|prometheus|redis)\/README)\.md$/.test(
      path,
    ),
  )
  const examples = paths.flatMap((path) =>
    examplesIn(documents.get(path) ?? '').map((code, index) => ({ name: `${path}, example ${index + 1}`, code })),
  )

  // The compiler takes all the time that it gets.
  it('compile', { timeout: 60_000 }, () => {
    const found = compileExamples(examples.map(({ code }) => code))
    const failures = found.flatMap((messages, index) => messages.map((text) => `${examples[index]?.name}: ${text}`))
    expect(failures).toEqual([])
    expect(new Set(examples.map(({ name }) => name.split(',')[0]))).toContain('packages/core/README.md')
  })

  it('do not compile when they are wrong', () => {
    const misspelt = "import { createRegistry } from '@jwks-auth/core'\ncreateRegistry({ maxProvider: 1 })"
    expect(compileExamples([misspelt])).toEqual([[expect.stringContaining('maxProvider')]])
  })
})

/** True for a cell that is one value and nothing else. */
function isLiteral(cell: string): boolean {
  return /^`[^`]+`$/.test(cell)
}

/** What a cell such as `30_000`, `'active'` or `[]` stands for. */
function literal(cell: string): unknown {
  const text = cell.slice(1, -1)
  if (/^[\d_]+$/.test(text)) return Number(text.replaceAll('_', ''))
  return JSON.parse(text.replaceAll("'", '"'))
}

/** The bounds in a cell such as `0 to 10`, `1_000 to 10 years` or `1 or more`. */
function rangeOf(cell: string): { readonly min: number; readonly max: number } | undefined {
  const [, min, max] = /^([\d_]+) (?:to ([\d_]+(?: years)?)|or more)$/.exec(cell) ?? []
  if (min === undefined) return undefined
  const upper = max === undefined ? Number.MAX_SAFE_INTEGER : numberOf(max)
  return { min: numberOf(min), max: max === '10 years' ? 315_360_000_000 : upper }
}

function numberOf(text: string): number {
  return Number(text.replaceAll('_', '').replace(' years', ''))
}
