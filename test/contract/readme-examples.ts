import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { JwksAuthOptions } from '@jwks-auth/core'
import ts from 'typescript-api'
import { type FetchCallback, fetchListener } from './fetch-listener.ts'
import { portOf } from './protected-app.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The options of an example, which a test replaces. */
const optionsInExample = /issuer: 'https:\/\/acme\.eu\.auth0\.com\/',\s+audience: 'https:\/\/api\.example\.com'/

/** The application of an example: of Express or a router, Koa, Hono or Fastify. */
type Application = RequestListener | { callback(): RequestListener } | { fetch: FetchCallback } | FastifyLike

interface FastifyLike {
  listen(options: { readonly port: number; readonly host: string }): Promise<string>
  close(): Promise<void>
}

interface Example {
  options?: JwksAuthOptions
  app?: Application
}

declare global {
  var readmeExample: Example | undefined
}

/** True for an example that protects an application with the usual options, so that it can be served. */
export function takesOptions(code: string): boolean {
  return optionsInExample.test(code) && /const (?:app|api) = /.test(code) && !/createRegistry|publicKeyPath/.test(code)
}

let count = 0

/** Runs an example with other options, with plain Node and the compiled packages; returns its application. */
export async function runExample(code: string, options: JwksAuthOptions): Promise<Application> {
  const [, name = 'app'] = /const (app|api) = /.exec(code) ?? []
  const adapted = code
    .replace(optionsInExample, '...globalThis.readmeExample.options')
    .replace(/^.*\.listen\(.*\)$/m, '')
    .concat(`globalThis.readmeExample.app = ${name}\n`)
  const { outputText } = ts.transpileModule(adapted, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  // Among the dependencies of the tests, so that imports resolve as an application's do.
  const folder = `${root}test/node_modules/.readme-examples`
  count += 1
  const file = `${folder}/example-${process.pid}-${count}.mjs`
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, outputText)
  const example: Example = { options }
  globalThis.readmeExample = example
  try {
    await import(file)
  } finally {
    rmSync(file)
    globalThis.readmeExample = undefined
  }
  if (example.app === undefined) throw new Error('the example has no application')
  return example.app
}

/** Serves an application; `path` is that of its first protected route. */
export async function serveExample(
  app: Application,
  code: string,
): Promise<{ readonly port: number; readonly path: string; close(): Promise<void> }> {
  const path = [...code.matchAll(/\.get\('([^']+)'/g)].map(([, found = '/']) => found).find((it) => it !== '/health')
  if ('listen' in app && 'close' in app) {
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: Number(new URL(url).port), path: path ?? '/', close: () => app.close() }
  }
  const listener = listenerOf(app)
  const server = createServer((req, res) => {
    // A router calls its third argument for what it does not answer.
    Reflect.apply(listener, undefined, [req, res, () => res.writeHead(404).end()])
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server.address()),
    path: path ?? '/',
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function listenerOf(app: Exclude<Application, FastifyLike>): RequestListener {
  if ('callback' in app) return app.callback()
  return 'fetch' in app ? fetchListener(app.fetch) : app
}
