import { REASON, type PublishPacket, type ReasonCode } from '#libs/mqtt-codec';
import { isFalseText } from './false-text.ts';
import { Fifo } from './fifo.ts';
import type { PublishAck, SessionOutput } from './session-output.ts';

const LATE = 'no responsibility in time';
const FALSE_TEXT = 'the payload is not UTF-8';

/** What a connection has agreed on for messages from its client. */
export interface InboundTerms {
  readonly reasonCodes: boolean;
  /** Whether the client is to be told in words, too [MQTT-3.1.2-29]. */
  readonly reasonStrings: boolean;
  /** Whether a payload that is declared as text must be UTF-8. */
  readonly payloadFormatCheck: boolean;
  readonly receiveMaximum: number;
  readonly topicAliasMaximum: number;
}

/**
 * An acknowledgement that waits for responsibility. Acknowledgements leave in the order in which the messages
 * came [MQTT-4.6.0-2], so an early completion waits for its predecessors.
 */
class PendingAck implements PublishAck {
  readonly packetId: number;
  readonly qos: 1 | 2;
  startedAtMs: number;
  /** False once its connection has ended: its completion decides about a packet id of QoS 2, and sends nothing. */
  isAwaited = true;
  reasonCode: ReasonCode | undefined;
  reason: string | undefined;
  readonly #owner: Inbound;

  constructor(owner: Inbound, packet: PublishPacket, startedAtMs: number) {
    this.#owner = owner;
    this.packetId = packet.packetId;
    this.qos = packet.qos === 2 ? 2 : 1;
    this.startedAtMs = startedAtMs;
  }

  get isComplete(): boolean {
    return this.reasonCode !== undefined;
  }

  complete(reasonCode: ReasonCode, reason?: string): void {
    if (this.isComplete) return;
    this.reasonCode = reasonCode;
    this.reason = reason;
    this.#owner.settled(this);
  }
}

/**
 * Where a QoS 2 exchange stands: its obligations are not met yet; a former owner of the session has begun to take the message, and
 * may have acknowledged it; it is taken and PUBREL is still to come; PUBREL has come and the store is to forget the packet id.
 */
type Exchange = PendingAck | 'begun' | 'taken' | 'forgetting';

/** The QoS 2 packet ids that the store of a durable session knows. */
export interface StoredReceipts {
  readonly receivedPacketIds: readonly number[];
  readonly receiving: readonly { readonly packetId: number }[];
}

