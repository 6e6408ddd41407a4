import type {
  MessageAnswers,
  MessageCommand,
  NodeCommand,
  WireDelayed,
  WirePublication,
  WirePublished,
  WireRefusal,
  WireRequested,
  WireRetained,
} from '#libs/api-contracts';

const KINDS: ReadonlySet<string> = new Set<MessageCommand['kind']>([
  ...(['publish', 'publish-many', 'request', 'retained', 'clear-retained'] as const),
  ...(['clear-retained-matching', 'delayed', 'delayed-message', 'delay'] as const),
  'cancel-delayed',
]);

/** Whether a command is about messages. */
export function isOnMessages(command: NodeCommand): command is MessageCommand {
  return KINDS.has(command.kind);
}

/** The first items, and whether there are more. */
export function pageOf<Item>(items: readonly Item[], limit: number) {
  return { items: items.slice(0, limit), hasMore: items.length > limit };
}

/** What a node with a few messages in memory answers. */
export class FakeMessages {
  readonly retained = new Map<string, WireRetained>();
  readonly delayed = new Map<string, WireDelayed>();
  refusal: WireRefusal | undefined;
  response: WireRequested = { kind: 'no-response' };

  answer(command: MessageCommand): MessageAnswers[MessageCommand['kind']] {
    switch (command.kind) {
      case 'publish':
        return this.publish(command);
      case 'publish-many':
        return { outcomes: command.publications.map((each) => this.publish(each)) };
      case 'request':
        return this.response;
      case 'retained': {
        const { after = '', limit, filter } = command.query;
        const found = [...this.retained.values()].filter(({ topic }) => topic > after);
        return pageOf(
          found.filter(({ topic }) => /[#+]/.test(filter) || topic === filter),
          limit,
        );
      }
      case 'clear-retained':
        return { found: this.retained.delete(command.topic) };
      case 'clear-retained-matching': {
        const topics = [...this.retained.keys()].filter((topic) => topic > (command.after ?? ''));
        const { items, hasMore } = pageOf(topics.toSorted(), command.limit);
        if (!command.dryRun) for (const topic of items) this.retained.delete(topic);
        return { topics: items, hasMore };
      }
      case 'delayed': {
        const { after, limit } = command.query;
        const all = [...this.delayed.values()].filter(({ id }) => id > (after?.id ?? ''));
        const last = all[limit - 1];
        const next =
          all.length > limit && last ? { id: last.id, dueAtMs: last.dueAtMs } : undefined;
        return { items: all.slice(0, limit), next };
      }
      case 'delayed-message':
        return { message: this.delayed.get(command.id) };
      case 'delay':
        return this.delay(command);
      case 'cancel-delayed':
        return { found: this.delayed.delete(command.id) };
    }
  }

  private publish({ message }: WirePublication): WirePublished {
    if (this.refusal !== undefined) return { kind: 'refused', code: this.refusal };
    if (message.retain) this.retained.set(message.topic, retainedOf(message));
    return { kind: 'taken', matched: message.topic === 'nobody' ? 0 : 3, messageId: 'n1-1-7' };
  }

  private delay({
    message,
    delayMs,
  }: Extract<MessageCommand, { kind: 'delay' }>): MessageAnswers['delay'] {
    if (message.topic === 'full' || message.topic === 'disabled') return { kind: message.topic };
    if (message.topic === 'invalid') return { kind: 'invalid', detail: 'The delay is too long' };
    const id = String(this.delayed.size + 1);
    const { retain } = message;
    const stored = { ...retainedOf(message), id, retain, dueAtMs: 1_000_000 + delayMs };
    this.delayed.set(id, stored);
    return { kind: 'stored', message: stored };
  }
}

function retainedOf({ topic, payload, qos, properties }: WirePublication['message']): WireRetained {
  const payloadBytes = Buffer.byteLength(payload, 'base64');
  const times = { receivedAtMs: 5, expiresAtMs: 0 };
  return {
    topic,
    qos,
    payload,
    payloadBytes,
    publisher: '',
    ...times,
    properties: properties ?? {},
  };
}
