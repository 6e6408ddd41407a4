import type { Message } from '#libs/broker-ports';
import {
  bufferOf,
  DocumentKind,
  ExpressionDocument,
  groupsOf,
  type PayloadFields,
} from './expression-document.ts';

/**
 * What expressions see of a message; everything else is undefined.
 *
 * @remarks Members that cost something are read when the expression asks for them, so `qos = 1 and payload.t > 30`
 * does not parse the payload of a message with QoS 0.
 */
export interface MessageFields extends PayloadFields {
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
  readonly contentType: string | undefined;
  readonly responseTopic: string | undefined;
  /** In base64. */
  readonly correlationData: string | undefined;
  /** A text for each name, or a list when the name is repeated. */
  readonly userProperties: Readonly<Record<string, string | readonly string[]>>;
}

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

/** Documents of messages. */
export const MESSAGES = new DocumentKind({ plural: 'messages', fields: Object.keys(FIELDS) });

/** Finds the user name of a client; undefined when it has none, or is not known. */
export type UsernameOf = (clientId: string) => string | undefined;

/** A message as expressions see it. */
export class MessageDocument extends ExpressionDocument {
  readonly #message: Message;
  readonly #usernameOf: UsernameOf | undefined;

  constructor(message: Message, usernameOf?: UsernameOf) {
    super(message.payload);
    this.#message = message;
    this.#usernameOf = usernameOf;
  }

  override get kind(): DocumentKind {
    return MESSAGES;
  }

  protected override readField(name: string): unknown {
    const message = this.#message;
    switch (name) {
      case 'topic':
        return message.topic;
      case 'levels':
        return message.topic.split('/');
      case 'clientId':
        return message.publisher;
      case 'username':
        return this.#usernameOf?.(message.publisher);
      case 'qos':
        return message.qos;
      case 'retain':
        return message.retain;
      case 'node':
        return message.source.nodeId;
      case 'receivedAt':
        return message.receivedAtMs;
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
}
