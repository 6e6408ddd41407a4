import { randomBytes } from 'node:crypto';
import type {
  AdminPublication,
  DelayedStore,
  Message,
  NodeAdmin,
  RetainedStore,
  WaitingMessage,
} from '#libs/broker-ports';
import type {
  CommandOf,
  MessageAnswers,
  MessageCommand,
  NodeAnswers,
  NodeCommand,
  WireDelayed,
  WireOrigin,
  WirePage,
  WirePublication,
  WirePublished,
  WireRefusal,
  WireRequested,
  WireRetained,
} from '#libs/api-contracts';
import { matches, topicNameFault } from '#libs/topic-index';
import { bounded } from './bounded.ts';
import { base64, injectedOf, wirePropertiesOf, wireRetainedOf, withTraceparent } from './wire.ts';

/** What commands on messages work on. */
export interface MessageCommandsOptions {
  readonly admin: Pick<NodeAdmin, 'publish' | 'request' | 'identify'>;
  readonly retained: RetainedStore;
  readonly delayed: DelayedStore;
  /** The bounds of delayed messages; undefined where delayed publish is switched off. */
  readonly delays:
    | { readonly secondsMax: number; readonly messagesMax: number; readonly bytesMax: number }
    | undefined;
  readonly topicLevelsMax: number;
  /** Whether messages go on with the trace of the request that publishes them. */
  readonly isTraced?: boolean;
}

/** A page of messages ends after this many bytes of payload, and holds one message at least. */
const PAGE_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;

/** How many delayed messages are looked at for one page of those that a filter matches. */
const DELAYED_LOOKED_AT_MAX = 10_000;

/** What cannot be guessed. */
const TOKEN_BYTES = 18;

const KINDS: Readonly<Record<MessageCommand['kind'], true>> = {
  publish: true,
  'publish-many': true,
  request: true,
  retained: true,
  'clear-retained': true,
  'clear-retained-matching': true,
  delayed: true,
  'delayed-message': true,
  delay: true,
  'cancel-delayed': true,
};

/** Whether a command is about messages. */
export function isMessageCommand(command: NodeCommand): command is MessageCommand {
  return command.kind in KINDS;
}

/** Messages as the API publishes and sees them. */
export class MessageCommands {
  readonly #options: MessageCommandsOptions;

  constructor(options: MessageCommandsOptions) {
    this.#options = options;
  }

  /** Carries a command out. */
  answer(
    command: MessageCommand,
    origin?: WireOrigin,
  ): Promise<MessageAnswers[MessageCommand['kind']]> {
    const traceparent = this.#options.isTraced ? origin?.traceparent : undefined;
    switch (command.kind) {
      case 'publish':
        return this.#publish(command, traceparent);
      case 'publish-many':
        return this.#publishMany(command.publications, traceparent);
      case 'request':
        return this.#request(command);
      case 'retained':
        return this.#listRetained(command);
      case 'clear-retained':
        return this.#clearRetained(command.topic);
      case 'clear-retained-matching':
        return this.#clearMatching(command);
      case 'delayed':
        return this.#listDelayed(command);
      case 'delayed-message':
        return this.#showDelayed(command);
      case 'delay':
        return this.#delay(command);
      case 'cancel-delayed':
        return this.#options.delayed.remove(command.id).then((found) => ({ found }));
    }
  }

