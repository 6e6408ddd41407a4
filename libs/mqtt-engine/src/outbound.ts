import {
  REASON,
  type ProtocolVersion,
  type PublishTemplate,
  type ReasonCode,
} from '#libs/mqtt-codec';
import { Fifo } from './fifo.ts';
import type { EngineLimits } from './limits.ts';
import { SentAliases } from './sent-aliases.ts';
import type { EngineDropReason, Load, Position, SessionOutput } from './session-output.ts';
import type { DeliveryForm, OutboundMessage, SharedPublish } from './shared-publish.ts';

/** A QoS 1 or 2 message on its way to one receiver. */
export interface Delivery extends DeliveryForm {
  readonly qos: 1 | 2;
  readonly publish: SharedPublish;
  /** Its place in the stored queue of a durable session; undefined for a session that lives in memory. */
  readonly position: Position | undefined;
}

/** What a connection has agreed on for messages to its client. */
export interface OutboundTerms {
  readonly version: ProtocolVersion;
  /** The client's Receive Maximum, or our own bound if that is lower. */
  readonly window: number;
  /** The client's Maximum Packet Size; 0 for none. */
  readonly packetBytesMax: number;
  /** Topic aliases that may be set; 0 for none. */
  readonly topicAliasMaximum: number;
  /** The client sees what is below it, and sees it without. */
  readonly mountpoint?: string;
}

/** A message that was sent. */
export interface Inflight {
  /** Undefined when only PUBCOMP is awaited and the message is gone. */
  readonly delivery: Delivery | undefined;
  readonly qos: 1 | 2;
  /** What is awaited; `releasing`: that the store releases the message. */
  state: 'puback' | 'pubrec' | 'releasing' | 'pubcomp';
}

/** How many messages one read of the stored queue asks for: it bounds what a slow receiver holds in memory. */
export const READ_AHEAD_MESSAGES = 64;

const PACKET_IDS = 65_535;

/**
 * Messages to a client: the window, packet ids, and the queue before them.
 *
 * @remarks The queue of a durable session is in its store; memory holds the next few messages. While it is caught
 * up, a message goes from its append straight here; when it falls behind, it reads on from the store as the
 * window opens. Packet ids of a durable session follow from the sequence in its queue, so they survive any owner
 * [MQTT-4.4.0-1].
 */
export class Outbound {
  /** Asked before a message of QoS 1 or 2 is sent, if there: what was queued may not be the client's to see any more. */
  mayReceive: ((topic: string, qos: 0 | 1 | 2) => boolean) | undefined;
  readonly #output: SessionOutput;
  readonly #limits: EngineLimits;
  #terms: OutboundTerms | undefined;
  /** Of this connection, if its client knows aliases. */
  #aliases: SentAliases | undefined;
  #durable = false;
  readonly #queue = new Fifo<Delivery>();
  #queueBytes = 0;
  /** How many messages have left the queue in memory since it began. */
  #left = 0;
  readonly #inflight = new Map<number, Inflight>();
  #lastPacketId = 0;
  /** The load under way; an answer to any other, of an earlier connection, is ignored. */
  #load: Load | undefined;
  /** The newest message handed to memory: a load goes on after it. */
  #read: Position | undefined;
  /** Up to this sequence nothing is left to read; the newest sequence known to be stored; the same when a load began. */
  #passed = 0;
  #newest = 0;
  #newestAtLoad = 0;
  /** Messages up to this sequence may have been sent by an earlier connection. */
  #retryUpTo = 0;
  #retriesLeft = 0;
  /** The newest sequence sent by this object; undefined while only a former owner could know. */
  #sentUpTo: number | undefined;

  constructor(output: SessionOutput, limits: EngineLimits) {
    this.#output = output;
    this.#limits = limits;
  }

  get inflightCount(): number {
    return this.#inflight.size;
  }

