import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { install, type Release, repository, tagged, versionOf } from './projects.ts'

/** What the examples need beside what the READMEs tell to install, by the workspace that says the version. */
const others: Readonly<Record<string, readonly string[]>> = {
  '.': ['@types/express', '@types/koa', '@types/node'],
  'packages/fetch': ['@hono/node-server', 'hono'],
  'packages/koa': ['koa'],
  'packages/express': ['express'],
  'packages/fastify': ['fastify'],
  'packages/mcp': ['@modelcontextprotocol/sdk'],
  'packages/nestjs': ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'],
  'packages/opentelemetry': ['@opentelemetry/api'],
  'packages/prometheus': ['prom-client'],
  'packages/redis': ['ioredis'],
  'test/packaging/fixtures/nest-app': ['jest'],
}

/** The values of an example that a test replaces. */
export interface Values {
  readonly issuer: string
  /** Where Redis listens. */
  readonly redisPort: number
}

/** The first example of a package's README. */
export async function exampleOf(name: string): Promise<string> {
  const text = await readFile(join(repository, 'packages', name, 'README.md'), 'utf8')
  const [, code] = /^```ts\n(.*?)^```$/ms.exec(text) ?? []
  if (code === undefined) throw new Error(`the README of ${name} has no example`)
  return code
}

/** The packages that a README's first `npm install` names. */
export async function installedBy(name: string): Promise<readonly string[]> {
  const text = await readFile(join(repository, 'packages', name, 'README.md'), 'utf8')
  const [, command = ''] = /npm install (?:--save-dev )?([@\w/ -]+)/.exec(text) ?? []
  return command.trim().split(' ')
}

/** A project with all packages, laid out flat as npm does, and the examples of their READMEs as TypeScript. */
export async function createReadmeProject(folder: string, release: Release, names: readonly string[]): Promise<string> {
  const project = join(folder, 'readme')
  await mkdir(project)
  const dependencies: Record<string, string> = tagged(release)
  for (const [workspace, packages] of Object.entries(others)) {
    for (const name of packages) dependencies[name] = await versionOf(workspace, name)
  }
  for (const name of (await Promise.all(names.map(installedBy))).flat()) {
    if (dependencies[name] === undefined) throw new Error(`no version is known of ${name}, which a README installs`)
  }
  // Jest's settings for `require` name them.
  dependencies['@babel/plugin-transform-dynamic-import'] = '7.29.7'
  dependencies['@babel/plugin-transform-modules-commonjs'] = '7.29.14'
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await install(project, release, { nodeLinker: 'hoisted' })
  return project
}

/**
 * Writes the examples, as they are into `typed`, and with other values into `esm` and `cjs`; returns the names of the
 * programs to compile.
 */
export async function writeExamples(
  project: string,
  examples: ReadonlyMap<string, string>,
  values: Values,
): Promise<readonly string[]> {
  const kinds = {
    typed: { type: 'module', write: (code: string) => code },
    esm: { type: 'module', write: (code: string) => withValues(code, values) },
    cjs: { type: 'commonjs', write: (code: string) => inFunction(withValues(code, values)) },
  }
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    skipLibCheck: false,
    esModuleInterop: true,
    experimentalDecorators: true,
    rewriteRelativeImportExtensions: true,
    rootDir: '.',
    outDir: 'dist',
    types: ['node'],
  }
  const folders = Object.keys(kinds)
  const files = (name: string): string[] => folders.map((folder) => `${folder}/${name}.ts`)
  const programs = {
    // Its `req.auth` is the SDK's, not that of the adapter for Express.
    mcp: { compilerOptions, files: files('mcp') },
    // In a flat project, the types of Koa find the content-disposition of Express, which is another one.
    koa: { compilerOptions: { ...compilerOptions, skipLibCheck: true }, files: files('koa') },
    others: { compilerOptions, include: folders, exclude: [...files('mcp'), ...files('koa')] },
  }
  for (const [name, program] of Object.entries(programs)) {
    await writeFile(join(project, `tsconfig.${name}.json`), JSON.stringify(program))
  }
  for (const [kind, { type, write }] of Object.entries(kinds)) {
    await mkdir(join(project, kind))
    await mkdir(join(project, 'dist', kind), { recursive: true })
    for (const place of [kind, `dist/${kind}`]) {
      await writeFile(join(project, place, 'package.json'), JSON.stringify({ type }))
    }
    await writeFile(join(project, kind, 'api.ts'), api)
    for (const [name, code] of examples) await writeFile(join(project, kind, `${name}.ts`), write(code))
  }
  return Object.keys(programs).map((name) => `tsconfig.${name}.json`)
}

/** The API that the README of the testing package leaves to its reader. */
const api = `
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { jwksAuth } from '@jwks-auth/express'
import express from 'express'

export async function startApi(options: { issuer: string; audience: string }) {
  const app = express()
  app.use(jwksAuth({ ...options, requireHttps: false }))
  app.get('/orders', (_, res) => { res.json([]) })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: \`http://127.0.0.1:\${port}\`,
    close: async () => { server.close() },
  }
}
`

function withValues(code: string, { issuer, redisPort }: Values): string {
  const adapted = code
    .replace("issuer: 'https://acme.eu.auth0.com/'", `issuer: '${issuer}', requireHttps: false`)
    .replace(/(listen\((?:\{ port: )?)3000/, '$1Number(process.env.PORT)')
    .replace(
      /createRegistry\((?:\)|\{)/,
      (call) => `createRegistry({ requireHttps: false${call.endsWith(')') ? ' })' : ','}`,
    )
    .replace("host: 'redis.internal', username: 'jwks-auth'", `host: '127.0.0.1', port: ${redisPort}`)
  return /const registry = /.test(code) ? adapted + useOfRegistry(issuer, code) : adapted
}

/** After an example that ends with a registry: one key set goes through it, and what became of it is printed. */
function useOfRegistry(issuer: string, code: string): string {
  const lines = [
    `await registry.register({ tenant: 'acme', provider: 'test', issuer: '${issuer}', network: 'any' })`,
    "const refreshed = await registry.refresh('acme', 'test')",
    'if (!refreshed.ok) throw refreshed.error',
    code.includes('exporter') ? 'console.log(await exporter.metrics())' : '',
    // With the store's last work done.
    'await registry.close()',
    code.includes('client') ? "console.log(await client.keys('*'))\nawait client.quit()" : '',
    code.includes('installation') ? 'installation.close()\nconsole.log("recorded")' : '',
  ]
  return `${lines.join('\n')}\n`
}

/** CommonJS has no top-level await: what comes after the imports goes into a function. */
function inFunction(code: string): string {
  const end = code.search(/^(?!import |$|\/\/)/m)
  return `${code.slice(0, end)}async function main() {\n${code.slice(end)}}\nvoid main()\n`
}
