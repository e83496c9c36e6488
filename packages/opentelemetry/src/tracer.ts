import { isThenable, type Operation, type OperationOutcome, type Tracer } from '@jwks-auth/core/adapter'
import {
  type Attributes,
  context,
  type Tracer as OpenTelemetryTracer,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

/** Records operations as spans of OpenTelemetry. */
export function createTracer(tracer: OpenTelemetryTracer): Tracer {
  // The shared work that requests wait for, by the promise that they wait for.
  const shared = new WeakMap<PromiseLike<unknown>, SpanContext>()
  return {
    run<Result, Returned extends Result | Promise<Result>>(
      operation: Operation<Result>,
      work: () => Returned,
    ): Returned {
      const span = startSpan(tracer, operation)
      let returned: Returned
      try {
        returned = context.with(trace.setSpan(context.active(), span), work)
      } catch (error) {
        end(span, failure(error))
        throw error
      }
      if (!isThenable(returned)) {
        end(span, operation.outcomeOf(returned as Result))
        return returned
      }
      shared.set(returned, span.spanContext())
      returned.then(
        (result) => end(span, operation.outcomeOf(result as Result)),
        (error: unknown) => end(span, failure(error)),
      )
      return returned
    },
    waitsFor(work) {
      const spanContext = shared.get(work)
      if (spanContext !== undefined) trace.getActiveSpan()?.addLink({ context: spanContext })
    },
  }
}

function startSpan(tracer: OpenTelemetryTracer, { name, reason, ...provider }: Operation<never>): Span {
  const attributes = attributesOf(provider)
  if (reason !== undefined) attributes['jwks.fetch.reason'] = reason
  return tracer.startSpan(`jwks.${name}`, {
    kind: name === 'fetch' ? SpanKind.CLIENT : SpanKind.INTERNAL,
    // A refresh is for whoever waits, now or later: it belongs to no request, and those that wait have a link to it.
    root: name === 'refresh',
    attributes,
  })
}

function attributesOf({ tenant, provider }: Pick<OperationOutcome, 'tenant' | 'provider'>): Attributes {
  return {
    ...(tenant !== undefined && { 'jwks.tenant': tenant }),
    ...(provider !== undefined && { 'jwks.provider': provider }),
  }
}

/** What a callback of the application threw: its text may be secret. */
function failure(error: unknown): OperationOutcome {
  return { code: error instanceof Error ? error.name : '_OTHER', isFault: true }
}

function end(span: Span, { code, isFault = false, ...provider }: OperationOutcome): void {
  span.setAttributes(attributesOf(provider))
  if (code !== undefined) span.setAttribute('error.type', code)
  if (isFault) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}
