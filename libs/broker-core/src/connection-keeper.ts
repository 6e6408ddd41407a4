import type { DisconnectReason, MessageIdentity, QueuedMessage } from '#libs/broker-ports';
import { REASON, type ConnectPacket, type ReasonCode } from '#libs/mqtt-codec';
import { negotiate, type ConnectionTerms } from '#libs/mqtt-engine';
import { topicNameFault } from '#libs/topic-index';
import type { BanCandidate, ClientAccess, Identity } from '#libs/access';
import type { AccessGuard } from './access-guard.ts';
import { Bounds } from './abuse/bounds.ts';
import { Flapping, type FlappingSettings } from './abuse/flapping.ts';
import { Admission } from './admission.ts';
import { ClientEvents } from './client-events.ts';
import type { ConnectionHost } from './connection-host.ts';
import { Bans, type NewBan } from './bans.ts';
import { Connection } from './connection.ts';
import { principalOf, setCredential } from './credential.ts';
import { Elsewhere } from './elsewhere.ts';
import { EndedSessions } from './ended-sessions.ts';
import { Expulsion, candidateOf } from './expulsion.ts';
import { hubClientOf, type ConnectionEnd } from './explanation.ts';
import { Naming } from './naming/naming.ts';
import { Orphans } from './orphans.ts';
import type { NodeParts } from './parts.ts';
import type { SessionEntry } from './session-entry.ts';
import { GroupPublish } from './share-group.ts';
import { ForeignSessionError, type Connecting } from './session-taker.ts';
import { expiryOf, type Acquired, type Sessions } from './sessions.ts';
import { ConnectAnswers } from './spans/connect-answers.ts';
import { StoredLogins } from './stored-logins.ts';
import { spreadWork } from './spread-work.ts';
import type { Tracing } from './tracing.ts';
import type { Transport } from './transport.ts';
import type { Flushable, Turn } from './turn.ts';
import type { SessionWriter } from './session-writer.ts';
import { storedWillOf, type Wills } from './wills.ts';

/** What a client is told that comes while the node has too much to do. */
const BUSY = 'the node has too much to do';

/** What follows from connections for the rest of the node. */
export interface KeeperHost {
  /** A client has got its CONNACK, and nothing of it has been handled yet. */
  connected(entry: SessionEntry): void;
  /** A client has connected or gone away. */
  presenceChanged(entry: SessionEntry): void;
  /** Another node has the session. */
  fenced(entry: SessionEntry): void;
  /** Names a message that a client leaves to be published. */
  identity(): MessageIdentity;
  /** What is in the stored queue of a durable session. */
  queued(entry: SessionEntry): Promise<readonly QueuedMessage[]>;
  /** A member of a shared subscription is gone for good and leaves a message to the others. */
  regroup(orphan: GroupPublish): void;
}

/** A client that takes its session, and what it may do. */
interface Admitted extends Connecting {
  readonly access: ClientAccess | undefined;
}

const BANNED = 'banned';

/** The connections of a node: CONNECT, deadlines, the end of a connection and what follows for its session. */
export class ConnectionKeeper implements ConnectionHost<Connection>, Flushable {
  readonly limits: NodeParts['limits'];
  readonly meter: NodeParts['meter'];
  readonly log: NodeParts['log'];
  readonly nowMs: () => number;
  readonly tracing: Tracing | undefined;
  readonly elsewhere: Elsewhere;
  /** Who may not connect; undefined when the node has no bans. */
  readonly bans: Bans | undefined;
  /** What bounds its clients besides the limits. */
  readonly bounds: Bounds;
  readonly #parts: NodeParts;
  readonly #sessions: Sessions;
  readonly #wills: Wills;
  readonly #ended: EndedSessions;
  readonly #turn: Turn;
  readonly #host: KeeperHost;
  readonly #guard: AccessGuard;
  readonly #admission: Admission;
  readonly #naming: Naming;
  readonly #flapping: Flapping | undefined;
  readonly #orphans: Orphans;
  readonly #logins: StoredLogins | undefined;
  readonly #events: ClientEvents;
  readonly #answers: ConnectAnswers;
  readonly #connections = new Set<Connection>();
  #accepted = 0;
  #dirty: Connection[] = [];
  #resuming: Connection[] = [];
  /** Whether the last session that a client asked for could not be taken. */
  #isFailing = false;
  /** The sweep that has not come to its end. */
  #sweeping: Generator<void, void, undefined> | undefined;

