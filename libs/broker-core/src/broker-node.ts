import {
  PublishError,
  type HubClient,
  type HubHandler,
  type InjectedMessage,
  type Message,
  type BegunMessage,
  type MessageIdentity,
  type NodeAdmin,
  type NodeGauges,
  type PublishDone,
  type QueuedMessage,
  type QueuePosition,
  type StoredWill,
} from '#libs/broker-ports';
import type { AccessRequest, AccessVerdict, Acl, Principal } from '#libs/access';
import {
  REASON,
  type PublishPacket,
  type SubscribePacket,
  type UnsubscribePacket,
} from '#libs/mqtt-codec';
import type { Load, PublishAck } from '#libs/mqtt-engine';
import { topicNameFault } from '#libs/topic-index';
import { AccessGuard } from './access-guard.ts';
import type { FlappingSettings } from './abuse/flapping.ts';
import type { Bans } from './bans.ts';
import { ClusterMember } from './cluster-member.ts';
import { ConnectionKeeper } from './connection-keeper.ts';
import { Delayed } from './delayed.ts';
import { isDelayed } from './delayed-topic.ts';
import { Losses } from './losses.ts';
import { Exclusives } from './exclusives.ts';
import { gaugesOf } from './gauges.ts';
import { AutoSubscriptions } from './naming/auto-subscriptions.ts';
import { NodeAdminView } from './node-admin-view.ts';
import type { Obligations } from './obligations.ts';
import { Outbox } from './outbox.ts';
import type { NodeParts } from './parts.ts';
import { acknowledging } from './publish-refusal.ts';
import { isResponseTopic } from './response-topic.ts';
import { RetainedWriter } from './retained-writer.ts';
import { Router } from './router.ts';
import { GroupPublish } from './share-group.ts';
import type { Offer } from './receiver.ts';
import type { SessionEntry, SessionHost } from './session-entry.ts';
import { identified } from './identified.ts';
import { digestOf } from './message-digest.ts';
import { SessionWriter } from './session-writer.ts';
import { Sessions } from './sessions.ts';
import { Shedding, type ShedPlan } from './shedding.ts';
import { MessageSpans } from './spans/message-spans.ts';
import { Subscriber } from './subscriber.ts';
import { sysTopicsOf } from './sys/sys-of-node.ts';
import { isSysFilter, isSysPublish, type SysTopics } from './sys/sys-topics.ts';
import type { Transport, TransportEvents } from './transport.ts';
import { Traffic } from './traffic.ts';
import { Turn } from './turn.ts';
import { Wills } from './wills.ts';

type Provenance = MessageIdentity & Pick<Message, 'origin' | 'publisher'>;

const nobodyWaits: PublishDone = () => undefined;

const TOO_MANY_RETAINED = 'the user has as many retained messages as it may';
const STORE_SILENT = 'the session store did not answer';

/**
 * One node's brain: connections, sessions, routing and the cluster, over the ports.
 *
 * @remarks Everything that a turn of the event loop collects goes out once at its end: session writes, retained
 * messages, frames to other nodes, routes, and one write per touched socket.
 */
export class BrokerNode implements SessionHost, HubHandler {
  /** @internal */
  readonly limits: NodeParts['limits'];
  /** @internal */
  readonly meter: NodeParts['meter'];
  /** @internal */
  readonly writer: SessionWriter;
  /** @internal */
  readonly losses: Losses;
  /** @internal */
  readonly nowMs: () => number;
  /** What the admin API may see and do of this node. */
  readonly admin: NodeAdmin & {
    /** Who a client of this node is to the access control; undefined when it has no session here. */
    principalOf(clientId: string): Principal | undefined;
  };
  /** @internal */
  readonly traffic = new Traffic();
  readonly #parts: NodeParts;
  /** Undefined on a node without tracing. */
  readonly #spans: MessageSpans | undefined;
  readonly #turn: Turn;
  readonly #retained: RetainedWriter;
  readonly #delayed: Delayed;
  readonly #outbox: Outbox;
  readonly #router: Router;
  readonly #sessions: Sessions;
  readonly #subscriber: Subscriber;
  readonly #guard: AccessGuard;
  readonly #member: ClusterMember;
  readonly #keeper: ConnectionKeeper;
  readonly #sys: SysTopics;
  readonly #autoSubscriptions: AutoSubscriptions;
  readonly #settling = new Map<SessionEntry, QueuePosition[]>();
  readonly #fail = (error: unknown): void =>
    this.#parts.log.error('request-failed', { reason: String(error) });
  #sequence = 0;

