import { isUtf8 } from 'node:buffer';
import type { Message } from '#libs/broker-ports';
import { Stop } from './faults.ts';
import { RESERVED_NAMES } from './reserved-names.ts';

/**
 * What expressions see of a message; everything else is undefined.
 *
 * @remarks Members that cost something are read when the expression asks for them, so `qos = 1 and payload.t > 30`
 * does not parse the payload of a message with QoS 0.
 */
export interface MessageFields {
  readonly topic: string;
  /** The levels of the topic: `levels[0]` is the first. */
  readonly levels: readonly string[];
  /** Client id of the publisher; empty for the broker itself. */
  readonly clientId: string;
  /** Undefined when the publisher has none, or it is not known. */
  readonly username: string | undefined;
  readonly qos: number;
  readonly retain: boolean;
  /** Id of the node that took the message. */
  readonly node: string;
  /** When it was taken, in milliseconds since 1970; `$fromMillis(receivedAt)` makes it a text. */
  readonly receivedAt: number;
  /** The payload as JSON; undefined when it is empty. To ask for one that is not JSON is a fault of the stage `payload`. */
  readonly payload: unknown;
  /** The payload as text; to ask for one that is not UTF-8 is a fault of the stage `payload`. */
  readonly payloadText: string;
  readonly payloadBase64: string;
  readonly payloadBytes: number;
  readonly contentType: string | undefined;
  readonly responseTopic: string | undefined;
  /** In base64. */
  readonly correlationData: string | undefined;
  /** A text for each name, or a list when the name is repeated. */
  readonly userProperties: Readonly<Record<string, string | readonly string[]>>;
}

type UserProperties = NonNullable<NonNullable<Message['properties']>['userProperties']>;

const FIELDS: Readonly<Record<keyof MessageFields, true>> = {
  topic: true,
  levels: true,
  clientId: true,
  username: true,
  qos: true,
  retain: true,
  node: true,
  receivedAt: true,
  payload: true,
  payloadText: true,
  payloadBase64: true,
  payloadBytes: true,
  contentType: true,
  responseTopic: true,
  correlationData: true,
  userProperties: true,
};

/** The names an expression may begin with. */
export const FIELD_NAMES: readonly string[] = Object.keys(FIELDS);

/** What a payload may be. */
export interface PayloadLimits {
  readonly valueBytesMax: number;
  readonly depthMax: number;
}

/**
 * A message as expressions see it. All expressions of all rules may share the document of a message.
 *
 * @remarks Reads the message's bytes when they are first asked for: use it only as long as those live.
 */
export class MessageDocument {
  readonly #message: Message;
  readonly #username: string | undefined;
  #parsed: { readonly payload: unknown } | undefined;
  #limits: PayloadLimits = { valueBytesMax: 0, depthMax: 0 };

  constructor(message: Message, username?: string) {
    this.#message = message;
    this.#username = username;
  }

  /** The value of a field; undefined when there is none of that name. @internal */
  read(name: string): unknown {
    const message = this.#message;
    switch (name) {
      case 'topic':
        return message.topic;
      case 'levels':
        return message.topic.split('/');
      case 'clientId':
        return message.publisher;
      case 'username':
        return this.#username;
      case 'qos':
        return message.qos;
      case 'retain':
        return message.retain;
      case 'node':
        return message.source.nodeId;
      case 'receivedAt':
        return message.receivedAtMs;
      case 'payload':
        return this.#payload();
      case 'payloadText':
        return textOf(message.payload);
      case 'payloadBase64':
        return bufferOf(message.payload).toString('base64');
      case 'payloadBytes':
        return message.payload.length;
      case 'contentType':
        return message.properties?.contentType;
      case 'responseTopic':
        return message.properties?.responseTopic;
      case 'correlationData': {
        const data = message.properties?.correlationData;
        return data === undefined ? undefined : bufferOf(data).toString('base64');
      }
      case 'userProperties':
        return groupsOf(message.properties?.userProperties ?? []);
      default:
        return undefined;
    }
  }

  /** What a value that the document holds takes, in bytes of JSON; undefined for every other value. @internal */
  sizeOf(value: unknown): number | undefined {
    const { length } = this.#message.payload;
    if (value === FIELDS_AT_HAND) return length * 4;
    return value === this.#parsed?.payload ? length : undefined;
  }

  /** Says under which limits the next expression reads. @internal */
  limit(limits: PayloadLimits): void {
    if (this.#limits === limits) return;
    this.#limits = limits;
    this.forget();
  }

  /** Makes the next expression parse anew, after one that may have changed what it read. @internal */
  forget(): void {
    this.#parsed = undefined;
  }

  #payload(): unknown {
    this.#parsed ??= { payload: this.#parse() };
    return this.#parsed.payload;
  }

  #parse(): unknown {
    const { payload } = this.#message;
    if (payload.length === 0) return undefined;
    if (payload.length > this.#limits.valueBytesMax) {
      throw refused(`is larger than ${this.#limits.valueBytesMax} bytes`);
    }
    let value: unknown;
    try {
      value = JSON.parse(textOf(payload));
    } catch {
      throw new Stop('PAYLOAD_NOT_JSON', 'the payload is not JSON');
    }
    inspect(value, this.#limits.depthMax);
    return value;
  }
}

let atHand: MessageDocument | undefined;

/**
 * The fields of the document at hand.
 *
 * @remarks The evaluator wants an object with members of its own, and to make one with getters takes longer than most
 * evaluations. One is enough, since evaluations are synchronous and do not nest.
 */
export const FIELDS_AT_HAND: object = Object.freeze(
  Object.defineProperties(
    {},
    Object.fromEntries(
      FIELD_NAMES.map((name) => [name, { enumerable: true, get: () => atHand?.read(name) }]),
    ),
  ),
);

/** Takes a document to hand; undefined lets go of it. */
export function takeToHand(document: MessageDocument | undefined): void {
  atHand = document;
}

function groupsOf(pairs: UserProperties): Record<string, string | readonly string[]> {
  const groups = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const earlier = groups.get(name);
    if (earlier === undefined) groups.set(name, value);
    else if (typeof earlier === 'string') groups.set(name, [earlier, value]);
    else earlier.push(value);
  }
  for (const name of RESERVED_NAMES) groups.delete(name);
  return Object.fromEntries(groups);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new Stop('PAYLOAD_NOT_TEXT', 'the payload is not UTF-8');
  return bufferOf(bytes).toString();
}

const refused = (why: string): Stop => new Stop('PAYLOAD_REFUSED', `the payload ${why}`);

/** Refuses what the evaluator must never see. Each level goes one call deeper, so the depth is looked at first. */
function inspect(value: unknown, depthLeft: number): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refused('holds a number out of range');
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depthLeft === 0) throw refused('nests too deeply');
  if (Array.isArray(value)) {
    for (const item of value) inspect(item, depthLeft - 1);
    return;
  }
  const members = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(members)) {
    if (RESERVED_NAMES.has(name)) throw refused(`holds the reserved name ${name}`);
    inspect(members[name], depthLeft - 1);
  }
}