  async #publish(
    { message, asClientId }: WirePublication,
    traceparent: string | undefined,
  ): Promise<WirePublished> {
    const placed = withTraceparent(injectedOf(message), traceparent);
    const outcome = await this.#options.admin.publish(placed, asClientId);
    if (outcome.kind !== 'taken') return refusalOf(outcome);
    const { matched, identity } = outcome;
    return { kind: 'taken', matched, messageId: idOf(identity) };
  }

  /** All begin in this turn, so that they keep their order. */
  async #publishMany(
    publications: readonly WirePublication[],
    traceparent: string | undefined,
  ): Promise<NodeAnswers['publish-many']> {
    const published = publications.map((each) => this.#publish(each, traceparent));
    return { outcomes: await Promise.all(published) };
  }

  async #request(command: CommandOf<'request'>): Promise<WireRequested> {
    const { responseTopic, timeoutMs, asClientId } = command;
    const message = injectedOf(command.message);
    const pending = this.#options.admin.request({
      message,
      asClientId,
      responseTopic,
      token: randomBytes(TOKEN_BYTES).toString('base64url'),
      correlationData: message.properties?.correlationData ?? randomBytes(TOKEN_BYTES),
    });
    const timer = setTimeout(() => pending.cancel(), timeoutMs);
    try {
      const outcome = await pending.outcome;
      if (outcome.kind === 'answered') {
        const messageId = idOf(outcome.identity);
        return { kind: 'answered', messageId, response: responseOf(outcome.response) };
      }
      return outcome.kind === 'refused' || outcome.kind === 'not-connected'
        ? refusalOf(outcome)
        : { kind: outcome.kind };
    } finally {
      clearTimeout(timer);
    }
  }

  async #listRetained({ query }: CommandOf<'retained'>): Promise<WirePage<WireRetained>> {
    const { payload, ...rest } = query;
    const page = await this.#options.retained.list(bounded(rest));
    const items: WireRetained[] = [];
    let bytes = 0;
    for (const message of page.messages) {
      bytes += payload ? message.payload.byteLength : 0;
      if (items.length > 0 && bytes > PAGE_PAYLOAD_BYTES_MAX) return { items, hasMore: true };
      items.push(wireRetainedOf(message, payload));
    }
    return { items, hasMore: page.nextAfter !== undefined };
  }

  async #clearRetained(topic: string): Promise<NodeAnswers['clear-retained']> {
    const { retained } = this.#options;
    const { messages } = await retained.list({ filter: topic, limit: 1 });
    if (messages.length === 0) return { found: false };
    await retained.store([this.#removalOf(topic)]);
    return { found: true };
  }

  async #clearMatching(
    command: CommandOf<'clear-retained-matching'>,
  ): Promise<NodeAnswers['clear-retained-matching']> {
    const { retained } = this.#options;
    const { filter, after, limit } = bounded(command);
    const page = await retained.list({
      filter,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    const topics = page.messages.map(({ topic }) => topic);
    if (!command.dryRun) await retained.store(topics.map((topic) => this.#removalOf(topic)));
    return { topics, hasMore: page.nextAfter !== undefined };
  }

  /** An empty payload removes [MQTT-3.3.1-6]. The message goes to no subscriber. */
  #removalOf(topic: string): Message {
    return this.#options.admin.identify({
      topic,
      payload: new Uint8Array(0),
      qos: 0,
      retain: true,
    });
  }

  async #listDelayed({ query }: CommandOf<'delayed'>): Promise<NodeAnswers['delayed']> {
    const { limit, filter, dueBeforeMs = Infinity, payload } = bounded(query);
    const items: WireDelayed[] = [];
    let { after } = query;
    let bytes = 0;
    for (let looked = 0; looked < DELAYED_LOOKED_AT_MAX;) {
      const page = await this.#options.delayed.page({ after, limit });
      for (const waiting of page.items) {
        if (waiting.dueAtMs > dueBeforeMs) return { items };
        const { id, dueAtMs, message } = waiting;
        const isWanted = filter === undefined || matches(filter, message.topic);
        bytes += isWanted && payload ? message.payload.byteLength : 0;
        const isFull = items.length === limit || bytes > PAGE_PAYLOAD_BYTES_MAX;
        if (isWanted && isFull && items.length > 0) return { items, next: after };
        if (isWanted) items.push(delayedOf(waiting, payload));
        after = { id, dueAtMs };
      }
      looked += page.items.length;
      if (page.next === undefined) return { items };
      after = page.next;
      if (items.length === limit) break;
    }
    return { items, next: after };
  }

  async #showDelayed({
    id,
    payload,
  }: CommandOf<'delayed-message'>): Promise<NodeAnswers['delayed-message']> {
    const waiting = await this.#options.delayed.get(id);
    return { message: waiting && delayedOf(waiting, payload) };
  }

  async #delay({ message, delayMs }: CommandOf<'delay'>): Promise<NodeAnswers['delay']> {
    const { admin, delayed, delays, topicLevelsMax } = this.#options;
    if (delays === undefined) return { kind: 'disabled' };
    if (delayMs > delays.secondsMax * 1000) {
      return { kind: 'invalid', detail: `The delay is longer than ${delays.secondsMax} s` };
    }
    const fault = topicNameFault(message.topic, topicLevelsMax);
    if (fault !== undefined) return { kind: 'invalid', detail: fault };
    if (/^\$(?:SYS|delayed)\//u.test(message.topic)) {
      return { kind: 'invalid', detail: 'The topic is not one that can be published to later' };
    }
    const own = admin.identify(injectedOf(message));
    const place = await delayed.put({ message: own, delayMs }, delays);
    if (place === undefined) return { kind: 'full' };
    return { kind: 'stored', message: delayedOf({ ...place, message: own }, false) };
  }
}

function refusalOf(outcome: Exclude<AdminPublication, { readonly kind: 'taken' }>): {
  readonly kind: 'refused';
  readonly code: WireRefusal;
} {
  const isThere = outcome.kind === 'refused';
  return { kind: 'refused', code: isThere ? outcome.error.code : 'NOT_CONNECTED' };
}

/** As records in Kafka have it. */
function idOf({ source, sequence }: Pick<Message, 'source' | 'sequence'>): string {
  return `${source.nodeId}-${source.incarnation}-${sequence}`;
}

function responseOf(message: Message) {
  return {
    topic: message.topic,
    payload: base64(message.payload),
    publisher: message.publisher,
    receivedAtMs: message.receivedAtMs,
    properties: wirePropertiesOf(message.properties ?? {}),
  };
}

function delayedOf({ id, dueAtMs, message }: WaitingMessage, withPayload: boolean): WireDelayed {
  return { ...wireRetainedOf(message, withPayload), id, dueAtMs, retain: message.retain };
}
