import {
  PublishError,
  type HubClient,
  type BegunMessage,
  type DropReason,
  type Meter,
  type QueuedMessage,
  type QueuePosition,
  type SessionOperation,
  type SessionRecord,
  type SessionWriteOutcome,
} from '#libs/broker-ports';
import { asDelivery, isRouted } from './deliveries.ts';
import type { Obligations } from './obligations.ts';
import {
  Session,
  type ConnectionTerms,
  type Load,
  type OutboundMessage,
  type PublishAck,
  type SessionOutput,
  type SharedPublish,
} from '#libs/mqtt-engine';
import {
  sizeOf,
  type Packet,
  type PublishPacket,
  type PublishTemplate,
  type ReasonCode,
  type SubscribePacket,
  type UnsubscribePacket,
} from '#libs/mqtt-codec';
import type { ClientAccess } from '#libs/access';
import type { UserAccount } from './abuse/user-accounts.ts';
import type { ClientLink } from './client-link.ts';
import type { CoreLimits } from './limits.ts';
import type { Losses } from './losses.ts';
import { MessageMemory } from './message-memory.ts';
import { PASSED_ON_MS } from './moved-sessions.ts';
import type { ClientNames } from './naming/client-names.ts';
import { GroupPublish } from './share-group.ts';
import { QueueCount } from './queue-count.ts';
import { FULL, type Offer, type Receiver } from './receiver.ts';
import type { SessionWriter, WriteDone } from './session-writer.ts';
import type { Subscription } from './subscription.ts';
import { DeliveryDelay, type Traffic } from './traffic.ts';
import type { PendingWill } from './wills.ts';

/** What a session remembers of what it has had since it came: all that a busy one gets until a dead node's inbox is read. */
const ARRIVALS = { messagesMin: 131_072, ageMs: PASSED_ON_MS, messagesMax: 524_288 };

/** How much of a full queue is looked through for what is over, and when again after that was nothing. */
const MAKE_ROOM_MESSAGES = 500;
const MAKE_ROOM_AGAIN_MS = 60_000;

type Own<T> = T extends unknown ? Omit<T, 'clientId' | 'epoch'> : never;

/** What a session asks of its node. */
export interface SessionHost {
  readonly limits: CoreLimits;
  readonly meter: Meter;
  readonly writer: SessionWriter;
  readonly losses: Losses;
  readonly nowMs: () => number;
  readonly traffic: Traffic;
  publishFrom(entry: SessionEntry, packet: PublishPacket, ack: PublishAck | undefined): void;
  subscribe(entry: SessionEntry, packet: SubscribePacket): void;
  unsubscribe(entry: SessionEntry, packet: UnsubscribePacket): void;
  /** Removes a message from the stored queue, together with the others of this turn. */
  settle(entry: SessionEntry, position: QueuePosition): void;
  load(entry: SessionEntry, load: Load): Promise<readonly QueuedMessage[]>;
  /** Another node owns the session: let it go, and pass on the message that came too late. */
  fenced(entry: SessionEntry, offer: Offer | undefined): void;
  /** The client may not have what its group was given: it is no member any more, and another one gets it. */
  passOn(entry: SessionEntry, publish: GroupPublish, obligations: Obligations | undefined): void;
}

