import { createAuthenticator, createRegistry, type JwksAuthOptions } from '@jwks-auth/core'
import { createTestIssuer } from '@jwks-auth/testing'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { onTestFinished } from 'vitest'
import { installOpenTelemetry } from '../src/index.ts'

export const audience = 'https://api.example'

/** An SDK in memory, for the length of one test; spans become active in the contexts that it manages. */
export function startSdk() {
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 86_400_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  onTestFinished(async () => {
    context.disable()
    await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()])
  })
  const application = tracerProvider.getTracer('application')
  return {
    tracerProvider,
    meterProvider,
    spans: () => spans.getFinishedSpans(),
    named: (name: string) => spans.getFinishedSpans().filter((span) => span.name === name),
    clear: () => spans.reset(),
    /** Does something as a request of the application does, within a span of its own. */
    async inRequest<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
      const span = application.startSpan(name)
      try {
        return await context.with(trace.setSpan(context.active(), span), work)
      } finally {
        span.end()
      }
    },
    /** The points of one metric after a collection: attributes and value. */
    async points(name: string): Promise<(readonly [Readonly<Record<string, unknown>>, unknown])[]> {
      metrics.reset()
      await reader.forceFlush()
      const found = metrics
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics)
        .flatMap((scope) => scope.metrics)
        .find(({ descriptor }) => descriptor.name === name)
      return (found?.dataPoints ?? []).map(({ attributes, value }) => [attributes, value] as const)
    },
    async descriptors() {
      metrics.reset()
      await reader.forceFlush()
      return metrics
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics)
        .flatMap((scope) => scope.metrics)
        .map(({ descriptor: { name, unit }, ...metric }) => ({
          name,
          unit,
          isCounter: metric.dataPointType === DataPointType.SUM && metric.isMonotonic,
        }))
    },
  }
}

/** A registry with acme/auth0, recorded by an SDK. */
export async function setScene(options: Pick<JwksAuthOptions, 'isRevoked' | 'validate'> = {}) {
  const sdk = startSdk()
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  onTestFinished(() => issuer.close())
  const registry = createRegistry({ requireHttps: false })
  onTestFinished(() => registry.close())
  const { tracerProvider, meterProvider } = sdk
  const installation = installOpenTelemetry(registry, { tracerProvider, meterProvider })
  const authenticator = createAuthenticator({
    registry,
    retryPolicy: { maxRetries: 0 },
    unknownKidCooldown: 1,
    tenants: {
      acme: {
        providers: { auth0: { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience } },
      },
    },
    ...options,
  })
  const authenticate = async (token: string) =>
    await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } })
  return { ...sdk, issuer, registry, installation, authenticate }
}

/** Where a span belongs: the span that is its parent, by id. */
export function parentOf(span: ReadableSpan): string | undefined {
  return span.parentSpanContext?.spanId
}

/** The ids of the spans that a span has links to. */
export function linksOf({ links }: ReadableSpan): readonly string[] {
  return links.map(({ context: { spanId } }) => spanId)
}

/** The id of a span. */
export function idOf(span: ReadableSpan | undefined): string {
  if (span === undefined) throw new Error('there is no such span')
  return span.spanContext().spanId
}
