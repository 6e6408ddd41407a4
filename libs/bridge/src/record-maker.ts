import {
  TRACEPARENT,
  TRACESTATE,
  traceparentOf,
  type Message,
  type OutboundBridgeRule,
  type Span,
} from '#libs/broker-ports';
import { wayOf } from './direction.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { messagePlaceholder } from './placeholders.ts';
import type { SinkRecord } from './sink.ts';
import { Template } from './template.ts';

/** Chooses the lane of a message's record; undefined leaves it to the key. @returns NaN when no lane can be chosen. */
type LaneChoice = (message: Message) => number | undefined;

/** Objects and header names of a record, measured roughly; what varies is counted. */
export const RECORD_OVERHEAD_BYTES = 512;
const LANE = /^\d{1,9}$/;

/** What spans call the other side of each direction. */
const SYSTEMS: Readonly<Record<OutboundBridgeRule['direction'], string>> = {
  'mqtt-to-kafka': 'kafka',
  'mqtt-to-webhook': 'webhook',
  'mqtt-to-rabbitmq': 'rabbitmq',
};

/** What is known of a record before it is made. */
export interface RecordWay extends Pick<OutboundRecord, 'target' | 'gate'> {
  /** The value that an expression gave, which is the record's from now on; undefined for the payload as it is. */
  readonly value?: Buffer | undefined;
}

/** Makes the records of one rule: what is told of a message to whom. */
export class RecordMaker {
  readonly #rule: Pick<OutboundBridgeRule, 'id' | 'bridge' | 'direction'>;
  readonly #target: Template<Message>;
  readonly #allowed: readonly string[] | undefined;
  readonly #route: Template<Message> | undefined;
  readonly #key: Template<Message>;
  readonly #lane: LaneChoice;
  readonly #headers: readonly (readonly [name: string, template: Template<Message>])[];

  /** @throws TemplateError when a template of the rule cannot be compiled. */
  constructor(rule: OutboundBridgeRule) {
    const { target, allowed, route, partition } = wayOf(rule);
    this.#rule = rule;
    this.#target = new Template(target, messagePlaceholder);
    this.#allowed = allowed;
    this.#route = route && new Template(route.template, messagePlaceholder);
    this.#key = new Template(rule.key, messagePlaceholder);
    this.#lane = laneChoice(partition);
    this.#headers = Object.entries(rule.headers).map(
      ([name, text]) => [name, new Template(text, messagePlaceholder)] as const,
    );
  }

  /** The target, when it is the same for every message. */
  get constantTarget(): string | undefined {
    return this.#target.constant;
  }

  /** Whether every message goes to the same place: then it is the rule's fault if there is none. */
  get constant(): boolean {
    const { constant } = this.#route ?? this.#target;
    return constant !== undefined && this.#target.constant !== undefined;
  }

  target(message: Message): string {
    return this.#target.render(message);
  }

  /** Whether the rule may write to a target. */
  allows(target: string): boolean {
    return isAllowed(target, this.#allowed);
  }

  /**
   * Makes the record of a message; the payload is copied, since the message's bytes live only as long as the turn.
   *
   * @returns undefined when the rule gives no lane for the message.
   */
  record(message: Message, way: RecordWay): OutboundRecord | undefined {
    const lane = this.#lane(message);
    if (Number.isNaN(lane)) return undefined;
    return this.#made(message, way, { lane, span: this.#spanOf(message, way) });
  }

  /** What is kept of a message that there is no record of: all that can be told of it, and a value that there is already. */
  plain(message: Message, way: RecordWay): OutboundRecord {
    return this.#made(message, way, {});
  }

  #made(
    message: Message,
    { target, gate, value: made }: RecordWay,
    { lane, span }: { readonly lane?: number | undefined; readonly span?: Span | undefined },
  ): OutboundRecord {
    const key = Buffer.from(this.#key.bytes(message));
    const value = made ?? Buffer.from(message.payload);
    const headers = this.#headersOf(message, span);
    const route = this.#route?.render(message);
    let bytes = RECORD_OVERHEAD_BYTES + key.length + value.length + (route?.length ?? 0);
    for (const header of Object.values(headers)) {
      if (Array.isArray(header)) for (const text of header) bytes += text.length;
      else bytes += header.length;
    }
    const timestampMs = message.receivedAtMs;
    const record = { target, gate, route, key, lane, value, headers, timestampMs, bytes };
    const { publisher } = message;
    const whole = { ...record, publisher, sequence: 0, place: 0, isDone: false };
    return span === undefined ? whole : { ...whole, span };
  }

  #spanOf({ trace, sequence, source }: Message, { target }: RecordWay): Span | undefined {
    const { id, bridge, direction } = this.#rule;
    return trace?.begin('send', {
      'messaging.system': SYSTEMS[direction],
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': target,
      'messaging.message.id': `${source.nodeId}-${source.incarnation}-${sequence}`,
      'skein.bridge': bridge,
      'skein.rule': id,
    });
  }

  #headersOf(message: Message, span: Span | undefined): SinkRecord['headers'] {
    const { source, properties } = message;
    const headers: Record<string, string | Buffer | string[]> = {
      'mqtt-topic': message.topic,
      'mqtt-client-id': message.publisher,
      'mqtt-qos': String(message.qos),
      'mqtt-retain': String(message.retain),
      'mqtt-msg-id': `${source.nodeId}-${source.incarnation}-${message.sequence}`,
      'mqtt-node': source.nodeId,
    };
    if (properties !== undefined) {
      const { contentType, responseTopic, correlationData, userProperties } = properties;
      if (contentType !== undefined) headers['content-type'] = contentType;
      if (responseTopic !== undefined) headers['response-topic'] = responseTopic;
      if (correlationData !== undefined) headers['correlation-data'] = Buffer.from(correlationData);
      for (const [name, value] of userProperties ?? []) {
        const earlier = headers[`up.${name}`];
        if (Array.isArray(earlier)) earlier.push(value);
        else headers[`up.${name}`] = [value];
      }
    }
    if (span !== undefined) {
      headers[TRACEPARENT] = traceparentOf(span.context);
      if (span.context.state !== undefined) headers[TRACESTATE] = span.context.state;
    }
    for (const [name, template] of this.#headers) headers[name] = template.render(message);
    return headers;
  }
}

/** Whether a name is one of the allowed, or begins as one that ends in `*`. */
export function isAllowed(name: string, allowed: readonly string[] | undefined): boolean {
  return (
    allowed === undefined ||
    allowed.some((entry) =>
      entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry,
    )
  );
}

/** Why a constant text chooses no lane. */
export function laneFault(text: string): string | undefined {
  if (LANE.test(text)) return undefined;
  return 'must be key, round-robin, a number, or a template that gives one';
}

function laneChoice(partition: string): LaneChoice {
  if (partition === 'key') return () => undefined;
  if (partition === 'round-robin') {
    let next = 0;
    return () => (next = (next + 1) % Number.MAX_SAFE_INTEGER);
  }
  const template = new Template(partition, messagePlaceholder);
  return (message) => {
    const text = template.render(message);
    return LANE.test(text) ? Number(text) : NaN;
  };
}