/** A session on this node: the rules (Session), its subscriptions, its place in the store, and its connection if it has one. */
export class SessionEntry implements SessionOutput, Receiver {
  readonly clientId: string;
  readonly session: Session;
  readonly subscriptions = new Map<string, Subscription>();
  readonly #host: SessionHost;
  connection: ClientLink | undefined;
  /** How hooks and admins see the client; kept while it is away. */
  client: HubClient | undefined;
  /** The names that its client uses on the current or the last connection; undefined when they are the broker's. */
  names: ClientNames | undefined;
  /** The terms of the current or the last connection. */
  terms: ConnectionTerms | undefined;
  /** What its current or last client may do; undefined without access control. */
  access: ClientAccess | undefined;
  /** Counts it for the user of its current or last client. */
  account: UserAccount | undefined;
  durable = false;
  /** Whether it may be in a group no more: what is queued for it may be the group's. */
  hasLostShare = false;
  expirySeconds = 0;
  epoch = 0;
  createdAtMs = 0;
  /** Whose it is, as in its record. */
  user: string | undefined;
  readonly #queue = new QueueCount();
  delay: DeliveryDelay | undefined;
  connectedAtMs: number | undefined;
  disconnectedAtMs: number | undefined;
  /** When the session ends, if its client stays away; Infinity for never, and while it is connected or connecting. */
  expiresAtMs = Infinity;
  /** When its client last subscribed here; -Infinity when it did not. */
  subscribedAtMs = -Infinity;
  /** Its SUBSCRIBE and UNSUBSCRIBE under way. */
  requests = 0;
  will: PendingWill | undefined;
  /** Whether its client has published at this node: records of it may wait in the bridge. */
  hasPublished = false;
  /** Whether this node has let the session go: what is still under way for it finds nothing to add to. */
  isGone = false;
  /** Its client's QoS 2 messages that may have reached some of their receivers and are not taken yet, by packet id. */
  #receiving: Map<number, BegunMessage> | undefined;
  arrivedAtMs = -Infinity;
  /** What has come since it arrived, for as long as its former node may pass the same on. */
  #arrivals: MessageMemory | undefined;
  /** What comes directly while a dead node's inbox is read for it: that is older. */
  #behind: (() => void)[] | undefined;
  #lastSequence = 0;
  /** While the session is being taken anew, writes wait for the new epoch. */
  #waitingWrites: (() => void)[] | undefined;
  #loadFailed = false;
  #makeRoomFromMs = 0;
  #rewrites: (() => void)[] | undefined;

  constructor(clientId: string, host: SessionHost) {
    this.clientId = clientId;
    this.#host = host;
    this.session = new Session(this, host.limits);
  }

  get congested(): boolean {
    return this.connection?.congested ?? true;
  }

  /** Of a durable session, at least those that are in its store. */
  get queueMessages(): number {
    return this.#queue.messages;
  }

  get queueBytes(): number {
    return this.#queue.bytes;
  }

  /** Of messages that wait for its client. */
  get heldBytes(): number {
    return this.durable ? this.queueBytes : this.session.outbound.queueBytes;
  }

  get backlog(): number | undefined {
    if (this.connection === undefined) return undefined;
    if (this.#queueShare >= 1 || this.congested) return FULL;
    const { outbound } = this.session;
    return this.durable ? this.queueMessages : outbound.inflightCount + outbound.queueCount;
  }

  /** Whether what can wait had better do so: the socket is congested, or half of the queue is taken. */
  get isBehind(): boolean {
    return this.#queueShare >= 0.5 || this.connection?.congested === true;
  }

  /** How much of the queue is taken, by messages or by bytes: 1 is all of it. */
  get #queueShare(): number {
    const { queueMessagesMax, queueBytesMax } = this.#host.limits;
    const { outbound } = this.session;
    const waiting = this.#waitingWrites?.length ?? 0;
    const messages = this.durable ? this.queueMessages + waiting : outbound.queueCount;
    return Math.max(messages / queueMessagesMax, this.heldBytes / queueBytesMax);
  }

  /** The session has come here from another node. */
  arrived(nowMs: number): void {
    this.arrivedAtMs = nowMs;
    this.#arrivals = new MessageMemory(ARRIVALS, this.#host.nowMs);
  }

  /** A QoS 2 message that its client has sent before under a packet id, and may have to send again. */
  receiving(packetId: number): BegunMessage | undefined {
    return this.#receiving?.get(packetId);
  }

  /** @param message - that is on its way; undefined when it is taken. */
  setReceiving(packetId: number, message: BegunMessage | undefined): void {
    if (message === undefined) {
      this.#receiving?.delete(packetId);
      return;
    }
    this.#receiving ??= new Map();
    this.#receiving.set(packetId, message);
  }