  /** @param onLeaseLost - the node's lease went to nobody or somebody else: it must stop and begin anew. */
  constructor(parts: NodeParts, onLeaseLost: () => void) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.meter = parts.meter;
    this.nowMs = parts.nowMs;
    this.losses = new Losses({ ...parts, traffic: this.traffic });
    this.#spans = parts.tracer && new MessageSpans(parts.tracer, parts.log);
    this.#turn = new Turn(parts.defer);
    const [turn, spans] = [this.#turn, this.#spans];
    this.writer = new SessionWriter(parts.sessions, turn, parts.log);
    this.#retained = new RetainedWriter(parts.retained, { ...parts, turn });
    this.#delayed = new Delayed(parts, {
      turn,
      publishDue: (due, done) => parts.hub.publish(this.#asNew(due, due), undefined, done),
    });
    this.#outbox = new Outbox(parts.bus, { ...parts, turn, spans });
    this.#router = new Router({ ...parts, outbox: this.#outbox, losses: this.losses, turn });
    const exclusives = new Exclusives(parts);
    this.#sessions = new Sessions(parts, {
      ...{ router: this.#router, writer: this.writer, exclusives, host: this },
      gaveUp: (record) => this.#member.gaveUp(record),
    });
    this.#sys = sysTopicsOf(parts, this, () => [this.#router, this.#keeper]);
    this.#autoSubscriptions = new AutoSubscriptions(parts.topics.autoSubscribe);
    this.#guard = new AccessGuard(parts, {
      sessions: () => this.#sessions.all(),
      revoke: (entry, filters) => void this.#subscriber.revoke(entry, filters),
    });
    this.#subscriber = new Subscriber(parts, {
      ...{ guard: this.#guard, exclusives },
      router: this.#router,
      retained: this.#retained,
      sys: this.#sys,
    });
    this.#keeper = new ConnectionKeeper(parts, {
      sessions: this.#sessions,
      wills: new Wills(parts, {
        writer: this.writer,
        publish: (will, done) => this.#publishWill(will, done),
      }),
      ...{ writer: this.writer, turn, guard: this.#guard },
      host: {
        connected: (entry) => this.#subscribeUnasked(entry),
        fenced: (entry) => this.fenced(entry, undefined),
        presenceChanged: (entry) => this.#router.presenceChanged(entry, entry.subscriptions.keys()),
        queued: (entry) =>
          this.load(entry, { after: undefined, limit: this.limits.queueMessagesMax }),
        identity: () => this.#nextIdentity(),
        regroup: (orphan) => this.#member.regroupOrphan(orphan),
      },
    });
    this.#member = new ClusterMember(parts, {
      ...{ router: this.#router, sessions: this.#sessions, outbox: this.#outbox, spans },
      willsSettled: (clientId) => this.#keeper.willsSettled(clientId),
      onLeaseLost,
    });
    this.admin = this.#adminView();
    turn.join({ flush: () => this.#flushSettled() });
    const flushed = [this.#retained, this.writer, this.#delayed, this.#outbox, this.#router];
    for (const each of [...flushed, this.#keeper]) turn.join(each);
    parts.hub.attach(this);
    parts.meter.gauges(() => this.gauges());
  }

  /** Who may not connect; undefined when the node has no bans. */
  get bans(): Bans | undefined {
    return this.#keeper.bans;
  }

  /** Other bounds for coming and going from now on. */
  setFlapping(settings: FlappingSettings): void {
    this.#keeper.setFlapping(settings);
  }

  /** Rates and quotas have other values by now. */
  readonly renewBounds = (): void => this.#keeper.renewBounds();

  /** Joins the cluster and takes over what dead nodes have left. Clients may connect when it resolves. */
  async start(): Promise<void> {
    await this.#parts.bus.open(this.#member);
    await this.#member.findDeparted();
    this.#keeper.start();
    this.#sys.sweep(this.nowMs());
  }

  /** Takes a client's stream from a listener. */
  accept(transport: Transport): TransportEvents {
    return this.#keeper.accept(transport);
  }

  /** Deadlines, expiry and retries: call it about once a second. */
  sweep(): void {
    const nowMs = this.nowMs();
    this.#keeper.sweep(nowMs);
    this.#member.retry();
    this.#sys.sweep(nowMs);
    this.#delayed.sweep();
  }

  /** Publishes a message that the bridge has brought in. */
  inject(message: InjectedMessage, done: PublishDone): void {
    const fault = topicNameFault(message.topic, this.limits.topicLevelsMax);
    if (fault !== undefined) {
      this.meter.publishRejected('topic_invalid');
      return done();
    }
    this.#publish(this.#identify(message, 'bridge', ''), undefined, done);
  }

  /** Whether a session somewhere, connected or durable, may be subscribed to a topic that a filter matches; yes when that takes too long to say. */
  mayWant(filter: string): boolean {
    return this.#router.mayWant(filter);
  }

  /** Replaces the general rules of the access control; live subscriptions that they do not allow end, and queued messages stay away. */
  setAcl(acl: Acl): void {
    this.#guard.replace(acl);
  }

  /** Prepares to send connected clients away: call `step` a few times a second. */
  shed(plan: ShedPlan): Shedding {
    return new Shedding(plan, this.#keeper.all(), this.nowMs());
  }

  /** Whether clients that come are told to go elsewhere. @param serverReference - where to; that of the node if absent. */
  turnAway(isOn: boolean, serverReference?: string): void {
    this.#keeper.elsewhere.turn(isOn, serverReference);
  }

  /** What a client may do, and which rule says so. */
  decide(principal: Principal, request: AccessRequest): AccessVerdict {
    return this.#guard.decide(principal, request);
  }

  /** Ends all connections with 0x8B, or 0x9C when clients can be sent elsewhere, and leaves the cluster; resolves when everything taken has been handed over. */
  async stop(): Promise<void> {
    const canSendAway = this.#keeper.serverReference !== undefined;
    this.#router.seal();
    this.#keeper.closeAll(canSendAway ? REASON.useAnotherServer : REASON.serverShuttingDown);
    // No client is told any more what becomes of its messages: they are sent again.
    this.#member.leave();
    this.#parts.bus.stopReceiving();
    this.#turn.flush();
    await this.#keeper.allWillsSettled();
    this.#keeper.forgetEnded();
    this.#turn.flush();
    await this.#retained.idle();
    await this.writer.idle();
    await this.#delayed.idle();
    // The nodes that have its clients by now wait for what they have published here, as long as this one is there.
    await this.#parts.moves?.quiet();
    await this.#parts.bus.close();
    await this.#parts.hub.close();
  }

  /**
   * Takes over now what dead incarnations of a node have left, if nobody has.
   *
   * @returns `alive` when it has a lease; `absent` when nothing of it is left.
   */
  async forget(nodeId: string): Promise<'alive' | 'absent' | 'taken-over'> {
    const { bus } = this.#parts;
    if (bus.nodes().some((node) => node.nodeId === nodeId)) return 'alive';
    return (await this.#member.takeOver(nodeId)) ? 'taken-over' : 'absent';
  }

  /** Drops every connection at once: this incarnation no longer owns its sessions. */
  abandon(): void {
    this.#keeper.cutAll('lease_lost');
    this.#turn.flush();
  }

  route(message: Message, done: PublishDone): void {
    if (message.trace === undefined) return this.#member.route(message, done);
    const receivers = this.#router.countReceivers(message.topic);
    this.#member.route(message, this.#spans?.routing(message, receivers, done) ?? done);
  }

  retain(message: Message, done: PublishDone): void {
    // What plugins say under $SYS is for who listens, and so is an answer.
    if (isSysFilter(message.topic) || isResponseTopic(message.topic)) return done();
    this.#retained.add(message, done);
  }

  identify(message: InjectedMessage): Message {
    return this.#identify(message, 'system', '');
  }

  /** @internal */
  publishFrom(entry: SessionEntry, packet: PublishPacket, ack: PublishAck | undefined): void {
    this.traffic.received += 1;
    this.meter.publishReceived(packet.qos);
    this.meter.messageSize('in', packet.payload.length);
    if (this.#keeper.bounds.sheds(packet)) return this.losses.shed(entry, packet.topic);
    const fault = topicNameFault(packet.topic, this.limits.topicLevelsMax);
    if (fault !== undefined) {
      this.meter.publishRejected('topic_invalid');
      if (ack === undefined) return entry.close(REASON.topicNameInvalid, fault);
      return ack.complete(REASON.topicNameInvalid, fault);
    }
    const delayFault = this.#delayed.fault(packet.topic);
    if (delayFault !== undefined) {
      this.meter.publishRejected('topic_invalid');
      return ack?.complete(REASON.topicNameInvalid, delayFault);
    }
    if (entry.access !== undefined && !this.#guard.mayPublish(entry.access, packet)) {
      return this.#deny(entry, ack);
    }
    entry.hasPublished = true;
    const message = this.#identify(packet, 'client', entry.clientId);
    if (ack === undefined) return this.#publish(message, entry.client, nobodyWaits);
    if (ack.qos === 2 && entry.durable) {
      const { packetId } = ack;
      const digest = digestOf(packet);
      const begun = packet.dup ? entry.receiving(packetId) : undefined;
      // After a refusal the packet id may stand for another message.
      const { source, sequence } = begun?.digest === digest ? begun : message;
      const begins = { source, sequence, digest };
      return this.#publishOnce(entry, { ...message, source, sequence }, { ack, begins });
    }
    this.#publish(message, entry.client, acknowledging(ack, this));
  }

  /** @internal */
  subscribe(entry: SessionEntry, packet: SubscribePacket): void {
    this.#subscriber.subscribe(entry, packet).catch(this.#fail);
  }

  /** @internal */
  unsubscribe(entry: SessionEntry, packet: UnsubscribePacket): void {
    this.#subscriber.unsubscribe(entry, packet).catch(this.#fail);
  }

  /** @internal */
  settle(entry: SessionEntry, position: QueuePosition): void {
    const positions = this.#settling.get(entry);
    if (positions === undefined) this.#settling.set(entry, [position]);
    else positions.push(position);
    this.#turn.touch();
  }

  /** @internal */
  load(entry: SessionEntry, load: Load): Promise<readonly QueuedMessage[]> {
    // What this turn has settled must be gone before the queue is read again.
    this.#flushSettled();
    this.writer.flush();
    const read = this.#parts.sessions.read(entry.clientId, load.after, load.limit);
    const spans = this.#spans;
    return spans === undefined ? read : read.then((queued) => spans.resumed(queued));
  }

  /** @internal */
  fenced(entry: SessionEntry, offer: Offer | undefined): void {
    this.#member.lose(entry);
    if (offer?.obligations === undefined) return;
    const { message, shared, obligations } = offer;
    if (shared instanceof GroupPublish) {
      return this.#member.regroup(message, shared.group, obligations);
    }
    this.#member.follow({ clientId: entry.clientId, message, obligations });
  }

  /** @internal */
  passOn(entry: SessionEntry, publish: GroupPublish, obligations: Obligations | undefined): void {
    const { message, group } = publish;
    if (entry.subscriptions.has(group)) void this.#subscriber.revoke(entry, [group]);
    if (obligations === undefined) return this.#member.regroupOrphan(publish);
    obligations.begin();
    this.#member.regroup(message, group, obligations);
  }

  /** A client before MQTT 5 cannot be told: the message is acknowledged and dropped, or the connection ends (MQTT 3.1.1, section 3.3.5). */
  #deny(entry: SessionEntry, ack: PublishAck | undefined): void {
    this.meter.publishRejected('acl');
    const isTold = entry.terms?.version === 5 || this.#guard.deniedPublish === 'close';
    ack?.complete(isTold ? REASON.notAuthorized : REASON.success);
  }

  /**
   * A QoS 2 message of a durable session: its packet id and its identity are in the store before it reaches anybody, so
   * that its repeat, at whatever node, goes under the same identity to those who have had it [MQTT-4.3.3-10].
   */
  #publishOnce(
    entry: SessionEntry,
    message: Message,
    { ack, begins }: { readonly ack: PublishAck; readonly begins: BegunMessage },
  ): void {
    const { packetId } = ack;
    entry.setReceiving(packetId, begins);
    entry.write({ kind: 'begin', packetId, message: begins }, (result) => {
      if (result === 'done') return this.#publish(message, entry.client, this.#receive(entry, ack));
      if (result === 'fenced') this.fenced(entry, undefined);
      else entry.close(REASON.serverUnavailable, STORE_SILENT);
      ack.complete(REASON.serverBusy);
    });
  }

  /** A message that is refused keeps its identity: whether its client was told, and does not send it again, is not known. */
  #receive(entry: SessionEntry, ack: PublishAck): PublishDone {
    const { packetId } = ack;
    const acknowledge = acknowledging(ack, this);
    return (error) => {
      if (error === undefined) {
        entry.setReceiving(packetId, undefined);
        entry.write({ kind: 'receive', packetId });
      }
      acknowledge(error);
    };
  }

  #flushSettled(): void {
    if (this.#settling.size === 0) return;
    for (const [entry, positions] of this.#settling) entry.write({ kind: 'settle', positions });
    this.#settling.clear();
  }

  #identify(message: InjectedMessage, origin: Message['origin'], publisher: string): Message {
    const receivedAtMs = this.nowMs();
    this.#sequence += 1;
    const { self: source } = this.#parts.bus;
    const sequence = this.#sequence;
    return identified(message, { publisher, source, sequence, receivedAtMs, origin });
  }

  #publish(message: Message, client: HubClient | undefined, done: PublishDone): void {
    // The hub keeps clients from $SYS topics, and nobody asks it about others.
    if (client === undefined && isSysPublish(message.topic)) {
      return done(new PublishError('NOT_AUTHORIZED', "$SYS topics are the node's own"));
    }
    if (client !== undefined && !this.#keeper.bounds.mayRetain(client.username, message)) {
      return done(new PublishError('QUOTA_EXCEEDED', TOO_MANY_RETAINED));
    }
    const taken = this.#spans?.take(message);
    if (taken === undefined) return this.#handOver(message, client, done);
    this.#handOver(taken.message, client, taken.ending(done));
  }

  #handOver(message: Message, client: HubClient | undefined, done: PublishDone): void {
    if (isDelayed(message.topic)) this.#delayed.publish(message, client, done);
    else this.#parts.hub.publish(message, client, done);
  }

  /** Publishes what an administrator says, or has a client say. */
  #publishAs(message: Message, entry: SessionEntry | undefined, done: PublishDone): void {
    const isDenied = entry?.access && !this.#guard.mayPublish(entry.access, message);
    if (isDenied) done(new PublishError('NOT_AUTHORIZED', 'the client may not publish it'));
    else this.#publish(message, entry?.client, done);
  }

  #publishWill(will: StoredWill, done: PublishDone): void {
    const refusal = this.#guard.willRefusal(will);
    if (refusal !== undefined) return done(refusal);
    const { message, identity, client } = will;
    const by = { ...identity, origin: 'client', publisher: client.clientId } as const;
    this.#publish(this.#asNew(message, by), client, done);
  }

  /** A message that has waited: of today, but under the identity that it was given before it was stored. */
  #asNew(message: InjectedMessage, { source, sequence, origin, publisher }: Provenance): Message {
    return { ...this.#identify(message, origin, publisher), source, sequence };
  }

  #nextIdentity(): MessageIdentity {
    this.#sequence += 1;
    return { source: this.#parts.bus.self, sequence: this.#sequence };
  }

  #adminView(): NodeAdminView {
    return new NodeAdminView(this.#parts, {
      ...{ sessions: this.#sessions, router: this.#router, subscriber: this.#subscriber },
      ...{ node: this, keeper: this.#keeper },
      identify: (message, publisher) => this.#identify(message, 'admin', publisher),
      publish: (message, entry, done) => this.#publishAs(message, entry, done),
    });
  }

  #subscribeUnasked(entry: SessionEntry): void {
    if (this.#autoSubscriptions.isEmpty || entry.client === undefined) return;
    const requests = this.#autoSubscriptions.of(entry.client, entry.names);
    this.#subscriber.grant(entry, requests).catch(this.#fail);
  }

  /** What the node holds at this moment; one pass over connections and sessions. */
  gauges(): NodeGauges {
    const own = { sessions: this.#sessions, router: this.#router, outbox: this.#outbox };
    return gaugesOf(this.#parts, { ...own, keeper: this.#keeper });
  }
}
