/** What metrics, traces and logs cost a request whose token has been verified before. */
import { createRequire } from 'node:module'
import { logEvents } from '../../packages/core/dist/index.js'
import { installOpenTelemetry } from '../../packages/opentelemetry/dist/index.js'
import { installDefaultExporter } from '../../packages/prometheus/dist/index.js'
import * as format from '../harness/format.mjs'
import { requestWith, warmAuthenticator } from '../harness/ours.mjs'
import { ratioBetween, ratioTable } from '../harness/result.mjs'
import { inTurn, interleave, throughput } from '../harness/rounds.mjs'
import { without } from '../harness/statistics.mjs'
import { authorizationBytes, signTokens, startIssuer } from '../harness/tokens.mjs'

const requireFrom = createRequire(new URL('../../packages/opentelemetry/package.json', import.meta.url))
/** @type {typeof import('@opentelemetry/sdk-trace-base')} */
const { BasicTracerProvider, BatchSpanProcessor, InMemorySpanExporter } = requireFrom('@opentelemetry/sdk-trace-base')
/** @type {typeof import('@opentelemetry/sdk-metrics')} */
const { MeterProvider } = requireFrom('@opentelemetry/sdk-metrics')

const distinctTokens = 200
const plain = 'without'
const again = 'without, a second time'
const observed = 'with metrics, traces and logs'
const onlyString = 'nothing but the string'

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick }) {
  const issuer = await startIssuer()
  const tokens = await signTokens(issuer, distinctTokens)
  const make = () => warmAuthenticator(issuer, tokens[0] ?? '')
  const authenticators = { [plain]: await make(), [again]: await make(), [observed]: await make() }
  const { registry } = authenticators[observed]
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new BatchSpanProcessor(new InMemorySpanExporter())],
  })
  const exporter = installDefaultExporter(registry)
  installOpenTelemetry(registry, { tracerProvider, meterProvider: new MeterProvider() })
  let lines = 0
  const log = () => {
    lines += 1
  }
  logEvents(registry, { error: log, warn: log, info: log, debug: log })

  const nextHeader = inTurn(authorizationBytes(tokens))
  for (const authenticator of Object.values(authenticators)) {
    for (const token of tokens) await authenticator.authenticate(requestWith(`Bearer ${token}`))
  }
  /** @type {Record<string, (authorization: string) => unknown>} */
  const contenders = {
    ...Object.fromEntries(
      Object.entries(authenticators).map(([name, authenticator]) => [
        name,
        (/** @type {string} */ authorization) => authenticator.authenticate(requestWith(authorization)),
      ]),
    ),
    [onlyString]: (authorization) => authorization,
  }
  const gross = await interleave(
    Object.entries(contenders).map(([name, operation]) => ({
      name,
      run: (milliseconds) => throughput(() => operation(nextHeader().toString('latin1')), { milliseconds }),
    })),
    quick ? { rounds: 3, milliseconds: 60 } : { rounds: 15, milliseconds: 150, warmUp: 400 },
  )
  // It was on: a refresh is counted and logged.
  await registry.refresh('default', 'default')
  const text = await exporter.metrics()
  if (lines === 0 || !text.includes('jwks_cache_hits_total{tenant="default",provider="default"}')) {
    throw new Error('nothing was observed')
  }
  await Promise.all([
    ...Object.values(authenticators).map((authenticator) => authenticator.close()),
    tracerProvider.shutdown(),
    issuer.close(),
  ])

  const figures = without(gross, onlyString)
  const cost = ratioBetween(figures, plain, observed)
  return {
    title: 'Metrics, traces and logs',
    text: [
      `${distinctTokens} RS256 tokens that were verified before, in turn, one call at a time, with prom-client, an ` +
        'OpenTelemetry SDK and `logEvents` installed, and without. Making the header’s string is taken off.',
    ],
    tables: [ratioTable(figures, { title: 'Verifications of tokens seen before', ours: plain })],
    targets: [
      {
        what: 'a token seen before, with metrics, traces and logs on, against without',
        target: '≤ 1.15 × the time',
        measured: format.ratio(cost),
        limit: `without, against itself: ${format.ratio(ratioBetween(figures, plain, again))}`,
        met: cost.median <= 1.15,
      },
    ],
  }
}