  /** Whether a dead node's inbox may have something for it. */
  get awaitsHeritage(): boolean {
    return this.#behind !== undefined;
  }

  /** What comes from now on waits for what a dead node's inbox has for the session. */
  awaitHeritage(): void {
    this.#behind ??= [];
  }

  /** The inbox has been read. */
  endHeritage(): void {
    const behind = this.#behind ?? [];
    this.#behind = undefined;
    for (const deliver of behind) deliver();
  }

  /** Nothing comes any more for what waits: it goes its way now. */
  waitNoMore(): void {
    this.endHeritage();
    this.goOn();
  }

  /** Puts the session's writes off until resume(): its epoch is about to change. */
  suspend(): void {
    this.#waitingWrites ??= [];
  }

  /** Goes on under the epoch of a record, after a take. */
  resume(record: SessionRecord): void {
    this.epoch = record.epoch;
    this.createdAtMs = record.createdAtMs;
    this.user = record.user;
    this.durable = record.durable;
    this.expirySeconds = record.expiryIntervalSeconds;
    this.#queue.resume(record);
    this.#lastSequence = Math.max(this.#lastSequence, record.lastSequence);
    for (const { packetId, ...message } of record.receiving) this.setReceiving(packetId, message);
    this.goOn();
  }

  /** Goes on with the writes that were put off. Under an old epoch the store refuses them, and they are passed on. */
  goOn(): void {
    const waiting = this.#waitingWrites ?? [];
    this.#waitingWrites = undefined;
    for (const write of waiting) write();
  }

  /** From now on each message is asked for before it goes to the client, or none is. */
  guardDeliveries(isGuarded: boolean): void {
    const { access } = this;
    const isOpen = !isGuarded || access === undefined;
    this.session.outbound.mayReceive = isOpen ? undefined : access.mayReceive.bind(access);
  }

  /** Serves one message. Never waits for the client. */
  deliver(offer: Offer, nowMs: number): void {
    const { qos, retain, subscriptionIdentifiers } = offer.form;
    if (this.session.outbound.mayReceive?.(offer.message.topic, qos) === false) {
      return this.withheld(offer.shared, offer.obligations);
    }
    if (qos === 0) return this.session.outbound.deliverLive(offer.shared, offer.form, nowMs);
    // A client that takes what it gets is not to suffer from what others of its user leave.
    const isAway = this.connection === undefined || this.isBehind;
    if (isAway && this.account?.dropsQueued()) return this.dropped('quota', offer);
    if (this.durable) return this.#deliverDurable(offer, qos);
    const publish = offer.shared;
    this.session.outbound.enqueue(
      { qos, retain, subscriptionIdentifiers, publish, position: undefined },
      nowMs,
    );
  }

  /** Writes to the session's record under its current epoch. */
  write(operation: Own<SessionOperation>, done?: WriteDone): void {
    if (this.#waitingWrites !== undefined) {
      this.#waitingWrites.push(() => this.write(operation, done));
      return;
    }
    const whole = { ...operation, clientId: this.clientId, epoch: this.epoch };
    this.#host.writer.add(whole as SessionOperation, done);
  }