  constructor(
    parts: NodeParts,
    own: {
      readonly sessions: Sessions;
      readonly wills: Wills;
      readonly writer: SessionWriter;
      readonly turn: Turn;
      readonly guard: AccessGuard;
      readonly host: KeeperHost;
    },
  ) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.meter = parts.meter;
    const expulsion = this.#expulsionOf(parts);
    this.bans = parts.bans && new Bans(parts.bans, parts, (fresh) => expulsion.begin(fresh));
    const { bans } = this;
    const host = bans && { ...parts, ban: (wanted: NewBan) => bans.add(wanted) };
    this.#flapping = host && parts.flapping && new Flapping(parts.flapping, host);
    this.log = parts.log;
    this.nowMs = parts.nowMs;
    this.tracing = parts.tracing;
    this.elsewhere = new Elsewhere(parts.serverReference);
    this.#admission = new Admission(parts);
    this.#naming = new Naming(parts.topics.rewrite, parts.limits.topicLevelsMax);
    this.bounds = new Bounds(parts);
    this.#sessions = own.sessions;
    this.#wills = own.wills;
    this.#ended = new EndedSessions(parts, {
      writer: own.writer,
      hasNoWill: (clientId) => own.wills.isSettled(clientId),
    });
    this.#turn = own.turn;
    this.#host = own.host;
    this.#orphans = new Orphans(parts.log, own.host);
    this.#guard = own.guard;
    this.#events = new ClientEvents(parts);
    this.#answers = new ConnectAnswers(parts);
    const { storedUsers, log } = parts;
    this.#logins = storedUsers && new StoredLogins(storedUsers, own.guard, log);
  }

  get serverReference(): string | undefined {
    return this.elsewhere.reference;
  }

  get pausesPublishers(): boolean {
    return this.bounds.pausesPublishers;
  }

  all(): IterableIterator<Connection> {
    return this.#connections.values();
  }

  /** How many connections there have been. */
  get accepted(): number {
    return this.#accepted;
  }

  accept(transport: Transport): Connection {
    this.#accepted += 1;
    const connection = new Connection(this, transport);
    this.#connections.add(connection);
    return connection;
  }

  connect(connection: Connection, packet: ConnectPacket): void {
    this.#answers.began(connection, packet);
    // Whoever is turned away costs no more than this, and is no failure of the service: others take it.
    if (this.elsewhere.isOn)
      return connection.refuse(REASON.useAnotherServer, 'the node is being drained');
    if (this.bounds.refusesClients) {
      this.meter.connectThrottled(connection.transport.listener);
      return connection.refuse(this.elsewhere.reasonCode, BUSY);
    }
    const negotiation = negotiate(packet, this.limits, {
      rules: this.#parts.rulesOf(connection.transport.listener),
      assignClientId: this.#parts.assignClientId,
    });
    if (negotiation.kind === 'refused') {
      return connection.refuse(negotiation.reasonCode, negotiation.detail);
    }
    const { terms } = negotiation;
    // Before authentication, which costs something; whether the user is banned is known after it.
    const { remoteAddress: address } = connection.transport;
    const candidate = { clientId: terms.clientId, address };
    if (this.#isHit(candidate)) return connection.refuse(REASON.banned, BANNED);
    const willFault = terms.will && topicNameFault(terms.will.topic, this.limits.topicLevelsMax);
    if (willFault !== undefined) return connection.refuse(REASON.topicNameInvalid, willFault);
    this.#admission.admit(packet, {
      connection,
      terms,
      admitted: (own, identity) => this.#acquire(connection, own, identity),
      renewed: (identity) => this.#renewed(connection, identity),
    });
  }

  /** Nothing happens to a node without bans, or that was told of no bounds. */
  setFlapping(settings: FlappingSettings): void {
    this.#flapping?.configure(settings);
  }

  /** Rates or quotas have changed. */
  renewBounds(): void {
    this.bounds.renew(this.#connections);
  }

  connectRefused(connection: Connection, reasonCode: ReasonCode, detail: string): void {
    this.#answers.refused(connection, reasonCode, detail);
    if (this.tracing?.isOn !== true) return;
    this.tracing.decided(connection, { type: 'connect_refused', reasonCode, detail });
  }

  ended(connection: Connection, end: ConnectionEnd, wasConnected: boolean): void {
    this.#connections.delete(connection);
    connection.account?.disconnect();
    this.#logins?.left(connection);
    if (this.tracing?.isOn === true) {
      const { initiator, reason } = end;
      this.tracing.decided(connection, { type: 'connection_ended', initiator, reason });
    }
    const { listener } = connection.transport;
    if (wasConnected) {
      this.meter.disconnected(listener, end.initiator, end.reason);
      this.#events.disconnected(connection, end);
      const lastedMs = this.nowMs() - connection.acceptedAtMs;
      this.meter.connectionDuration(lastedMs / 1000);
      const { client } = connection;
      if (client) this.#flapping?.ended({ client, reason: end.reason, lastedMs });
    }
    const { entry } = connection;
    if (entry?.connection === connection) this.#detach(entry, end);
  }

  flushLater(connection: Connection): void {
    this.#dirty.push(connection);
    this.#turn.touch();
  }

  resumeLater(connection: Connection): void {
    this.#resuming.push(connection);
    this.#turn.touch();
  }

  flush(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
    const resuming = this.#resuming;
    this.#resuming = [];
    for (const connection of resuming) connection.resume();
  }

  /**
   * Deadlines of connections, expiry of sessions, wills that are due, loads to try again. Many of them take several turns; a
   * sweep that begins before the last one has ended is left out.
   */
  sweep(nowMs: number): void {
    if (this.#sweeping !== undefined) return;
    this.#sweeping = this.#visitAll(nowMs);
    spreadWork(this.#sweeping, this.#parts.defer);
  }

  /** Begins to follow who may not connect, and who has changed. */
  start(): void {
    this.bans?.start();
    this.#logins?.start();
  }

  /** Ends a session, whether its client is connected or not. */
  endSession(entry: SessionEntry): void {
    this.#end(entry, 'discarded');
  }

  /** Resolves when the wills that a client has left are published, or cannot be at this moment: whether none is left. */
  willsSettled(clientId: string): Promise<boolean> {
    return this.#wills.settled(clientId);
  }

  /** Nothing that is over is kept any longer: the node leaves. */
  forgetEnded(): void {
    this.#ended.clear();
  }

  /** Resolves when this is so of all clients. */
  allWillsSettled(): Promise<void> {
    return this.#wills.allSettled();
  }

  closeAll(reasonCode: ReasonCode): void {
    this.#sweeping?.return();
    for (const connection of this.#connections) {
      connection.close(reasonCode, 'the node is shutting down');
    }
  }

  cutAll(reason: DisconnectReason): void {
    this.#sweeping?.return();
    for (const connection of this.#connections) connection.cut(reason);
  }

  #expulsionOf({ bans, nowMs, defer }: NodeParts): Expulsion {
    return new Expulsion({
      ...{ patterns: bans?.patterns, nowMs, defer },
      connections: () => this.#connections,
      isBanned: (client) => this.#isHit(candidateOf(client)),
      expel: (connection) => this.#expel(connection),
    });
  }

  /** Whether somebody is banned, and to be counted as such. */
  #isHit(candidate: BanCandidate): boolean {
    const ban = this.bans?.find(candidate);
    if (ban !== undefined) this.meter.banHit(ban.kind);
    return ban !== undefined;
  }

  /** "Banned" belongs to CONNACK: of the codes of DISCONNECT, another one says who has ended the connection (MQTT 5, table 3-10). */
  #expel(connection: Connection): void {
    if (connection.isConnected) connection.close(REASON.administrativeAction, BANNED, 'banned');
    else connection.refuse(REASON.banned, BANNED);
  }

  *#visitAll(nowMs: number): Generator<void, void, undefined> {
    try {
      const overdueMs = nowMs - this.limits.publishDeadlineMs;
      for (const connection of this.#connections) {
        connection.checkDeadlines(nowMs);
        connection.entry?.session.inbound.giveUp(overdueMs);
        yield;
      }
      this.bounds.accounts.begin();
      for (const entry of this.#sessions.all()) {
        this.#visit(entry, nowMs);
        if (!entry.isGone) this.bounds.accounts.count(entry);
        yield;
      }
      this.bounds.accounts.settle();
      this.#wills.sweep();
      this.bans?.sweep(nowMs);
      this.#logins?.sweep();
      this.#ended.sweep();
    } finally {
      this.#sweeping = undefined;
    }
  }

  #visit(entry: SessionEntry, nowMs: number): void {
    entry.retry(nowMs);
    const isOver = entry.connection === undefined && entry.expiresAtMs <= nowMs;
    if (isOver) this.#end(entry, 'expired');
    else this.#wills.settle(entry);
  }

  #renewed(connection: Connection, identity: Identity): void {
    const { groups = [], rules = [] } = identity;
    const { entry } = connection;
    setCredential(connection, identity);
    if (entry !== undefined) this.#guard.renewed(entry, { groups, rules });
    this.#logins?.joined(connection);
  }

  #acquire(connection: Connection, asked: ConnectionTerms, identity: Identity): void {
    const named = this.#naming.name(asked, connection.transport.remoteAddress);
    if (named.kind === 'refused') return connection.refuse(named.reasonCode, named.detail);
    const { terms, names } = named;
    if (this.#sessions.isFullFor(terms.clientId)) {
      return connection.refuse(REASON.quotaExceeded, 'no room for another session');
    }
    setCredential(connection, identity);
    const client = hubClientOf(connection, terms.clientId, terms.username);
    if (this.#isHit(candidateOf(client))) return connection.refuse(REASON.banned, BANNED);
    connection.client = client;
    const principal = principalOf(connection, terms.clientId, identity);
    if (!terms.isClientIdAssigned && this.#parts.clientIds?.admits(principal) === false) {
      return connection.refuse(
        REASON.clientIdentifierNotValid,
        'the client id is not for this client',
      );
    }
    const access = this.#guard.admit(principal);
    if (access && terms.will && !this.#guard.mayPublish(access, terms.will)) {
      return connection.refuse(REASON.notAuthorized, 'the client may not publish its will');
    }
    const former = this.#sessions.get(terms.clientId);
    if (!this.bounds.connect(connection, terms.username, former)) {
      return connection.refuse(
        REASON.quotaExceeded,
        'the user has as many connections or sessions as it may',
      );
    }
    const will =
      terms.will && storedWillOf(terms.will, { client, identity: this.#host.identity() });
    if (access && will) this.#guard.willLeft(will, access);
    const user = this.#parts.authenticator && (identity.user ?? '');
    const existing = terms.cleanStart ? this.#sessions.get(terms.clientId) : undefined;
    // One that ends with its connection leaves them then; for whom it is not to have, nothing is read.
    const isLeft = existing !== undefined && existing.expirySeconds !== 0;
    const isOwn = user === undefined || existing?.user === undefined || existing.user === user;
    const orphans = isLeft && isOwn ? this.#orphans.of(existing) : undefined;
    const connecting = { terms, will, user, isOpen: () => connection.isOpen };
    this.#sessions
      .acquire(connecting, (acquired) => {
        this.#isFailing = false;
        acquired.entry.names = names;
        if (orphans !== undefined) void this.#orphans.regroup(orphans);
        this.#join(connection, { ...connecting, access }, acquired);
      })
      .catch((error: unknown) => {
        if (error instanceof ForeignSessionError) {
          return connection.refuse(REASON.notAuthorized, error.message);
        }
        this.#failed(terms.clientId, String(error));
        connection.refuse(REASON.serverUnavailable, 'the session could not be taken');
      });
  }

  /** A warning once until a session can be taken again: who connects while the store is away does not fill the log. */
  #failed(clientId: string, reason: string): void {
    const level = this.#isFailing ? 'debug' : 'warn';
    this.#isFailing = true;
    this.log[level]('connect-failed', { clientId, reason });
  }

  #join(connection: Connection, connecting: Admitted, acquired: Acquired): void {
    const { terms, will, access } = connecting;
    const { entry, sessionPresent, stored, formerWill, isWillDue } = acquired;
    if (formerWill !== undefined) this.#wills.succeed(formerWill, isWillDue);
    const nowMs = this.nowMs();
    entry.terms = terms;
    entry.client = hubClientOf(connection, terms.clientId, terms.username);
    entry.connectedAtMs = nowMs;
    entry.account = connection.account;
    this.#guard.joined(entry, access, sessionPresent);
    this.#wills.begin(entry, will);
    if (!connection.isOpen) {
      // The client went away while its session was taken, and before it was told: no will follows.
      this.#wills.end(entry, false);
      return this.#leaveBehind(entry);
    }
    entry.connection = connection;
    connection.joined(entry, terms.keepAliveSeconds);
    entry.session.attach(terms, sessionPresent, stored);
    this.#parts.hub.register(entry.client);
    this.#host.presenceChanged(entry);
    this.#host.connected(entry);
    this.#events.connected(entry, sessionPresent);
    this.#answers.accepted(connection, terms.version);
    connection.hold('connecting', false);
    this.#logins?.joined(connection);
  }

  #detach(entry: SessionEntry, end: ConnectionEnd): void {
    entry.connection = undefined;
    const orphans = entry.session.outbound.unsettled();
    entry.session.detach();
    this.#host.presenceChanged(entry);
    if (entry.client !== undefined) this.#parts.hub.unregister(entry.client);
    // After the lease the session is for its heir, and so is its will.
    if (end.reason === 'lease_lost') return;
    this.#wills.end(entry, end.withWill, end.willHoldSeconds);
    this.#leaveBehind(entry);
    for (const { publish } of orphans) {
      if (publish instanceof GroupPublish) this.#host.regroup(publish);
    }
  }

  /** What becomes of a session whose connection has ended. */
  #leaveBehind(entry: SessionEntry): void {
    const nowMs = this.nowMs();
    entry.disconnectedAtMs = nowMs;
    const isOver = !entry.durable || entry.expirySeconds === 0;
    const held = entry.will?.will.isHeld === true ? entry.will : undefined;
    if (isOver && held === undefined) return this.#end(entry, 'discarded');
    entry.expiresAtMs = isOver ? nowMs : expiryOf(nowMs, entry.expirySeconds);
    const disconnect = {
      kind: 'disconnect',
      nowMs,
      expiryIntervalSeconds: isOver ? 0 : entry.expirySeconds,
      ...(entry.will && { willDueAtMs: entry.will.dueAtMs }),
      ...(held && { will: held.will }),
    } as const;
    entry.write(disconnect, (result) => {
      if (result === 'fenced') this.#host.fenced(entry);
    });
    if (isOver) return this.#end(entry, 'discarded');
    this.#wills.settle(entry);
  }

  #end(entry: SessionEntry, event: 'discarded' | 'expired'): void {
    // Asked for before the queue goes, as the store keeps the order of calls.
    const orphans = this.#orphans.of(entry);
    if (orphans !== undefined) void this.#orphans.regroup(orphans);
    entry.account?.sessionEnded();
    this.#sessions.end(entry, event);
    this.#events.sessionEnded(entry, event);
    this.#wills.conclude(entry, this.#ended.keep(entry));
  }
}
