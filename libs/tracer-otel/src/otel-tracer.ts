import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  createTraceState,
  trace,
  type Context,
  type SpanContext,
  type Tracer as OtelSpans,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Log, Meter, Span, SpanStart, TraceContext, Tracer } from '#libs/broker-ports';
import { KnownIds } from './known-ids.ts';
import { SpanOutlet, type OutletLimits } from './span-outlet.ts';

/** What a tracer is made with. */
export interface OtelTracerOptions {
  /** Where OTLP over HTTP is spoken, as JSON. */
  readonly endpoint: string;
  /** The header `authorization` of every export; asked for each time. */
  readonly authorization?: (() => string) | undefined;
  readonly sampleRatio: number;
  readonly injectUserProperty: boolean;
  readonly deliverySpansMax: number;
  readonly limits: OutletLimits;
  /** Whose spans they are. */
  readonly service: {
    readonly name: string;
    readonly version: string;
    readonly cluster: string;
    readonly nodeId: string;
  };
  readonly meter: Pick<Meter, 'traceSpans'>;
  readonly log: Log;
}

const KINDS: Readonly<Record<SpanStart['kind'], SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** How far the steady clock may be from the one on the wall before it is set. */
const DRIFT_MS_MAX = 20;
/** How long the end of a process waits for the last spans. */
const CLOSE_MS_MAX = 3_000;

/** The tracer on the SDK of OpenTelemetry. Whoever starts a span has decided that it is sampled. */
export class OtelTracer implements Tracer {
  readonly sampleRatio: number;
  readonly injectUserProperty: boolean;
  readonly deliverySpansMax: number;
  readonly #ids = new KnownIds();
  readonly #spans: OtelSpans;
  readonly #provider: TracerProvider;
  #offsetMs = performance.timeOrigin;

  constructor(options: OtelTracerOptions) {
    const { limits, meter, log, service, authorization } = options;
    this.sampleRatio = options.sampleRatio;
    this.injectUserProperty = options.injectUserProperty;
    this.deliverySpansMax = options.deliverySpansMax;
    const exporter = new OTLPTraceExporter({
      url: options.endpoint,
      timeoutMillis: limits.exportTimeoutMs,
      ...(authorization && { headers: () => headersOf(authorization) }),
    });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': service.name,
        'service.namespace': service.cluster,
        'service.version': service.version,
        'service.instance.id': service.nodeId,
      }),
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      spanProcessors: [new SpanOutlet({ exporter, limits, meter, log })],
    });
    this.#spans = this.#provider.getTracer('skein', service.version);
  }

  now(): number {
    const steadyMs = performance.now();
    const wallMs = Date.now();
    if (Math.abs(wallMs - steadyMs - this.#offsetMs) > DRIFT_MS_MAX) {
      this.#offsetMs = wallMs - steadyMs;
    }
    return steadyMs + this.#offsetMs;
  }

  /** Begins a span of what is sampled. */
  start({ name, kind, parent, ids, link, attributes, startMs }: SpanStart): Span {
    this.#ids.spanId = ids?.spanId;
    this.#ids.traceId = ids?.traceId;
    const span = this.#spans.startSpan(
      name,
      {
        kind: KINDS[kind],
        attributes: { ...attributes },
        startTime: startMs ?? this.now(),
        ...(link && { links: [{ context: spanContextOf(link) }] }),
      },
      parent === undefined ? ROOT_CONTEXT : within(parent),
    );
    const { traceId, spanId } = span.spanContext();
    return {
      context: { traceId, spanId, ...(parent?.state !== undefined && { state: parent.state }) },
      end: (fault) => {
        if (fault !== undefined) {
          span.setAttribute('error.type', fault);
          span.setStatus({ code: SpanStatusCode.ERROR, message: fault });
        }
        span.end(this.now());
      },
    };
  }

  /** Sends what is left, for so long at most. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS_MAX);
    });
    // What could not be sent is counted, and has been told.
    await Promise.race([this.#provider.shutdown().catch(() => undefined), deadline]);
    clearTimeout(timer);
  }
}

async function headersOf(authorization: () => string): Promise<Record<string, string>> {
  try {
    return { authorization: authorization() };
  } catch {
    // The collector says what it misses.
    return {};
  }
}

function within(parent: TraceContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, spanContextOf(parent));
}

function spanContextOf({ traceId, spanId, state }: TraceContext): SpanContext {
  return {
    ...{ traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true },
    ...(state !== undefined && { traceState: createTraceState(state) }),
  };
}