/** Messages from a client: aliases, the receive window, QoS 2 packet ids and the order of acknowledgements. */
export class Inbound {
  readonly #output: SessionOutput;
  #terms: InboundTerms = {
    reasonCodes: false,
    reasonStrings: false,
    payloadFormatCheck: false,
    receiveMaximum: 65_535,
    topicAliasMaximum: 0,
  };
  #durable = false;
  #aliases: Map<number, string> | undefined;
  readonly #pending = new Fifo<PendingAck>();
  #held = false;
  /** By packet id. They outlive a connection, as the session does; most sessions never have one. */
  #exchanges: Map<number, Exchange> | undefined;
  /** This connection's exchanges of QoS 1 and 2 that are not finished: what Receive Maximum counts [MQTT-4.9.0-1]. */
  #open = 0;

  constructor(output: SessionOutput) {
    this.#output = output;
  }

  /** The topic of a PUBLISH of this connection, also where an alias stands for it; empty if that is not set. */
  topicOf({ topic, properties }: Pick<PublishPacket, 'topic' | 'properties'>): string {
    return topic === '' ? (this.#aliases?.get(properties?.topicAlias ?? 0) ?? '') : topic;
  }

  /** Messages whose acknowledgement is due. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Begins a connection. The stored packet ids join those known here, which may be ahead of the store. */
  attach(terms: InboundTerms, stored: StoredReceipts | undefined): void {
    this.#terms = terms;
    this.#durable = stored !== undefined;
    for (const packetId of stored?.receivedPacketIds ?? []) this.#set(packetId, 'taken');
    for (const { packetId } of stored?.receiving ?? []) {
      if (this.#exchanges?.has(packetId) !== true) this.#set(packetId, 'begun');
    }
    this.#open = 0;
  }

  /** Ends a connection: what was not acknowledged stays so, and its completion sends nothing. */
  detach(): void {
    for (const ack of this.#pending) ack.isAwaited = false;
    this.#pending.clear();
    for (const [packetId, exchange] of this.#exchanges ?? []) {
      if (exchange === 'forgetting') this.#set(packetId, 'taken');
    }
    this.#aliases = undefined;
    this.#held = false;
  }

  /** A PUBLISH has come. Ends the connection on a bad topic alias [MQTT-3.3.2-9] or one message above Receive Maximum. */
  publish(packet: PublishPacket, nowMs: number): void {
    const resolved = this.#resolveAlias(packet);
    if (resolved === undefined) return;
    const isRefused = this.#terms.payloadFormatCheck && isFalseText(resolved);
    if (resolved.qos === 0) {
      if (isRefused) return this.#output.close(REASON.payloadFormatInvalid, FALSE_TEXT);
      return this.#output.publish(resolved, undefined);
    }
    const isRepeat = resolved.qos === 2 && this.#recognise(resolved.packetId, nowMs);
    if (isRepeat || this.#exceedsReceiveMaximum()) return;
    const ack = new PendingAck(this, resolved, nowMs);
    if (resolved.qos === 2) this.#set(resolved.packetId, ack);
    this.#await(ack);
    if (isRefused) ack.complete(REASON.payloadFormatInvalid, FALSE_TEXT);
    else this.#output.publish(resolved, ack);
  }

  /** PUBREL: the client will not send this packet id's message again [MQTT-4.3.3-11]. */
  release(packetId: number): void {
    const exchange = this.#exchanges?.get(packetId);
    if (exchange === 'forgetting') return;
    // PUBREC has gone out for what was begun, whether or not the store was told in time.
    if (exchange !== 'taken' && exchange !== 'begun') {
      const reason = this.#terms.reasonCodes ? REASON.packetIdentifierNotFound : REASON.success;
      this.#output.sendAck('pubcomp', packetId, reason);
      return;
    }
    if (this.#durable) {
      this.#set(packetId, 'forgetting');
      this.#output.forget(packetId);
    } else {
      this.#finish(packetId);
    }
  }

  /** The store has forgotten the packet id: PUBCOMP may go out, and the id may be used anew. */
  forgotten(packetId: number): void {
    if (this.#exchanges?.get(packetId) === 'forgetting') this.#finish(packetId);
  }

  /**
   * Refuses what came before a point in time and still waits for responsibility.
   *
   * @remarks Where no refusal can be told, the connection ends and the message stays under way: the client sends it again.
   * So it does with a QoS 2 message of a durable session, whose packet id the store knows.
   */
  giveUp(beforeMs: number): void {
    let head = this.#pending.peek();
    while (head !== undefined && head.startedAtMs < beforeMs) {
      if (!this.#terms.reasonCodes || (this.#durable && head.qos === 2)) {
        return this.#output.close(REASON.quotaExceeded, LATE);
      }
      head.complete(REASON.quotaExceeded, LATE);
      const next = this.#pending.peek();
      if (next === head) return;
      head = next;
    }
  }

  /**
   * Called by a PendingAck.
   *
   * @internal
   */
  settled(ack: PendingAck): void {
    if (ack.qos === 2) {
      const isTaken = ack.reasonCode !== undefined && ack.reasonCode < 0x80;
      if (isTaken) this.#set(ack.packetId, 'taken');
      else this.#exchanges?.delete(ack.packetId);
    }
    if (!ack.isAwaited) return;
    let head = this.#pending.peek();
    while (head?.reasonCode !== undefined) {
      this.#pending.shift();
      if (!this.#answer(head, head.reasonCode)) return;
      head = this.#pending.peek();
    }
    if (this.#held && this.#pending.size * 2 <= this.#terms.receiveMaximum) {
      this.#held = false;
      this.#output.holdReading(false);
    }
  }

  #finish(packetId: number): void {
    this.#exchanges?.delete(packetId);
    // An exchange that began on an earlier connection was not counted on this one.
    if (this.#open > 0) this.#open -= 1;
    this.#output.sendAck('pubcomp', packetId, REASON.success);
  }

  /** MQTT 3.1.1 cannot refuse a message: no acknowledgement and a closed connection make the client send it again. */
  #answer(ack: PendingAck, reasonCode: ReasonCode): boolean {
    if (reasonCode >= 0x80 && !this.#terms.reasonCodes) {
      this.#output.close(reasonCode, 'the message could not be taken');
      return false;
    }
    if (ack.qos === 1 || reasonCode >= 0x80) this.#open -= 1;
    const { packetId, reason } = ack;
    const kind = ack.qos === 1 ? 'puback' : 'pubrec';
    if (reason === undefined || !this.#terms.reasonStrings) {
      this.#output.sendAck(kind, packetId, reasonCode);
    } else {
      this.#output.send({ kind, packetId, reasonCode, properties: { reasonString: reason } });
    }
    return true;
  }

  #await(ack: PendingAck): void {
    this.#pending.push(ack);
    this.#open += 1;
    this.#hold();
  }

  #set(packetId: number, exchange: Exchange): void {
    this.#exchanges ??= new Map();
    this.#exchanges.set(packetId, exchange);
  }

  #recognise(packetId: number, nowMs: number): boolean {
    const exchange = this.#exchanges?.get(packetId);
    if (exchange === undefined || exchange === 'begun') return false;
    this.#output.duplicate();
    if (exchange === 'taken' || exchange === 'forgetting') {
      this.#output.sendAck('pubrec', packetId, REASON.success);
    } else if (!exchange.isAwaited) {
      exchange.isAwaited = true;
      exchange.startedAtMs = nowMs;
      this.#await(exchange);
    }
    return true;
  }

  #exceedsReceiveMaximum(): boolean {
    if (!this.#terms.reasonCodes) return false;
    if (this.#open < this.#terms.receiveMaximum) return false;
    this.#output.close(REASON.receiveMaximumExceeded, 'more messages in flight than allowed');
    return true;
  }

  /** MQTT 3.1.1 has no receive maximum: the socket is not read while too much is unacknowledged. */
  #hold(): void {
    if (this.#terms.reasonCodes || this.#held) return;
    if (this.#pending.size < this.#terms.receiveMaximum) return;
    this.#held = true;
    this.#output.holdReading(true);
  }

  #resolveAlias(packet: PublishPacket): PublishPacket | undefined {
    const alias = packet.properties?.topicAlias;
    if (alias === undefined) return packet;
    if (alias > this.#terms.topicAliasMaximum) {
      this.#output.close(REASON.topicAliasInvalid, 'topic alias above the maximum');
      return undefined;
    }
    this.#aliases ??= new Map();
    const topic = packet.topic === '' ? this.#aliases.get(alias) : packet.topic;
    if (topic === undefined) {
      this.#output.close(REASON.topicAliasInvalid, 'topic alias not set');
      return undefined;
    }
    this.#aliases.set(alias, topic);
    const { topicAlias: _, ...properties } = packet.properties ?? {};
    return { ...packet, topic, properties };
  }
}