  /** Messages that wait in memory; a durable session's stored queue is counted by its owner. */
  get queueCount(): number {
    return this.#queue.size;
  }

  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** What waits in memory, oldest first; each message has a number, and later ones higher numbers. */
  *waiting(): IterableIterator<{ readonly number: number; readonly delivery: Delivery }> {
    let number = this.#left;
    for (const delivery of this.#queue) yield { number: (number += 1), delivery };
  }

  /** What was sent and is not done with. */
  *sent(): IterableIterator<Inflight & { readonly packetId: number }> {
    for (const [packetId, inflight] of this.#inflight) yield { packetId, ...inflight };
  }

  /** Drops what waits in memory, and what is being read of the stored queue; the caller settles it, then calls pump(). */
  drop(): readonly Delivery[] {
    const dropped = [...this.#queue];
    this.#left += dropped.length;
    this.#queue.clear();
    this.#queueBytes = 0;
    this.#load = undefined;
    return dropped;
  }

  /** Begins a connection. Of a durable session, everything unacknowledged is sent again, oldest first [MQTT-4.4.0-1]. */
  attach(
    terms: OutboundTerms,
    stored?: { readonly releasedPacketIds: readonly number[]; readonly lastSequence: number },
  ): void {
    this.#terms = terms;
    const { topicAliasMaximum } = terms;
    this.#aliases = topicAliasMaximum > 0 ? new SentAliases(topicAliasMaximum) : undefined;
    this.#durable = stored !== undefined;
    if (stored === undefined) return;
    this.#read = undefined;
    this.#passed = 0;
    // Something may have been stored since the record was read.
    this.#newest = Math.max(this.#newest, stored.lastSequence);
    if (stored.lastSequence === 0) this.#sentUpTo ??= 0;
    this.#retryUpTo = this.#sentUpTo ?? stored.lastSequence;
    this.#retriesLeft = this.#limits.inflightMax;
    for (const packetId of stored.releasedPacketIds) {
      this.#inflight.set(packetId, { delivery: undefined, qos: 2, state: 'pubcomp' });
      this.#output.sendAck('pubrel', packetId, REASON.success);
    }
    if (this.#newest > 0) this.#readOn();
  }

  /** What detach() will lose that another receiver may get: nothing stored, and no QoS 2 message that was sent [MQTT-4.8.2-5]. */
  unsettled(): readonly Delivery[] {
    if (this.#durable || (this.#inflight.size === 0 && this.#queue.size === 0)) return [];
    const sent = [...this.#inflight.values()].filter(({ state }) => state === 'puback');
    return [...sent.map(({ delivery }) => delivery), ...this.#queue].filter(
      (delivery) => delivery !== undefined,
    );
  }

  /** Ends a connection. What was stored stays in the store; what was not is gone with the session. */
  detach(): void {
    this.#terms = undefined;
    this.#aliases = undefined;
    this.#queue.clear();
    this.#queueBytes = 0;
    this.#inflight.clear();
    this.#load = undefined;
  }

  /** Whether a message has expired, or has waited for longer than messages may. */
  isOver({ expiresAtMs, receivedAtMs }: OutboundMessage, nowMs: number): boolean {
    const isExpired = expiresAtMs !== 0 && expiresAtMs <= nowMs;
    return isExpired || nowMs - receivedAtMs > this.#limits.queueAgeSecondsMax * 1000;
  }

  /** QoS 0: sent now or dropped; a receiver is never waited for. */
  deliverLive(publish: SharedPublish, form: DeliveryForm, nowMs: number): void {
    const terms = this.#terms;
    if (terms === undefined) return;
    if (this.#output.congested) return this.#output.dropped('queue_full', publish);
    if (publish.isExpired(nowMs)) return this.#output.dropped('expired', publish);
    const seen = this.#seen(publish);
    if (seen === undefined) return this.#output.dropped('outside_mountpoint', publish);
    const template = this.#encode(seen, form, nowMs);
    if (template === undefined) return this.#output.dropped('too_large', publish);
    this.#output.sendPublish(template, 0, false);
    this.#output.sent(0, template.bytes.length, publish);
  }

  /** QoS 1 and 2 of a session that lives in memory. */
  enqueue(delivery: Delivery, nowMs: number): void {
    const full =
      this.#queue.size >= this.#limits.queueMessagesMax ||
      this.#queueBytes + delivery.publish.size > this.#limits.queueBytesMax;
    if (full) return this.#output.dropped('queue_full', delivery.publish);
    this.#push(delivery);
    this.pump(nowMs);
    if (this.#queue.size > 0) delivery.publish.compact();
  }

  /** QoS 1 and 2 of a durable session: the message is in the store now. */
  stored(delivery: Delivery & { readonly position: Position }, nowMs: number): void {
    const { sequence } = delivery.position;
    const wasCaughtUp = this.#isCaughtUp();
    if (sequence > this.#newest) this.#newest = sequence;
    if (this.#terms === undefined || !wasCaughtUp) return;
    if (sequence <= this.#passed || this.#queue.size >= READ_AHEAD_MESSAGES) return;
    this.#read = delivery.position;
    this.#passed = sequence;
    this.#push(delivery);
    this.pump(nowMs);
    if (this.#queue.size > 0) delivery.publish.compact();
  }

  /** A durable session's message may be in the store or not: if it is, it comes from there, in its turn. */
  unsure({ sequence }: Position, nowMs: number): void {
    if (sequence > this.#newest) this.#newest = sequence;
    this.pump(nowMs);
  }

  /** The answer to a load: messages of the stored queue after what memory has. */
  loaded(
    load: Load,
    deliveries: readonly (Delivery & { readonly position: Position })[],
    nowMs: number,
  ): void {
    if (load !== this.#load) return;
    this.#load = undefined;
    for (const delivery of deliveries) {
      this.#read = delivery.position;
      this.#push(delivery);
    }
    // Nothing at all means that all of it was settled, or expired, or never there.
    this.#passed = deliveries.length === 0 ? this.#newestAtLoad : (this.#read?.sequence ?? 0);
    this.#newest = Math.max(this.#newest, this.#passed);
    this.pump(nowMs);
  }

  /** The store could not be read; the owner tries again with pump() when it can. */
  loadFailed(load: Load): void {
    if (load === this.#load) this.#load = undefined;
  }

  /** Sends what the window and the socket allow. Call it when the socket has drained. */
  pump(nowMs: number): void {
    const terms = this.#terms;
    if (terms === undefined) return;
    while (this.#inflight.size < terms.window && !this.#output.congested) {
      const delivery = this.#queue.peek();
      if (delivery === undefined || !this.#sendNext(delivery, nowMs)) break;
    }
    if (this.#durable && this.#queue.size === 0 && !this.#isCaughtUp()) this.#readOn();
  }

  /** PUBACK: the message of QoS 1 is done with. An unknown packet id is ignored; one of QoS 2 ends the connection. */
  puback(packetId: number, nowMs: number): void {
    const inflight = this.#inflight.get(packetId);
    if (inflight === undefined) return;
    if (inflight.state !== 'puback') {
      return this.#output.close(REASON.protocolError, 'PUBACK for a QoS 2 message');
    }
    this.#finish(packetId, inflight);
    this.pump(nowMs);
  }

  /** PUBREC: PUBREL follows [MQTT-4.3.3-4], for a durable session once the store has released the message. From 0x80 on the message is done with. */
  pubrec(packetId: number, reasonCode: ReasonCode, nowMs: number): void {
    const inflight = this.#inflight.get(packetId);
    if (inflight === undefined) {
      if (reasonCode >= 0x80) return;
      const known = this.#terms?.version === 5 ? REASON.packetIdentifierNotFound : REASON.success;
      return this.#output.sendAck('pubrel', packetId, known);
    }
    if (inflight.qos !== 2) {
      return this.#output.close(REASON.protocolError, 'PUBREC for a QoS 1 message');
    }
    if (reasonCode >= 0x80 && inflight.state === 'pubrec') {
      this.#finish(packetId, inflight);
      return this.pump(nowMs);
    }
    const { delivery } = inflight;
    if (inflight.state === 'pubrec' && delivery?.position !== undefined) {
      inflight.state = 'releasing';
      return this.#output.release(delivery.position, packetId, delivery.publish.size);
    }
    if (inflight.state === 'releasing') return;
    inflight.state = 'pubcomp';
    this.#output.sendAck('pubrel', packetId, REASON.success);
  }

  /** The store remembers the packet id instead of the message: PUBREL may go out [MQTT-4.3.3-4]. */
  released(packetId: number): void {
    const inflight = this.#inflight.get(packetId);
    if (inflight?.state !== 'releasing') return;
    this.#inflight.set(packetId, { delivery: undefined, qos: 2, state: 'pubcomp' });
    this.#output.sendAck('pubrel', packetId, REASON.success);
  }

  /** PUBCOMP: the exchange of QoS 2 is over and its packet id free. An unknown packet id is ignored. */
  pubcomp(packetId: number, nowMs: number): void {
    const inflight = this.#inflight.get(packetId);
    if (inflight?.state !== 'pubcomp') return;
    this.#inflight.delete(packetId);
    if (this.#durable) this.#output.complete(packetId);
    this.pump(nowMs);
  }

  #isCaughtUp(): boolean {
    return this.#load === undefined && this.#newest <= this.#passed;
  }

  #readOn(): void {
    if (this.#load !== undefined) return;
    this.#load = { after: this.#read, limit: READ_AHEAD_MESSAGES };
    this.#newestAtLoad = this.#newest;
    this.#output.load(this.#load);
  }

  #push(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.#queueBytes += delivery.publish.size;
  }

  #shift(delivery: Delivery): void {
    this.#queue.shift();
    this.#left += 1;
    this.#queueBytes -= delivery.publish.size;
  }

  /** Returns false when the head of the queue has to wait for its packet id. */
  #sendNext(delivery: Delivery, nowMs: number): boolean {
    const { publish, qos, position } = delivery;
    const dup = this.#mayBeRepeat(delivery);
    // A QoS 2 message that was sent is not dropped half way [MQTT-4.3.3-7].
    if (this.isOver(publish.message, nowMs) && !(dup && qos === 2)) {
      this.#discard(delivery, 'expired');
      return true;
    }
    if (this.mayReceive?.(publish.message.topic, qos) === false) {
      this.#shift(delivery);
      this.#settle(delivery);
      // One of QoS 2 that was sent may have been taken [MQTT-4.8.2-5].
      this.#output.withheld(dup && qos === 2 ? undefined : publish);
      return true;
    }
    const seen = this.#seen(publish);
    if (seen === undefined) {
      this.#discard(delivery, 'outside_mountpoint');
      return true;
    }
    const packetId = this.#packetIdFor(delivery);
    if (packetId === undefined) return false;
    const template = this.#encode(seen, delivery, nowMs);
    if (template === undefined) {
      this.#discard(delivery, 'too_large');
      return true;
    }
    this.#shift(delivery);
    if (position !== undefined) {
      this.#sentUpTo = Math.max(this.#sentUpTo ?? this.#retryUpTo, position.sequence);
    }
    this.#inflight.set(packetId, { delivery, qos, state: qos === 1 ? 'puback' : 'pubrec' });
    this.#output.sendPublish(template, packetId, dup);
    this.#output.sent(qos, template.bytes.length, publish);
    if (dup) {
      this.#retriesLeft -= 1;
      this.#output.retried(qos);
    }
    return true;
  }

  #seen(publish: SharedPublish): SharedPublish | undefined {
    const mountpoint = this.#terms?.mountpoint;
    return mountpoint === undefined ? publish : publish.below(mountpoint);
  }

  /** The bytes for this client, with a topic alias if it has one; undefined when it does not take as many [MQTT-3.1.2-25]. */
  #encode(publish: SharedPublish, form: DeliveryForm, nowMs: number): PublishTemplate | undefined {
    const terms = this.#terms;
    if (terms === undefined) return undefined;
    const { topic } = publish.message;
    const alias = this.#aliases?.aliasOf(topic);
    if (alias !== undefined) {
      const aliased = publish.aliasedTemplate(form, alias, nowMs);
      if (fits(aliased, terms)) {
        if (!alias.isKnown) this.#aliases?.tell(topic, alias);
        return aliased;
      }
    }
    const template = publish.template(terms.version, form, nowMs);
    return fits(template, terms) ? template : undefined;
  }

  #discard(delivery: Delivery, reason: EngineDropReason): void {
    this.#shift(delivery);
    this.#settle(delivery);
    this.#output.dropped(reason, delivery.publish);
  }

  #finish(packetId: number, inflight: Inflight): void {
    this.#inflight.delete(packetId);
    if (inflight.delivery !== undefined) this.#settle(inflight.delivery);
  }

  #settle({ position, publish }: Delivery): void {
    if (position !== undefined) this.#output.settle(position, publish.size);
  }

  /** DUP says that this may be a re-delivery; an earlier connection had no more than inflightMax in flight. */
  #mayBeRepeat(delivery: Delivery): boolean {
    if (delivery.position === undefined || this.#retriesLeft === 0) return false;
    return delivery.position.sequence <= this.#retryUpTo;
  }

  #packetIdFor(delivery: Delivery): number | undefined {
    if (delivery.position !== undefined) {
      const packetId = ((delivery.position.sequence - 1) % PACKET_IDS) + 1;
      return this.#inflight.has(packetId) ? undefined : packetId;
    }
    for (let tries = 0; tries < PACKET_IDS; tries += 1) {
      this.#lastPacketId = (this.#lastPacketId % PACKET_IDS) + 1;
      if (!this.#inflight.has(this.#lastPacketId)) return this.#lastPacketId;
    }
    return undefined;
  }
}

function fits({ bytes }: PublishTemplate, { packetBytesMax }: OutboundTerms): boolean {
  return packetBytesMax === 0 || bytes.length <= packetBytesMax;
}
