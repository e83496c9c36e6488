import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import ts from 'typescript-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileExamples } from '../architecture/examples.ts'
import { tableRows } from '../architecture/markdown.ts'
import { portOf } from '../contract/protected-app.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const document = readFileSync(`${root}docs/migrating.md`, 'utf8')
const audience = 'https://api.example.com'

/** A library, with the applications before and after. */
interface Migration {
  readonly library: string
  readonly before: string
  readonly after: string
}

const migrations: readonly Migration[] = document.split(/^## /m).flatMap((section) => {
  const [before, after] = [...section.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
  return before === undefined || after === undefined ? [] : [{ library: section.split('\n')[0] ?? '', before, after }]
})

/** The documented statuses of a library, by the title of their column. */
function documentedStatuses(library: string): Readonly<Record<string, number>> {
  const row = tableRows(document).find(({ section, cells }) => section === 'Responses' && cells[0] === library)
  if (row === undefined) throw new Error(`the table has no row for ${library}`)
  return Object.fromEntries(requests.map(({ title }, index) => [title, Number(row.cells[index + 1])]))
}

/** A request, and whether the issuer is down when it comes. */
interface Request {
  readonly title: string
  readonly token: (issuer: TestIssuer) => Promise<string | undefined>
  readonly isDown?: boolean
}

async function forge(issuer: TestIssuer): Promise<string> {
  const [one, other] = await Promise.all([issuer.sign(), issuer.sign({ jti: 'other' })])
  return `${one.slice(0, one.lastIndexOf('.'))}${other.slice(other.lastIndexOf('.'))}`
}

/** In the order of the columns of the table. */
const requests: readonly Request[] = [
  { title: 'good token', token: (issuer) => issuer.sign() },
  { title: 'no token', token: async () => undefined },
  { title: 'expired', token: (issuer) => issuer.sign({ exp: Math.floor(Date.now() / 1000) - 3600 }) },
  { title: 'other `aud`', token: (issuer) => issuer.sign({ aud: 'https://other.example.com' }) },
  { title: 'other `iss`', token: (issuer) => issuer.sign({ iss: 'https://other.example.com/' }) },
  { title: 'forged', token: forge },
  { title: 'unknown `kid`', token: (issuer) => issuer.sign({}, { kid: 'unknown' }) },
  {
    title: 'key not fetched',
    isDown: true,
    async token(issuer) {
      await issuer.rotate()
      return await issuer.sign()
    },
  },
]

let count = 0

/** The application of an example. */
type Application =
  | RequestListener
  | { callback(): RequestListener }
  | { ready(): PromiseLike<unknown>; server: Server; close(): Promise<unknown> }

/** Serves an application for the length of `play`. */
async function serve(app: Application): Promise<{ readonly port: number; close(): Promise<void> }> {
  if ('ready' in app) await app.ready()
  const server = 'ready' in app ? app.server : createServer('callback' in app ? app.callback() : app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server.address()),
    async close() {
      server.closeAllConnections()
      server.close()
      if ('ready' in app) await app.close()
    },
  }
}

/** Runs an example against the issuer, by plain Node and the compiled packages; returns its application. */
async function runExample(code: string, issuer: TestIssuer): Promise<Application> {
  const adapted = code
    .replaceAll('https://acme.eu.auth0.com/.well-known/jwks.json', issuer.jwksUri)
    .replaceAll('https://acme.eu.auth0.com/', issuer.issuer)
    // The issuer of the test has no TLS.
    .replace(/(jwksAuth[(,].*audience: '[^']+')/, '$1, requireHttps: false')
    .replace(/^.*\.listen\(.*\)$/m, 'export { app }')
  const { outputText } = ts.transpileModule(adapted, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  // Among the dependencies of the tests, so that imports resolve as an application's do.
  const folder = `${root}test/node_modules/.migrating`
  count += 1
  const file = `${folder}/example-${process.pid}-${count}.mjs`
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, outputText)
  try {
    const { app } = (await import(file)) as { app: Application }
    return app
  } finally {
    rmSync(file)
  }
}

/** Sends requests to an application that has just been started, with an issuer of its own. */
async function send(code: string, chosen: readonly Request[]) {
  const issuer = await createTestIssuer({ algorithm: 'RS256', audience })
  issuer.moveJwks('/.well-known/jwks.json')
  const { port, close } = await serve(await runExample(code, issuer))
  const responses: (readonly [title: string, status: number, body: string])[] = []
  try {
    for (const { title, token, isDown = false } of chosen) {
      if (isDown) await issuer.stop()
      const text = await token(issuer)
      const headers: Record<string, string> = text === undefined ? {} : { authorization: `Bearer ${text}` }
      const response = await fetch(`http://127.0.0.1:${port}/orders`, { headers })
      responses.push([title, response.status, await response.text()])
    }
  } finally {
    await close()
    await issuer.close()
  }
  return responses
}

/** The statuses of all requests, and the body of the good one. Each outage has an application of its own. */
async function play(code: string) {
  const [good] = requests
  const outages = requests.filter(({ isDown }) => isDown)
  const responses = await send(
    code,
    requests.filter(({ isDown }) => !isDown),
  )
  for (const outage of outages) responses.push(...(await send(code, good === undefined ? [outage] : [good, outage])))
  return {
    statuses: Object.fromEntries(responses.map(([title, status]) => [title, status])),
    body: responses[0]?.[2] ?? '',
  }
}

const { error } = console

beforeAll(() => {
  // Koa reports what it responds to with 500.
  console.error = () => undefined
})

afterAll(() => {
  console.error = error
})

describe('docs/migrating.md', () => {
  it('has a section for each library', () => {
    expect(migrations.map(({ library }) => library)).toEqual([
      ...['jwks-rsa', 'express-jwt', 'express-oauth2-jwt-bearer', 'koa-jwt', '@fastify/jwt', 'passport-jwt'],
    ])
  })

  it('has a table with the requests that are tested', () => {
    const [header = ''] = /^\| application \|.*$/m.exec(document) ?? []
    const titles = header.split('|').map((cell) => cell.trim())
    expect(titles.slice(2, -1)).toEqual(requests.map(({ title }) => title))
  })

  // The libraries add members to the same global types: express-oauth2-jwt-bearer by itself, then the others, then ours.
  it('has applications that compile', { timeout: 120_000 }, () => {
    const isAlone = ({ library }: Migration): boolean => library === 'express-oauth2-jwt-bearer'
    const programs = [
      migrations.filter(isAlone).map(({ before }) => before),
      migrations.filter((each) => !isAlone(each)).map(({ before }) => before),
      migrations.map(({ after }) => after),
    ]
    for (const modules of programs) expect(compileExamples(modules)).toEqual(modules.map(() => []))
  })

  it.each(migrations)('has the statuses of the application before: $library', async ({ library, before }) => {
    expect((await play(before)).statuses).toEqual(documentedStatuses(library))
  })

  it.each(migrations)('has an application after that lets the same tokens in: $library', async ({ before, after }) => {
    const [old, migrated] = [await play(before), await play(after)]
    expect(migrated.statuses).toEqual(documentedStatuses('`jwksAuth`'))
    expect(JSON.parse(migrated.body)).toEqual(JSON.parse(old.body))
  })
})