  /** Tries again what the store could not answer. */
  retry(nowMs: number): void {
    if (nowMs - this.arrivedAtMs > PASSED_ON_MS) this.#arrivals = undefined;
    const rewrites = this.#rewrites ?? [];
    this.#rewrites = undefined;
    for (const write of rewrites) write();
    if (!this.#loadFailed) return;
    this.#loadFailed = false;
    this.session.outbound.pump(nowMs);
  }

  send(packet: Packet): void {
    this.connection?.send(packet);
  }

  sendAck(
    kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
    packetId: number,
    reasonCode: ReasonCode,
  ): void {
    this.connection?.sendAck(kind, packetId, reasonCode);
  }

  sendPublish(template: PublishTemplate, packetId: number, dup: boolean): void {
    this.connection?.sendPublish(template, packetId, dup);
  }

  publish(packet: PublishPacket, ack: PublishAck | undefined): void {
    const { names } = this;
    this.#host.publishFrom(this, names === undefined ? packet : names.publish(packet), ack);
  }

  subscribe(packet: SubscribePacket): void {
    this.#host.subscribe(this, this.names?.subscribe(packet) ?? packet);
  }

  unsubscribe(packet: UnsubscribePacket): void {
    this.#host.unsubscribe(this, this.names?.unsubscribe(packet) ?? packet);
  }

  holdReading(hold: boolean): void {
    this.connection?.hold('window', hold);
  }

  settle(position: QueuePosition, bytes: number): void {
    this.#queue.remove(position, bytes);
    this.#host.settle(this, position);
  }

  release(position: QueuePosition, packetId: number, bytes: number): void {
    this.#queue.remove(position, bytes);
    this.#writeSurely({ kind: 'release', position, packetId }, () =>
      this.session.outbound.released(packetId),
    );
  }

  complete(packetId: number): void {
    this.write({ kind: 'complete', packetId });
  }

  forget(packetId: number): void {
    this.setReceiving(packetId, undefined);
    this.#writeSurely({ kind: 'forget', packetId }, () => this.session.inbound.forgotten(packetId));
  }

  load(load: Load): void {
    this.#host.load(this, load).then(
      (queued) => this.session.outbound.loaded(load, queued.map(asDelivery), this.#host.nowMs()),
      () => {
        this.#loadFailed = true;
        this.session.outbound.loadFailed(load);
      },
    );
  }

  close(reasonCode: ReasonCode, detail: string): void {
    this.connection?.close(reasonCode, detail);
  }

  disconnected(withWill: boolean, sessionExpirySeconds: number | undefined): void {
    if (sessionExpirySeconds !== undefined) {
      this.expirySeconds = sessionExpirySeconds;
    }
    this.connection?.leave(withWill);
  }

  dropped(reason: DropReason, publish?: { readonly message: OutboundMessage }): void {
    this.#host.losses.dropped(this, reason, publish?.message);
  }

  /** Other members of a shared subscription may have what it may not. */
  withheld(publish: Offer['shared'] | undefined, obligations?: Obligations): void {
    if (publish instanceof GroupPublish) this.#host.passOn(this, publish, obligations);
    else this.dropped('not_authorized', publish);
  }

  retried(qos: 1 | 2): void {
    this.#host.meter.deliveryRetried(qos);
  }

  duplicate(): void {
    this.#host.meter.publishDuplicate(2);
  }

  sent(qos: 0 | 1 | 2, bytes: number, { message, remote }: SharedPublish): void {
    const { meter, traffic } = this.#host;
    traffic.count(message, qos);
    meter.publishSent(qos, 1);
    meter.messageSize('out', bytes);
    const nowMs = this.#host.nowMs();
    const seconds = Math.max(0, nowMs - message.receivedAtMs) / 1000;
    meter.delivered(qos, remote ? 'remote' : 'local', seconds);
    if (message.trace !== undefined) message.trace.sent({ clientId: this.clientId, qos, bytes });
    (this.delay ??= new DeliveryDelay()).add(message.receivedAtMs, nowMs, this.connectedAtMs);
  }

