import {
  TRACEPARENT,
  TRACESTATE,
  parseTraceparent,
  traceparentOf,
  type Log,
  type Message,
  type NodeRef,
  type PublishDone,
  type QueuedMessage,
  type Span,
  type TraceContext,
  type Tracer,
} from '#libs/broker-ports';
import { userPropertyNamed } from '#libs/mqtt-codec';
import { NodeMessageTrace, messageAttributes, operation } from './message-trace.ts';
import { TraceIds } from './trace-ids.ts';

/** A message that is sampled, and the span of its way through this node. */
export interface TakenMessage {
  readonly message: Message;
  /** Ends the span with the answer to the publisher. */
  ending(done: PublishDone): PublishDone;
}

/** Sampled, and nobody before has said where in a trace it is. */
const ROOT = 'root';

/**
 * Spans of messages on their way through the cluster.
 *
 * @remarks Whether a message is sampled, and the ids of the spans that other nodes refer to, follow from its user property
 * `traceparent` and its identity. So nothing more travels than before, in whatever queue, and what is not sampled costs a look
 * and a hash at each node.
 */
export class MessageSpans {
  readonly #tracer: Tracer;
  readonly #log: Log;
  readonly #ids = new TraceIds();

  constructor(tracer: Tracer, log: Log) {
    this.#tracer = tracer;
    this.#log = log;
  }

  /** Begins the span of a message that this node takes; undefined when it is not sampled. */
  take(message: Message): TakenMessage | undefined {
    const origin = this.#originOf(message);
    if (origin === undefined) return undefined;
    const parent = origin === ROOT ? undefined : origin;
    const spanId = this.#ids.publish(message);
    // What has waited for its time, or was repeated, has the context that this node once gave it.
    const isAgain = parent?.spanId === spanId;
    const traceId = parent?.traceId ?? this.#ids.traceId(message);
    const span = this.#tracer.start({
      ...{ name: 'publish', kind: 'server', parent },
      ...(!isAgain && { ids: { traceId, spanId } }),
      attributes: {
        ...operation('publish', 'receive'),
        ...messageAttributes(message),
        'messaging.client.id': message.publisher,
        'skein.qos': message.qos,
        'skein.retain': message.retain,
        'skein.origin': message.origin,
      },
    });
    const { context } = span;
    const named = parent === undefined ? this.#inject(message, context) : message;
    return {
      message: this.#traced(named, { context }),
      ending: (done) => this.#ending(span, done),
    };
  }

  /** Begins the span of routing a sampled message, which what goes to receivers is part of. */
  route({ trace }: Message, receivers: number): Span | undefined {
    if (!(trace instanceof NodeMessageTrace)) return undefined;
    const span = this.#tracer.start({
      ...{ name: 'route', kind: 'internal', parent: trace.context },
      attributes: { ...operation('route', 'process'), 'skein.receivers': receivers },
    });
    trace.context = span.context;
    return span;
  }

  /** The same for a message that this node has taken: it ends with the last obligation. */
  routing(message: Message, receivers: number, done: PublishDone): PublishDone {
    const span = this.route(message, receivers);
    return (error) => {
      span?.end(error?.code);
      done(error);
    };
  }

  /** Begins the span of handing a sampled message to another node. */
  forward(message: Message, to: NodeRef): Span | undefined {
    if (message.trace === undefined) return undefined;
    return this.#tracer.start({
      ...{ name: 'forward', kind: 'producer', parent: message.trace.context },
      ids: { spanId: this.#ids.forward(message, to) },
      attributes: {
        ...operation('forward', 'send'),
        ...messageAttributes(message),
        'skein.to_node': to.nodeId,
      },
    });
  }

  /**
   * What another node has sent, with the traces of those that are sampled.
   *
   * @param to - the node that it was sent to: this one, or one whose inbox it has inherited.
   */
  received(messages: readonly Message[], to: NodeRef): readonly Message[] {
    let traced: Message[] | undefined;
    for (const [index, message] of messages.entries()) {
      const origin = this.#originOf(message);
      if (origin === undefined) continue;
      const context = this.#within(origin, message, this.#ids.forward(message, to));
      traced ??= [...messages];
      traced[index] = this.#traced(message, { context });
    }
    return traced ?? messages;
  }

  /** What was read of a stored queue, with the traces of those that were sampled when they came. */
  resumed(queued: readonly QueuedMessage[]): readonly QueuedMessage[] {
    return queued.map((each) => {
      const { message } = each;
      const origin = this.#originOf(message);
      if (origin === undefined) return each;
      const context = this.#within(origin, message, this.#ids.publish(message));
      return { ...each, message: this.#traced(message, { context, hasWaited: true }) };
    });
  }

  #ending(span: Span, done: PublishDone): PublishDone {
    return (error) => {
      span.end(error?.code);
      if (error !== undefined) {
        const { traceId: trace_id, spanId: span_id } = span.context;
        this.#log.debug('publish-refused', { code: error.code, trace_id, span_id });
      }
      done(error);
    };
  }

  /** Where a message comes from; undefined when it is not sampled. */
  #originOf(message: Message): TraceContext | typeof ROOT | undefined {
    const userProperties = message.properties?.userProperties;
    if (userProperties !== undefined) {
      const text = userPropertyNamed(userProperties, TRACEPARENT);
      const found = text === undefined ? undefined : parseTraceparent(text);
      if (found !== undefined) {
        if (!found.sampled) return undefined;
        return { ...found.context, state: userPropertyNamed(userProperties, TRACESTATE) };
      }
    }
    return this.#ids.portion(message) < this.#tracer.sampleRatio ? ROOT : undefined;
  }

  /** A span of a message's trace that another node has begun, or this one before. */
  #within(origin: TraceContext | typeof ROOT, message: Message, spanId: string): TraceContext {
    if (origin !== ROOT) return { ...origin, spanId };
    return { traceId: this.#ids.traceId(message), spanId };
  }

  #traced(message: Message, start: ConstructorParameters<typeof NodeMessageTrace>[2]): Message {
    return { ...message, trace: new NodeMessageTrace(this.#tracer, message, start) };
  }

  /** What its publisher has set is passed on unaltered and in its order [MQTT-3.3.2-17]: nothing but an addition is possible. */
  #inject(message: Message, context: TraceContext): Message {
    if (!this.#tracer.injectUserProperty) return message;
    const { userProperties = [] } = message.properties ?? {};
    // One that is none stays the publisher's.
    if (userPropertyNamed(userProperties, TRACEPARENT) !== undefined) return message;
    const added = [...userProperties, [TRACEPARENT, traceparentOf(context)] as const];
    return { ...message, properties: { ...message.properties, userProperties: added } };
  }
}
