import { decodeBatch, type ClusterBus, type Message, type NodeRef } from '#libs/broker-ports';
import { nodeKey } from '#libs/cluster';
import { TopicTrie, isWildcard, parseShare, plainFilter } from '#libs/topic-index';
import { decodeFrame } from './frame.ts';

/** A message in an inbox, and where it stands in it. */
interface Left {
  readonly place: number;
  readonly message: Message;
}

/** What is known of one inbox. */
interface Inbox {
  readonly node: NodeRef;
  readonly byTopic: Map<string, Left[]>;
  /** What was passed on to one session alone, by its client. */
  readonly byClient: Map<string, Left[]>;
  /** The newest entry that was read. */
  last: string;
  count: number;
  /** How long the frames are that hold the messages. */
  bytes: number;
  usedAtMs: number;
  reading: Promise<void>;
  /** The read after the one under way: whoever asks now may rely on no other. */
  next: Promise<void> | undefined;
}

/** So much of an inbox is held, from its beginning; what is behind that comes from the node's heir. */
const MESSAGES_MAX = 200_000;
const BYTES_MAX = 64 * 1024 * 1024;
const KEPT_MS = 60_000;

/**
 * What lies in the inboxes of nodes that are dead or do not answer, for the sessions that are taken from them: it is older
 * than what comes to their new node directly. It stays there, for the heir.
 *
 * @remarks An inbox is read on from where the last read ended, once for all who ask at the same time.
 */
export class LeftMessages {
  readonly #bus: ClusterBus;
  readonly #nowMs: () => number;
  readonly #inboxes = new Map<string, Inbox>();

  constructor({ bus, nowMs }: { readonly bus: ClusterBus; readonly nowMs: () => number }) {
    this.#bus = bus;
    this.#nowMs = nowMs;
  }

  /**
   * The messages for a session in a node's inbox, in their order.
   *
   * @throws StoreUnavailableError when the inbox cannot be read.
   */
  async for(
    node: NodeRef,
    session: {
      readonly clientId: string;
      readonly subscriptions: readonly { readonly filter: string }[];
    },
  ): Promise<readonly Message[]> {
    const inbox = this.#inboxOf(node);
    inbox.next ??= inbox.reading
      .catch(() => undefined)
      .then(() => {
        inbox.next = undefined;
        inbox.reading = this.#readOn(inbox);
        return inbox.reading;
      });
    await inbox.next;
    const filters = session.subscriptions
      .filter(({ filter }) => parseShare(filter) === undefined)
      .map(({ filter }) => plainFilter(filter));
    const found = [...(inbox.byClient.get(session.clientId) ?? [])];
    for (const topic of topicsFor(filters, inbox.byTopic)) {
      found.push(...(inbox.byTopic.get(topic) ?? []));
    }
    return found.toSorted((one, other) => one.place - other.place).map(({ message }) => message);
  }

  /** Forgets inboxes that nobody has asked for lately. */
  sweep(): void {
    for (const [key, { usedAtMs }] of this.#inboxes) {
      if (usedAtMs < this.#nowMs() - KEPT_MS) this.#inboxes.delete(key);
    }
  }

  #inboxOf(node: NodeRef): Inbox {
    const key = nodeKey(node);
    const known = this.#inboxes.get(key);
    const inbox = known ?? {
      ...{ node, byTopic: new Map(), byClient: new Map(), last: '', count: 0, bytes: 0 },
      ...{ usedAtMs: 0, reading: Promise.resolve(), next: undefined },
    };
    inbox.usedAtMs = this.#nowMs();
    if (known === undefined) this.#inboxes.set(key, inbox);
    return inbox;
  }

  async #readOn(inbox: Inbox): Promise<void> {
    while (!isFull(inbox)) {
      const { batches, last } = await this.#bus.peekInbox(inbox.node, inbox.last);
      if (batches.length === 0) return;
      inbox.last = last;
      for (const { frame } of batches) {
        if (isFull(inbox)) return;
        keep(inbox, frame);
      }
    }
  }
}

function isFull({ count, bytes }: Inbox): boolean {
  return count >= MESSAGES_MAX || bytes >= BYTES_MAX;
}

function keep(inbox: Inbox, bytes: Uint8Array): void {
  const frame = decodeFrame(bytes);
  if (frame?.kind !== 'routed' && frame?.kind !== 'directed') return;
  inbox.bytes += bytes.length;
  for (const message of decodeBatch(frame.batch) ?? []) {
    inbox.count += 1;
    const left = { place: inbox.count, message };
    if (frame.kind === 'routed') add(inbox.byTopic, message.topic, left);
    else add(inbox.byClient, frame.clientId, left);
  }
}

function add(to: Map<string, Left[]>, key: string, left: Left): void {
  const known = to.get(key);
  if (known === undefined) to.set(key, [left]);
  else known.push(left);
}

/** The topics that any of the filters matches, each once. */
function topicsFor(filters: readonly string[], byTopic: ReadonlyMap<string, unknown>): Set<string> {
  const topics = new Set(filters.filter((filter) => byTopic.has(filter)));
  const wildcards = new TopicTrie<string>();
  for (const filter of filters) if (isWildcard(filter)) wildcards.add(filter, filter);
  if (wildcards.size === 0) return topics;
  const matching: string[] = [];
  for (const topic of byTopic.keys()) {
    matching.length = 0;
    wildcards.match(topic, matching);
    if (matching.length > 0) topics.add(topic);
  }
  return topics;
}