  #deliverDurable(offer: Offer, qos: 1 | 2): void {
    // What a shared subscription brings may be of that inbox itself, which is read when its messages are taken.
    const isDirect = offer.isHeritage !== true && !(offer.shared instanceof GroupPublish);
    if (this.#behind !== undefined && isDirect) {
      offer.obligations?.begin();
      this.#behind.push(() => {
        this.#deliverDurable(offer, qos);
        offer.obligations?.end();
      });
      return;
    }
    // Its former node passes on what may have come directly, too.
    if (isRouted(offer) && this.#arrivals?.add(offer.message) === false) return;
    this.#append(offer, qos);
  }

  #append(offer: Offer, qos: 1 | 2): void {
    offer.obligations?.begin();
    if (this.isGone) return this.#host.fenced(this, offer);
    if (this.#waitingWrites === undefined) return this.#appendNow(offer, qos);
    this.#waitingWrites.push(() => this.#appendNow(offer, qos));
  }

  #appendNow(offer: Offer, qos: 1 | 2): void {
    const { limits } = this.#host;
    const bytes = offer.shared.size;
    const isFull =
      this.queueMessages >= limits.queueMessagesMax ||
      this.queueBytes + bytes > limits.queueBytesMax;
    if (isFull) {
      this.dropped('queue_full', offer);
      void this.#makeRoom();
      return offer.obligations?.end();
    }
    this.#lastSequence += 1;
    this.#queue.add(bytes);
    const position = { epoch: this.epoch, sequence: this.#lastSequence };
    const { retain, subscriptionIdentifiers } = offer.form;
    const { message, shared } = offer;
    const plain = { position, message, qos, retain, subscriptionIdentifiers };
    const queued = shared instanceof GroupPublish ? { ...plain, group: shared.group } : plain;
    const once = offer.once && qos === 2;
    this.write({ kind: 'append', queued, once }, (result) => this.#appended(offer, queued, result));
  }

  #appended(offer: Offer, queued: QueuedMessage, result: SessionWriteOutcome): void {
    if (result === 'done') {
      const { qos, retain, subscriptionIdentifiers, position } = queued;
      const delivery = { publish: offer.shared, qos, retain, subscriptionIdentifiers, position };
      this.session.outbound.stored(delivery, this.#host.nowMs());
      return offer.obligations?.end();
    }
    this.#queue.remove(queued.position, offer.shared.size);
    if (result === 'repeat') return offer.obligations?.end();
    this.#arrivals?.forget(offer.message);
    // Nobody but its next owner delivers what a session that has gone may have had.
    if (result === 'fenced' || this.isGone) return this.#host.fenced(this, offer);
    this.session.outbound.unsure(queued.position, this.#host.nowMs());
    offer.obligations?.end(
      new PublishError('STORE_UNAVAILABLE', 'a session queue was not reached'),
    );
  }

  /**
   * Takes the oldest messages out of the full queue of a client that is away, if they are over. What is of QoS 2 stays for
   * its client: it may have been sent [MQTT-4.3.3-7].
   */
  async #makeRoom(): Promise<void> {
    const nowMs = this.#host.nowMs();
    if (this.connection !== undefined || nowMs < this.#makeRoomFromMs) return;
    this.#makeRoomFromMs = Infinity;
    let dropped = 0;
    try {
      const oldest = { after: undefined, limit: MAKE_ROOM_MESSAGES };
      dropped = this.#dropOver(await this.#host.load(this, oldest), nowMs);
    } catch {
      // A store that is away is asked again with a later message.
    }
    // Where nothing was over, nothing is for a while.
    this.#makeRoomFromMs = dropped > 0 ? 0 : nowMs + MAKE_ROOM_AGAIN_MS;
  }

  /** Returns how many they were. */
  #dropOver(queued: readonly QueuedMessage[], nowMs: number): number {
    if (this.connection !== undefined) return 0;
    const { outbound } = this.session;
    const over = queued.filter(({ message, qos }) => qos === 1 && outbound.isOver(message, nowMs));
    for (const { position, message } of over) {
      this.settle(position, sizeOf(message));
      this.dropped('expired', { message });
    }
    return over.length;
  }

  /** What the store does not answer is written again by the sweep: the client waits, and nobody else. */
  #writeSurely(operation: Own<SessionOperation>, written: () => void): void {
    this.write(operation, (result) => {
      if (result === 'fenced') return this.#host.fenced(this, undefined);
      if (result !== 'failed') return written();
      this.#rewrites ??= [];
      this.#rewrites.push(() => this.#writeSurely(operation, written));
    });
  }
}
