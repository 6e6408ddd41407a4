import type { QoS } from '#libs/mqtt-codec';
import type { TraceContext } from './trace-context.ts';

/** What a span tells besides its name. Never a payload, a password or a key. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** How a span begins. */
export interface SpanStart {
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'producer' | 'consumer';
  /** Absent: it begins a trace. */
  readonly parent?: TraceContext | undefined;
  /** Ids that others know already. @defaultValue random ones, and the trace of the parent */
  readonly ids?: { readonly traceId?: string; readonly spanId: string } | undefined;
  /** What led to it, in another trace. */
  readonly link?: TraceContext | undefined;
  readonly attributes: SpanAttributes;
  /** By the clock of the tracer. @defaultValue now */
  readonly startMs?: number | undefined;
}

/** A span under way. Only one that ends is exported. */
export interface Span {
  readonly context: TraceContext;
  /**
   * It is over.
   *
   * @param fault - what went wrong, in a word.
   */
  end(fault?: string): void;
}

/** A delivery that a span is made of. */
export interface TracedDelivery {
  readonly clientId: string;
  readonly qos: QoS;
  readonly bytes: number;
}

/** What goes along with a sampled message, at one node. */
export interface MessageTrace {
  /** Where this node has it from, or took it. */
  readonly context: TraceContext;
  /** The message went to a client. */
  sent(delivery: TracedDelivery): void;
  /** The message is about to leave for another system: the span ends when that has it. */
  begin(name: string, attributes: SpanAttributes): Span;
}

/** Makes spans of what is sampled. None of its calls waits, or fails. */
export interface Tracer {
  /** Which part of what comes without a context is sampled. */
  readonly sampleRatio: number;
  /** Whether a sampled message without the user property `traceparent` is given one. */
  readonly injectUserProperty: boolean;
  /** Most spans of deliveries of one message at this node. */
  readonly deliverySpansMax: number;
  /** Milliseconds since 1970, with fractions. */
  now(): number;
  /** Begins a span of what is sampled. */
  start(span: SpanStart): Span;
}
