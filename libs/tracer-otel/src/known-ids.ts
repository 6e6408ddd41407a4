import { RandomIdGenerator, type IdGenerator } from '@opentelemetry/sdk-trace';

/** Gives the next span the ids that others know it by, where there are such; random ones else. */
export class KnownIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  traceId: string | undefined;
  spanId: string | undefined;

  readonly generateTraceId = (): string => {
    const { traceId } = this;
    this.traceId = undefined;
    return traceId ?? this.#random.generateTraceId();
  };

  readonly generateSpanId = (): string => {
    const { spanId } = this;
    this.spanId = undefined;
    return spanId ?? this.#random.generateSpanId();
  };
}
