import {
  PublishError,
  encodeBatch,
  type ClusterBus,
  type Log,
  type Message,
  type Meter,
  type NodeRef,
  type PeerState,
  type Span,
} from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-codec';
import { encodeFrame } from './frame.ts';
import type { Obligations } from './obligations.ts';
import type { MessageSpans } from './spans/message-spans.ts';
import type { Flushable, Turn } from './turn.ts';

/** What one turn has for one node. */
interface Parcel {
  readonly node: NodeRef;
  /** The shared subscription that it is for; undefined for all who match. */
  readonly group: string | undefined;
  live: Message[];
  durable: Message[];
  durableBytes: number;
  waiting: Obligations[];
  /** Of those that are sampled. */
  liveSpans: Span[] | undefined;
  durableSpans: Span[] | undefined;
}

/** Who waits for a frame, and what is traced of it. */
interface Sent {
  readonly waiting: readonly Obligations[];
  readonly spans: readonly Span[] | undefined;
}

/** What an outbox works with. */
interface OutboxParts {
  readonly turn: Turn;
  readonly meter: Meter;
  readonly log: Log;
  readonly spans?: MessageSpans | undefined;
}

/** A frame is cut at this many bytes of messages: a Redis entry should stay small. */
const FRAME_BYTES_MAX = 256 * 1024;

/** Collects what a turn sends to other nodes: one frame per node and kind. */
export class Outbox implements Flushable {
  readonly #bus: ClusterBus;
  readonly #parts: OutboxParts;
  readonly #parcels = new Map<string, Parcel>();
  /** Messages that are handed over and not stored yet. */
  readonly #backlog = new Map<string, { readonly node: NodeRef; messages: number }>();

  constructor(bus: ClusterBus, parts: OutboxParts) {
    this.#bus = bus;
    this.#parts = parts;
  }

  /** How many messages are handed over and not stored yet, by what the nodes are that they are for. */
  get backlog(): Readonly<Record<PeerState, number>> {
    const backlog = { alive: 0, draining: 0, left: 0 };
    const nodes = this.#bus.nodes();
    for (const { node, messages } of this.#backlog.values()) {
      const { nodeId, incarnation } = node;
      const peer = nodes.find((each) => each.nodeId === nodeId && each.incarnation === incarnation);
      backlog[peer?.state ?? 'left'] += messages;
    }
    return backlog;
  }

  /** QoS 0: fire and forget. */
  live(node: NodeRef, message: Message): void {
    this.#addLive(this.#parcelFor(node, undefined), message);
  }

  /** QoS 1 and 2: the obligation ends when the node's inbox has the message. */
  durable(node: NodeRef, message: Message, obligations: Obligations): void {
    this.#add(this.#parcelFor(node, undefined), message, obligations);
  }

  /** QoS 0, for one member of a shared subscription. */
  liveToGroup(node: NodeRef, group: string, message: Message): void {
    this.#addLive(this.#parcelFor(node, group), message);
  }

  /** QoS 1 and 2, for one member of a shared subscription. */
  durableToGroup(node: NodeRef, to: { group: string; message: Message }, done: Obligations): void {
    this.#add(this.#parcelFor(node, to.group), to.message, done);
  }

  #addLive(parcel: Parcel, message: Message): void {
    parcel.live.push(message);
    if (message.trace === undefined) return;
    parcel.liveSpans ??= [];
    this.#trace(message, parcel.node, parcel.liveSpans);
  }

  #trace(message: Message, node: NodeRef, spans: Span[]): void {
    const span = this.#parts.spans?.forward(message, node);
    if (span !== undefined) spans.push(span);
  }

  #add(parcel: Parcel, message: Message, obligations: Obligations): void {
    parcel.durable.push(message);
    if (message.trace !== undefined) {
      parcel.durableSpans ??= [];
      this.#trace(message, parcel.node, parcel.durableSpans);
    }
    parcel.waiting.push(obligations);
    obligations.begin();
    parcel.durableBytes += sizeOf(message);
    if (parcel.durableBytes > FRAME_BYTES_MAX) this.#sendDurable(parcel);
  }

  /** Hands a message to the node that now owns a session, for that session alone. */
  directed(node: NodeRef, letter: { clientId: string; message: Message }, done: Obligations): void {
    done.begin();
    const frame = encodeFrame({
      kind: 'directed',
      clientId: letter.clientId,
      batch: encodeBatch([letter.message]),
    });
    const spans: Span[] = [];
    if (letter.message.trace !== undefined) this.#trace(letter.message, node, spans);
    this.#append(node, frame, { waiting: [done], spans });
  }

  flush(): void {
    if (this.#parcels.size === 0) return;
    for (const parcel of this.#parcels.values()) {
      if (parcel.live.length > 0) {
        const { length } = parcel.live;
        this.#bus.sendLive(parcel.node.nodeId, frameOf(parcel.group, parcel.live), length);
        this.#parts.meter.clusterMessages('out', 'redis_pubsub', length);
        for (const span of parcel.liveSpans ?? []) span.end();
      }
      if (parcel.durable.length > 0) this.#sendDurable(parcel);
    }
    this.#parcels.clear();
  }

  #parcelFor(node: NodeRef, group: string | undefined): Parcel {
    const key = `${node.nodeId}#${node.incarnation} ${group ?? ''}`;
    const known = this.#parcels.get(key);
    if (known !== undefined) return known;
    const made: Parcel = {
      node,
      group,
      live: [],
      durable: [],
      durableBytes: 0,
      waiting: [],
      liveSpans: undefined,
      durableSpans: undefined,
    };
    this.#parcels.set(key, made);
    this.#parts.turn.touch();
    return made;
  }

  #sendDurable(parcel: Parcel): void {
    const frame = frameOf(parcel.group, parcel.durable);
    this.#append(parcel.node, frame, { waiting: parcel.waiting, spans: parcel.durableSpans });
    parcel.durable = [];
    parcel.durableSpans = undefined;
    parcel.waiting = [];
    parcel.durableBytes = 0;
  }

  #owe(node: NodeRef, messages: number): void {
    const key = `${node.nodeId}#${node.incarnation}`;
    const owed = this.#backlog.get(key) ?? { node, messages: 0 };
    owed.messages += messages;
    if (owed.messages === 0) this.#backlog.delete(key);
    else this.#backlog.set(key, owed);
  }

  #append(node: NodeRef, frame: Uint8Array, sent: Sent): void {
    const { waiting, spans } = sent;
    this.#parts.meter.clusterMessages('out', 'redis_stream', waiting.length);
    this.#owe(node, waiting.length);
    this.#bus.sendDurable(node, frame).then(
      () => {
        this.#owe(node, -waiting.length);
        for (const span of spans ?? []) span.end();
        for (const obligations of waiting) obligations.end();
      },
      (error: unknown) => {
        this.#owe(node, -waiting.length);
        this.#parts.log.warn('inbox-append-failed', { node: node.nodeId, reason: String(error) });
        const failure = new PublishError('STORE_UNAVAILABLE', 'another node could not be reached');
        for (const span of spans ?? []) span.end(failure.code);
        for (const obligations of waiting) obligations.end(failure);
      },
    );
  }
}

function frameOf(group: string | undefined, messages: readonly Message[]): Uint8Array {
  const batch = encodeBatch(messages);
  return encodeFrame(
    group === undefined ? { kind: 'routed', batch } : { kind: 'grouped', group, batch },
  );
}
