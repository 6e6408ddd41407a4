import type { Span, SpanStart, Tracer } from '#libs/broker-ports';

/** A span as a test looks at it. */
export interface RecordedSpan extends SpanStart {
  readonly traceId: string;
  readonly spanId: string;
  /** The span that it is part of. */
  readonly parentId: string | undefined;
  fault: string | undefined;
  isEnded: boolean;
}

/** A tracer that keeps its spans; ids that nobody else knows count up. */
export class RecordingTracer implements Tracer {
  readonly spans: RecordedSpan[] = [];
  readonly sampleRatio: number;
  readonly injectUserProperty: boolean;
  readonly deliverySpansMax: number;
  readonly #prefix: string;
  #count = 0;

  constructor(
    prefix: string,
    options: Partial<Pick<Tracer, 'sampleRatio' | 'injectUserProperty' | 'deliverySpansMax'>> = {},
  ) {
    this.#prefix = prefix;
    this.sampleRatio = options.sampleRatio ?? 1;
    this.injectUserProperty = options.injectUserProperty ?? true;
    this.deliverySpansMax = options.deliverySpansMax ?? 16;
  }

  /** Those of a name that have ended. */
  named(name: string): readonly RecordedSpan[] {
    return this.spans.filter((span) => span.name === name && span.isEnded);
  }

  now(): number {
    return this.#count;
  }

  /** Begins a span, and keeps it. */
  start(start: SpanStart): Span {
    this.#count += 1;
    const made = `${this.#prefix}${String(this.#count).padStart(15, '0')}`;
    const spanId = start.ids?.spanId ?? made;
    const traceId = start.parent?.traceId ?? start.ids?.traceId ?? made.padStart(32, '0');
    const parentId = start.parent?.spanId;
    const span = { ...start, traceId, spanId, parentId, fault: undefined, isEnded: false };
    const recorded: RecordedSpan = span;
    this.spans.push(recorded);
    const state = start.parent?.state;
    return {
      context: { traceId, spanId, ...(state !== undefined && { state }) },
      end: (fault) => {
        recorded.fault = fault;
        recorded.isEnded = true;
      },
    };
  }
}
