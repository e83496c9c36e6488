import { startExpress } from './apps/express.ts'
import { startFastify } from './apps/fastify.ts'
import { startKoa } from './apps/koa.ts'
import type { ProtectedApi, Tenants } from './apps/protected-api.ts'
import { renderCurl } from './curl.ts'
import { audience, startProvider } from './providers.ts'
import { type Cast, sections } from './scenario.ts'
import { createStyle } from './style.ts'
import { isExpected, type Line, renderHeading, renderLine } from './table.ts'

const isTerminal = process.stdout.isTTY
const style = createStyle(isTerminal && !process.env['NO_COLOR'])
const say = (text: string): void => console.log(text)

/** What has been started, to be closed in the end, whatever happens. */
const closers: (() => Promise<void>)[] = []

async function start(): Promise<Cast> {
  const acme = await startProvider('acme', 'RS256')
  closers.push(acme.stop)
  const globex = await startProvider('globex', 'ES256')
  closers.push(globex.stop)
  const tenants: Tenants = {
    acme: { issuer: acme.issuer, audience },
    // Keys are kept for 30 s at least, so that a provider cannot make an API ask all the time. A demo is in a hurry.
    globex: { issuer: globex.issuer, audience, minTtl: 1_000 },
  }
  const apis: ProtectedApi[] = []
  for (const startApi of [startExpress, startKoa, startFastify]) {
    const api = await startApi(tenants)
    closers.push(api.close)
    apis.push(api)
  }
  return { acme, globex, apis }
}

function introduce({ acme, globex, apis }: Cast): void {
  say(style.bold('\nOne protected API in three frameworks, for two tenants, on loopback'))
  say(style.dim('The tenant is what x-tenant-id says, and the token must come from that tenant.\n'))
  for (const { tenant, algorithm, issuer } of [acme, globex]) {
    say(
      `  ${tenant.padEnd(9)}${issuer}   ${style.dim(`oidc-provider, signs with ${algorithm}; its issuer is all the APIs know`)}`,
    )
  }
  for (const { name, url } of apis) say(`  ${name.padEnd(9)}${url}   ${style.dim(`@jwks-auth/${name.toLowerCase()}`)}`)
  // Without a terminal the demo is over before a page could be opened.
  if (isTerminal) sayStatusPages(apis)
}

/** Where the status pages and the metrics are: they follow what happens. */
function sayStatusPages(apis: readonly ProtectedApi[]): void {
  say(style.bold('\nOpen a status page, and see there what happens here; the numbers are for Prometheus:'))
  for (const { name, statusUrl, url } of apis) say(`  ${name.padEnd(9)}${statusUrl}   ${url}/metrics`)
}

/** Goes through the sections; returns their lines. */
async function play(cast: Cast): Promise<Line[]> {
  const lines: Line[] = []
  const columns = cast.apis.map(({ name }) => name)
  for (const { title, about, lines: linesOf } of sections) {
    say(renderHeading(title, about, columns, style))
    for await (const line of linesOf(cast)) {
      say(renderLine(line, style))
      lines.push(line)
    }
  }
  return lines
}

/** Sums the lines up in one; true if all of them are as they should be. */
function conclude({ acme, globex }: Cast, lines: readonly Line[]): boolean {
  const failed = lines.filter((line) => !isExpected(line)).length
  const requests = lines.reduce((sum, line) => sum + line.requests, 0)
  const total = `${requests} requests checked, ${acme.jwksRequests() + globex.jwksRequests()} for keys`
  if (failed === 0) say(style.green(`\n✓ All ${lines.length} lines are as they should be: ${total}.\n`))
  else say(style.red(`\n✗ ${failed} of ${lines.length} lines are not as they should be: ${total}.\n`))
  return failed === 0
}

async function stayUp(cast: Cast): Promise<void> {
  say(await renderCurl(cast, style))
  sayStatusPages(cast.apis)
  say(style.dim('\nCtrl-C ends it.'))
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

try {
  const cast = await start()
  introduce(cast)
  const isGood = conclude(cast, await play(cast))
  if (!isGood) process.exitCode = 1
  else if (isTerminal) await stayUp(cast)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await Promise.all(closers.map((close) => close()))
}
