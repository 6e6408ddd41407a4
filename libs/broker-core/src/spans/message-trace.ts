import type {
  Message,
  MessageTrace,
  Span,
  SpanAttributes,
  TraceContext,
  TracedDelivery,
  Tracer,
} from '#libs/broker-ports';

/** How a message has come to this node. */
interface MessageTraceStart {
  readonly context: TraceContext;
  /** Whether it has waited in a stored queue: its trace may be over, so that deliveries begin traces that link to it. */
  readonly hasWaited?: boolean;
}

/** What goes along with a sampled message at this node, and makes spans of what becomes of it. */
export class NodeMessageTrace implements MessageTrace {
  /** The span that what comes next is part of. */
  context: TraceContext;
  readonly #tracer: Tracer;
  readonly #message: Message;
  readonly #hasWaited: boolean;
  readonly #startMs: number;
  #deliveriesLeft: number;

  constructor(tracer: Tracer, message: Message, { context, hasWaited }: MessageTraceStart) {
    this.context = context;
    this.#tracer = tracer;
    this.#message = message;
    this.#hasWaited = hasWaited === true;
    this.#startMs = tracer.now();
    this.#deliveriesLeft = tracer.deliverySpansMax;
  }

  sent({ clientId, qos, bytes }: TracedDelivery): void {
    if (this.#deliveriesLeft === 0) return;
    this.#deliveriesLeft -= 1;
    const place = this.#hasWaited ? { link: this.context } : { parent: this.context };
    const span = this.#tracer.start({
      ...{ name: 'deliver', kind: 'producer', startMs: this.#startMs, ...place },
      attributes: {
        ...messageAttributes(this.#message),
        ...operation('deliver', 'send'),
        'messaging.client.id': clientId,
        'messaging.message.envelope.size': bytes,
        'skein.qos': qos,
      },
    });
    span.end();
  }

  begin(name: string, attributes: SpanAttributes): Span {
    return this.#tracer.start({ name, kind: 'producer', parent: this.context, attributes });
  }
}

/** What a span is about, by OpenTelemetry's conventions for messaging. */
export function operation(name: string, type: 'send' | 'receive' | 'process'): SpanAttributes {
  return {
    'messaging.system': 'mqtt',
    'messaging.operation.name': name,
    'messaging.operation.type': type,
  };
}

/** What tells of a message which one it is: never what is in it. */
export function messageAttributes(message: Message): SpanAttributes {
  const { source, sequence, topic, payload } = message;
  return {
    'messaging.destination.name': topic,
    'messaging.message.id': `${source.nodeId}-${source.incarnation}-${sequence}`,
    'messaging.message.body.size': payload.length,
  };
}
