/**
 * The reference in docs/api, from the TSDoc comments of what each entry point exports: `npm run docs:api` writes it;
 * with `--check` nothing is written, and a page that differs from what would be written is an error. A link that leads
 * nowhere and an export without a comment are errors in both. The same sources give the same pages on every machine:
 * they hold no dates, no versions and no lines of source files.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, Comment, Converter, ParameterReflection, ReferenceReflection, ReferenceType } from 'typedoc'

/** @typedef {{ name: string, source: string, summary: string }} EntryPoint */
/** @typedef {Partial<import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions>} Options */

const root = fileURLToPath(new URL('../..', import.meta.url))
const pages = 'docs/api'
const core = '@jwks-auth/core'

/**
 * What a package exports with types; core is first, because it declares what the others export again.
 *
 * @returns {EntryPoint[]}
 */
function entryPoints() {
  const folders = readdirSync(`${root}packages`).toSorted()
  return ['core', ...folders.filter((folder) => folder !== 'core')].flatMap((folder) => {
    const { name, description, exports } = JSON.parse(readFileSync(`${root}packages/${folder}/package.json`, 'utf8'))
    return Object.entries(exports).flatMap(([path, { types }]) => {
      if (types === undefined) return []
      const source = types.replace(/^\.\/dist\/(.+)\.d\.ts$/, `packages/${folder}/src/$1.ts`)
      return [{ name: name + path.slice(1), source, summary: path === '.' ? `${description}.` : '' }]
    })
  })
}

/**
 * Gives modules the names that applications import, and removes what an adapter exports only because core does.
 *
 * @param {import('typedoc').ProjectReflection} project
 * @param {readonly EntryPoint[]} entries
 */
function arrange(project, entries) {
  project.comment = new Comment([
    text('Generated from the comments in the sources by `npm run docs:api`; `npm run check:api` compares.'),
  ])
  const modules = new Map((project.children ?? []).map((module) => [module.name, module]))
  for (const { name, source, summary } of entries) {
    const module = modules.get(source.replace(/(?:\/index)?\.ts$/, ''))
    if (module === undefined) throw new Error(`TypeDoc has no module for ${source}`)
    module.name = name
    const sentences = [summary].filter((sentence) => sentence !== '')
    if (!name.startsWith(core)) {
      const repeated = (module.children ?? []).filter((child) => isOfCore(child))
      for (const child of repeated) project.removeReflection(child)
      if (repeated.length > 0)
        sentences.push(`Also exports everything of [${core}](core.md), which is not repeated here.`)
    }
    module.comment ??= new Comment([text(sentences.join('\n\n'))])
  }
}

/**
 * Names parameters that are taken apart in the signature, and drops notes of what overrides what: each of fifty errors
 * overrides the constructor of its base class.
 *
 * @param {import('typedoc').ProjectReflection} project
 */
function simplify(project) {
  for (const reflection of Object.values(project.reflections)) {
    if (reflection.isDeclaration() || reflection.isSignature()) delete reflection.overwrites
    if (reflection instanceof ParameterReflection && reflection.name === '__namedParameters') {
      reflection.name = parameterName(reflection.type)
    }
  }
}

/**
 * The name that a parameter gets from its type: `options`, or the type's own name.
 *
 * @param {import('typedoc').SomeType | undefined} type
 */
function parameterName(type) {
  if (!(type instanceof ReferenceType) || /^(?:Omit|Pick)$/.test(type.name)) return 'parts'
  return type.name.endsWith('Options') ? 'options' : type.name.slice(0, 1).toLowerCase() + type.name.slice(1)
}

/** @param {import('typedoc').DeclarationReflection} reflection */
function isOfCore(reflection) {
  if (!(reflection instanceof ReferenceReflection)) return false
  return reflection.getTargetReflection().parent?.name === core
}

/**
 * @param {string} content
 * @returns {import('typedoc').CommentDisplayPart}
 */
function text(content) {
  return { kind: 'text', text: content }
}

/**
 * @param {readonly EntryPoint[]} entries
 * @param {string} folder where the pages go
 * @returns {Options}
 */
function options(entries, folder) {
  return {
    plugin: ['typedoc-plugin-markdown'],
    name: 'API reference',
    entryPoints: entries.map(({ source }) => root + source),
    tsconfig: fileURLToPath(new URL('tsconfig.packages.json', import.meta.url)),
    // `npm run check:types` does this.
    skipErrorChecking: true,
    basePath: root,
    out: folder,
    readme: 'none',
    logLevel: 'Warn',

    disableSources: true,
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    groupOrder: ['Functions', 'Interfaces', 'Type Aliases', 'Variables', 'Classes', '*'],
    sort: ['kind', 'instance-first', 'alphabetical'],

    // Properties are for test/architecture/public-docs.test.ts, which knows which of them need a comment.
    requiredToBeDocumented: ['Enum', 'Variable', 'Function', 'Class', 'Interface', 'Accessor', 'TypeAlias'],
    intentionallyNotDocumented: [`${core}.ClaimsOf.__type.authenticator.__type.authenticate`],
    packagesRequiringDocumentation: entries.map(({ name }) => name),
    // TypeDoc reports types that are not exported for a repository of one package only.
    validation: { invalidLink: true, invalidPath: true, notDocumented: true, notExported: false },
    treatWarningsAsErrors: true,

    // GitHub numbers headings of the same name in another order; the prefix keeps the two apart.
    useHTMLAnchors: true,
    anchorPrefix: 'api-',
    router: 'module',
    excludeScopesInPaths: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    indexFormat: 'table',
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    propertyMembersFormat: 'table',
    tableColumnSettings: { hideDefaults: true, hideInherited: true, hideOverrides: true },
  }
}

/**
 * Writes the pages to a folder; returns whether TypeDoc found nothing wrong.
 *
 * @param {string} folder
 */
async function generate(folder) {
  const entries = entryPoints()
  const app = await Application.bootstrapWithPlugins(options(entries, folder))
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => arrange(project, entries))
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => simplify(project))
  const project = await app.convert()
  if (project === undefined) return false
  app.validate(project)
  if (app.logger.hasErrors() || app.logger.hasWarnings()) return false
  await app.generateOutputs(project)
  return !app.logger.hasErrors() && !app.logger.hasWarnings()
}

/**
 * @param {string} folder
 * @returns {Map<string, string>}
 */
function textsIn(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [path.slice(folder.length + 1), readFileSync(path, 'utf8')]
    }),
  )
}

async function check() {
  const folder = mkdtempSync(join(tmpdir(), 'jwks-auth-api-'))
  try {
    if (!(await generate(folder))) return false
    const generated = textsIn(folder)
    const committed = textsIn(root + pages)
    const names = new Set([...generated.keys(), ...committed.keys()])
    const different = [...names].filter((name) => generated.get(name) !== committed.get(name)).toSorted()
    for (const name of different) console.error(`${pages}/${name} does not match the sources: run npm run docs:api`)
    return different.length === 0
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const isGood = process.argv.includes('--check') ? await check() : await generate(root + pages)
process.exitCode = isGood ? 0 : 1
