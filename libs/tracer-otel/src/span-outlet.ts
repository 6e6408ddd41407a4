import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Span,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { Log, Meter } from '#libs/broker-ports';

/** What bounds the spans on their way out. */
export interface OutletLimits {
  readonly queueSpansMax: number;
  readonly batchSpansMax: number;
  readonly flushIntervalMs: number;
  readonly exportTimeoutMs: number;
}

/** What an outlet works with. */
export interface OutletParts {
  readonly exporter: SpanExporter;
  readonly limits: OutletLimits;
  readonly meter: Pick<Meter, 'traceSpans'>;
  readonly log: Log;
}

/**
 * The way of finished spans to their collector, in batches, with a bound before it: what is too much is dropped and counted, and
 * what could not be exported is counted and told once.
 *
 * @remarks A span waits until the answer to its export, so that an absent collector fills the queue and nothing else.
 */
export class SpanOutlet implements SpanProcessor {
  readonly #parts: OutletParts;
  readonly #batches: BatchSpanProcessor;
  #waiting = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(parts: OutletParts) {
    this.#parts = parts;
    const { limits, exporter } = parts;
    this.#batches = new BatchSpanProcessor({
      exporter: {
        export: (spans, answered) => this.#export(spans, answered),
        forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: limits.queueSpansMax,
      maxExportBatchSize: limits.batchSpansMax,
      scheduledDelayMillis: limits.flushIntervalMs,
      // The exporter keeps to its time by itself; this one is for an exporter that does not answer at all.
      exportTimeoutMillis: limits.exportTimeoutMs + 1_000,
    });
  }

  onStart(_span: Span): void {
    // Only what has ended is of interest.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#isClosed || this.#waiting >= this.#parts.limits.queueSpansMax) {
      this.#parts.meter.traceSpans('dropped', 1);
      return;
    }
    this.#waiting += 1;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  async shutdown(): Promise<void> {
    this.#isClosed = true;
    await this.#batches.shutdown();
  }

  #export(spans: ReadableSpan[], answered: (result: ExportResult) => void): void {
    const { exporter, meter } = this.#parts;
    exporter.export(spans, (result) => {
      this.#waiting -= spans.length;
      const isDone = result.code === ExportResultCode.SUCCESS;
      meter.traceSpans(isDone ? 'exported' : 'failed', spans.length);
      this.#tell(isDone, result.error);
      answered(result);
    });
  }

  #tell(isDone: boolean, error: Error | undefined): void {
    if (isDone !== this.#isFailing) return;
    this.#isFailing = !isDone;
    const { log } = this.#parts;
    if (isDone) log.info('trace-export-works');
    else log.warn('trace-export-failed', { reason: error?.message ?? 'no answer' });
  }
}
