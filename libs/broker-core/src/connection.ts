import type { DisconnectReason, HubClient } from '#libs/broker-ports';
import {
  PacketDecoder,
  PacketWriter,
  REASON,
  type ConnectPacket,
  type Packet,
  type ProtocolVersion,
  type PublishTemplate,
  type ReasonCode,
} from '#libs/mqtt-codec';
import type { Throttle } from './abuse/throttle.ts';
import type { UserAccount } from './abuse/user-accounts.ts';
import type { Authentication } from './authentication.ts';
import { HOLD_BITS, type ClientLink, type HoldReason } from './client-link.ts';
import { disconnectReasonOf } from './disconnect-reason.ts';
import type { ConnectionHost } from './connection-host.ts';
import { explanationOf, type ConnectionEnd, type Explanation } from './explanation.ts';
import type { SessionEntry } from './session-entry.ts';
import { Stall } from './stall.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** A client's share of a turn: whoever floods has its packets handled between those of the others. */
const PACKETS_PER_TURN_MAX = 256;

const LATE_AUTHENTICATION = 'authentication takes too long';

/** How long a client that is not read from until it takes what was sent may take nothing. */
const STALLED_MS = 120_000;

/** One client connection: bytes to packets, packets to its session, and a turn's output to one write. */
export class Connection implements TransportEvents, ClientLink {
  readonly transport: Transport;
  /** Of a client whose CONNECT names an authentication method. */
  authentication: Authentication | undefined;
  /** What the client calls itself, until it has proven who it is. */
  claimedId: string | undefined;
  /** Who the client has proven to be; undefined before. */
  client: HubClient | undefined;
  /** When the credential ends that the client has shown, and the connection with it. */
  expiresAtMs = Infinity;
  /** When the password was set that the client has shown, if it is a stored user; see {@link Identity}. */
  passwordSetAtMs: number | undefined;
  /** What bounds how fast its client sends; undefined when nothing does. */
  throttle: Throttle | undefined;
  /** Counts it for its user. */
  account: UserAccount | undefined;
  readonly #host: ConnectionHost<Connection>;
  readonly #decoder: PacketDecoder;
  readonly #writer = new PacketWriter();
  readonly #acceptedAtMs: number;
  #entry: SessionEntry | undefined;
  #phase:
    'awaiting-connect' | 'connecting' | 'authenticating' | 'connected' | 'closing' | 'closed' =
    'awaiting-connect';
  #holds = 0;
  #lastReceivedMs: number;
  #keepAliveMs = 0;
  /** Whether the client wants to be told in words why something is refused [MQTT-3.1.2-29]. */
  #tellsReasons = true;
  #isDirty = false;
  #isRetiring = false;
  /** Where the client is sent, if not where all are. */
  #referral: string | undefined;
  #congestedSinceMs = 0;
  /** Bytes of what is no delivery, since the client last took what was sent. */
  #answerBytes = 0;
  /** While reading is held for its output. */
  readonly #stall = new Stall();
  #end: ConnectionEnd | undefined;
  #waiters: (() => void)[] = [];

  constructor(host: ConnectionHost<Connection>, transport: Transport) {
    this.#host = host;
    this.transport = transport;
    this.#acceptedAtMs = host.nowMs();
    this.#lastReceivedMs = this.#acceptedAtMs;
    this.#decoder = new PacketDecoder({ packetBytesMax: host.limits.unauthenticatedBytesMax });
  }

  get version(): ProtocolVersion {
    return this.#decoder.version;
  }

  get isConnected(): boolean {
    return this.#phase === 'connected';
  }

  /** False once the connection has ended or is about to. */
  get isOpen(): boolean {
    return this.#phase !== 'closing' && this.#phase !== 'closed';
  }

  get acceptedAtMs(): number {
    return this.#acceptedAtMs;
  }

  get entry(): SessionEntry | undefined {
    return this.#entry;
  }

  /** Whether the client does not take what is sent, or is to get no more: QoS 0 is dropped for it then, the rest waits in its queue. */
  get congested(): boolean {
    return this.#isRetiring || this.isSlow;
  }

  /** Whether the client does not take what is sent. */
  get isSlow(): boolean {
    return this.unsentBytes > this.#host.limits.socketBufferBytesMax;
  }

  /** Bytes that wait for the client to take them. */
  get unsentBytes(): number {
    return this.transport.bufferedBytes + this.#writer.pendingBytes;
  }

  received(chunk: Uint8Array): void {
    if (!this.isOpen) return;
    this.#lastReceivedMs = this.#host.nowMs();
    this.#host.meter.bytesReceived(this.transport.listener, chunk.length);
    this.#decoder.push(chunk);
    if (this.throttle?.bytes(chunk.length, this.#lastReceivedMs) === false) this.hold('rate', true);
    this.#read();
    this.#wake();
  }

  drained(): void {
    const nowMs = this.#host.nowMs();
    this.#endCongestion(nowMs);
    this.#answerBytes = 0;
    this.hold('output', false);
    this.#wake();
    this.#entry?.session.outbound.pump(nowMs);
  }

  /** For long answers that are sent piece by piece, as the client takes them. */
  whenMoved(): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  ended(): void {
    this.#finish({ initiator: 'network', reason: 'network', withWill: true });
  }

  /** Joins the session that the CONNECT was for: CONNACK goes out and packets that came meanwhile are handled. */
  joined(entry: SessionEntry, keepAliveSeconds: number): void {
    this.#entry = entry;
    this.claimedId = undefined;
    this.#phase = 'connected';
    this.#keepAliveMs = keepAliveSeconds * 1500;
    this.#decoder.packetBytesMax = this.#host.limits.packetBytesMax;
    this.transport.authenticated?.();
  }

  /** Asks the client to go on with its authentication; before CONNACK its answer has to come next. */
  challenge(method: string, data: Uint8Array | undefined): void {
    this.sendAuth(REASON.continueAuthentication, method, data);
    if (!this.isOpen || this.#phase === 'connected') return;
    this.#phase = 'authenticating';
    this.hold('connecting', false);
  }

  /** Sends AUTH; a client that takes no packet as large could never go on, so its connection ends. */
  sendAuth(reasonCode: ReasonCode, method: string, data: Uint8Array | undefined): void {
    const properties = {
      authenticationMethod: method,
      ...(data !== undefined && { authenticationData: data }),
    };
    if (this.send({ kind: 'auth', reasonCode, properties })) return;
    this.close(REASON.packetTooLarge, 'the client takes no packet as large as AUTH');
  }

  /** Refuses the CONNECT. */
  refuse(reasonCode: ReasonCode, detail: string): void {
    if (!this.isOpen) return;
    this.send({ kind: 'connack', sessionPresent: false, ...this.#explained(reasonCode, detail) });
    this.#host.connectRefused(this, reasonCode, detail);
    this.#closeAfterOutput({
      initiator: 'server',
      reason: disconnectReasonOf(reasonCode),
      withWill: false,
    });
  }

  /**
   * Ends the connection; MQTT 5 clients are told why [MQTT-4.13.1-1].
   *
   * @param reason - for the metrics, where the code alone does not tell.
   */
  close(reasonCode: ReasonCode, detail: string, reason = disconnectReasonOf(reasonCode)): void {
    if (!this.isOpen) return;
    // Nothing is said before CONNECT: not even the version is known.
    if (this.#phase === 'awaiting-connect') return this.cut(reason);
    if (this.#phase !== 'connected') {
      // "Server shutting down" belongs to DISCONNECT [MQTT-3.2.2-8].
      const isEnding = reasonCode === REASON.serverShuttingDown;
      return this.refuse(isEnding ? REASON.serverUnavailable : reasonCode, detail);
    }
    // "Server unavailable" belongs to CONNACK [MQTT-3.14.2-1]; of the codes of DISCONNECT this one says: try again.
    const told = reasonCode === REASON.serverUnavailable ? REASON.serverBusy : reasonCode;
    this.send({ kind: 'disconnect', ...this.#explained(told, detail) });
    const clientId = this.#entry?.clientId;
    this.#host.log.debug('connection-closed', { clientId, reasonCode, detail });
    this.#closeAfterOutput({ initiator: 'server', reason, withWill: true });
  }

  /** Whether nothing is under way with the client: no acknowledgement is awaited, and none is due. */
  get isQuiet(): boolean {
    const session = this.#entry?.session;
    return !session?.outbound.inflightCount && !session?.inbound.pendingCount;
  }

  /** Begins nothing more with the client: what it has in flight comes to its end. */
  retire(): void {
    this.#isRetiring = true;
    if (!this.#entry?.session.outbound.inflightCount) this.hold('retiring', true);
  }

  /** Goes on with a client that was to be sent away. */
  stay(): void {
    this.#isRetiring = false;
    this.hold('retiring', false);
    this.#entry?.session.outbound.pump(this.#host.nowMs());
  }

  /** Ends the connection of a client that is to go to another node. */
  sendAway(
    reasonCode: ReasonCode,
    by: Pick<ConnectionEnd, 'reason' | 'willHoldSeconds'> & {
      readonly serverReference: string | undefined;
    },
  ): void {
    if (!this.isConnected) return;
    this.#referral = by.serverReference;
    this.send({ kind: 'disconnect', ...this.#explained(reasonCode, 'connect to another node') });
    const { reason, willHoldSeconds = 0 } = by;
    this.#closeAfterOutput({ initiator: 'server', reason, withWill: true, willHoldSeconds });
  }

  /** The client has said DISCONNECT. */
  leave(withWill: boolean): void {
    this.#closeAfterOutput({
      initiator: 'client',
      reason: withWill ? 'with_will' : 'normal',
      withWill,
    });
  }

  /** Reading goes on when no reason is left to hold it, and what has come already is handled. */
  hold(reason: HoldReason, held: boolean): void {
    const bit = HOLD_BITS[reason];
    const before = this.#holds;
    this.#holds = held ? before | bit : before & ~bit;
    if (this.#holds > before && reason !== 'connecting' && reason !== 'retiring')
      this.#host.meter.readingHeld(reason);
    if ((before === 0) === (this.#holds === 0)) return;
    if (this.#holds !== 0) return this.transport.hold(true);
    // The silence was ours.
    this.#lastReceivedMs = this.#host.nowMs();
    this.#host.resumeLater(this);
  }

  /** Handles what came while reading was held, and before more comes: else a flood would pile up here. */
  resume(): void {
    if (!this.isOpen) return;
    this.#holds &= ~HOLD_BITS.share;
    this.#read();
    if (this.#holds === 0) this.transport.hold(false);
    this.#wake();
  }

  /** Ends a connection that was silent for too long, or has not brought its CONNECT or AUTH in time. */
  checkDeadlines(nowMs: number): void {
    this.#wake();
    const connectTimeoutMs = this.#host.limits.connectTimeoutMs;
    if (this.#phase === 'connected') {
      if (nowMs >= this.expiresAtMs) {
        this.close(REASON.notAuthorized, 'the credential has expired', 'credential_expired');
      }
      const isLate = this.#keepAliveMs !== 0 && nowMs - this.#lastReceivedMs > this.#keepAliveMs;
      // Reading is held by us, so silence is not the client's.
      if (isLate && this.#holds === 0) this.close(REASON.keepAliveTimeout, 'keep-alive passed');
      if (this.#isStalled(nowMs)) this.cut('quota');
      this.#checkThrottle(nowMs);
      if (this.authentication?.isOverdue(nowMs - connectTimeoutMs)) {
        this.close(REASON.notAuthorized, LATE_AUTHENTICATION, 'authentication_failed');
      }
    } else if (nowMs - this.#acceptedAtMs > connectTimeoutMs) {
      if (this.#phase === 'connecting') this.refuse(REASON.serverUnavailable, 'connect timeout');
      else if (this.#phase === 'authenticating') {
        this.refuse(REASON.notAuthorized, LATE_AUTHENTICATION);
      } else this.cut('connect_timeout');
    }
  }

  /** Ends the connection without a packet. */
  cut(reason: DisconnectReason): void {
    this.#closeAfterOutput({ initiator: 'server', reason, withWill: true });
  }

  /** Sends a packet, unless the connection is over or the client cannot take it. */
  send(packet: Packet): boolean {
    if (!this.isOpen) return false;
    this.#writer.version = this.version;
    const before = this.#writer.pendingBytes;
    if (!this.#writer.write(packet)) return false;
    if (this.#host.tracing?.isOn === true) this.#host.tracing.sent(this, packet);
    this.#answerBytes += this.#writer.pendingBytes - before;
    this.#host.meter.packetSent(packet.kind, 1);
    this.#touch();
    return true;
  }

  sendAck(
    kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
    packetId: number,
    reasonCode: ReasonCode,
  ): void {
    if (!this.isOpen) return;
    const before = this.#writer.pendingBytes;
    this.#writer.writeAck(kind, packetId, reasonCode);
    if (this.#host.tracing?.isOn === true) {
      this.#host.tracing.sent(this, { kind, packetId, reasonCode });
    }
    this.#answerBytes += this.#writer.pendingBytes - before;
    this.#host.meter.packetSent(kind, 1);
    this.#touch();
  }

  sendPublish(template: PublishTemplate, packetId: number, dup: boolean): void {
    if (!this.isOpen) return;
    this.#writer.writePublish(template, packetId, dup);
    if (this.#host.tracing?.isOn === true) {
      this.#host.tracing.sentMessage(this, template, { packetId, dup });
    }
    this.#host.meter.packetSent('publish', 1);
    this.#touch();
  }

  /** Hands the turn's output to the transport: one write. */
  flush(): void {
    this.#isDirty = false;
    if (this.#phase === 'closed') return;
    const bytes = this.#writer.pendingBytes;
    if (bytes > 0) {
      const wasCongested = this.isSlow;
      this.transport.send(this.#writer.take());
      this.#host.meter.bytesSent(this.transport.listener, bytes);
      if (this.isSlow) {
        if (this.#congestedSinceMs === 0) this.#congestedSinceMs = this.#host.nowMs();
        // Deliveries stop while the socket is congested; answers stop when nothing is read that asks for them.
        if (this.#answerBytes > this.#host.limits.socketBufferBytesMax) this.hold('output', true);
      } else if (wasCongested) {
        // The socket took all of it at once and will not say so: what waits for it goes on.
        this.drained();
      } else this.#answerBytes = 0;
    }
    if (this.#phase === 'closing') {
      this.#phase = 'closed';
      this.transport.end();
    }
  }

  #read(): void {
    for (let count = 0; this.#holds === 0 && this.isOpen; count += 1) {
      const packet = this.#decoder.read();
      if (packet === undefined) {
        if (count < PACKETS_PER_TURN_MAX) return;
        this.hold('share', true);
        return this.#host.resumeLater(this);
      }
      if (packet.kind === 'failure') return this.#malformed(packet.reasonCode, packet.message);
      this.#host.meter.packetReceived(packet.kind);
      if (this.#host.tracing?.isOn === true) this.#host.tracing.received(this, packet);
      if (this.#phase === 'connected') {
        this.#handle(packet);
        if (packet.kind === 'publish') this.#published();
      } else if (this.#phase === 'authenticating') this.#continue(packet);
      else if (packet.kind === 'connect') this.#connect(packet);
      else return this.cut('protocol_error');
    }
  }

  #handle(packet: Packet): void {
    if (packet.kind === 'auth' && this.authentication !== undefined) {
      return this.authentication.handle(packet, this.#lastReceivedMs);
    }
    this.#entry?.session.handle(packet, this.#lastReceivedMs);
  }

  /** The message is taken: whether there may be another is another question. */
  #published(): void {
    if (this.throttle?.message(this.#lastReceivedMs) === false) this.hold('rate', true);
    if (this.#host.pausesPublishers) this.hold('overload', true);
  }

  #checkThrottle(nowMs: number): void {
    const state = this.throttle?.check(nowMs) ?? 'free';
    if (state === 'over') return this.close(REASON.quotaExceeded, 'too much is sent for too long');
    this.hold('rate', state === 'held');
    if (!this.#host.pausesPublishers) this.hold('overload', false);
  }

  /** Before CONNACK a client that authenticates may send AUTH and DISCONNECT only [MQTT-3.1.2-30]. */
  #continue(packet: Packet): void {
    if (packet.kind === 'disconnect') return this.leave(false);
    if (packet.kind !== 'auth') {
      return this.refuse(REASON.protocolError, `${packet.kind} while authenticating`);
    }
    this.#phase = 'connecting';
    this.hold('connecting', true);
    this.authentication?.handle(packet, this.#lastReceivedMs);
  }

  #connect(packet: ConnectPacket): void {
    this.#phase = 'connecting';
    this.#writer.version = packet.version;
    this.#writer.packetBytesMax = packet.properties?.maximumPacketSize ?? Infinity;
    this.#tellsReasons = packet.properties?.requestProblemInformation !== false;
    this.hold('connecting', true);
    this.#host.connect(this, packet);
  }

  #malformed(reasonCode: ReasonCode, detail: string): void {
    if (this.#phase === 'connected') {
      // 0x84 belongs to CONNACK: of a version that a second CONNECT asks for nothing is said [MQTT-3.1.0-2].
      const isSecond = reasonCode === REASON.unsupportedProtocolVersion;
      return this.close(isSecond ? REASON.protocolError : reasonCode, detail);
    }
    // MQTT 5 may be told what is wrong with its CONNECT; older versions only that they are not spoken [MQTT-3.1.4-1].
    const isTold = this.version === 5 || reasonCode === REASON.unsupportedProtocolVersion;
    if (isTold) return this.refuse(reasonCode, detail);
    this.cut(disconnectReasonOf(reasonCode));
  }

  #explained(reasonCode: ReasonCode, detail: string): Explanation {
    const reference = this.#referral ?? this.#host.serverReference;
    return explanationOf(reasonCode, this.#tellsReasons ? detail : undefined, reference);
  }

  #endCongestion(nowMs: number): void {
    if (this.#congestedSinceMs === 0) return;
    this.#host.meter.backpressure((nowMs - this.#congestedSinceMs) / 1000);
    this.#congestedSinceMs = 0;
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Whether a client that is not read from for its own sake has taken nothing for too long. */
  #isStalled(nowMs: number): boolean {
    const isHeld = (this.#holds & HOLD_BITS.output) !== 0 && this.isSlow;
    const bytes = isHeld ? this.transport.bufferedBytes : undefined;
    return this.#stall.lastedMs(bytes, nowMs) > STALLED_MS;
  }

  #touch(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#host.flushLater(this);
  }

  #closeAfterOutput(end: ConnectionEnd): void {
    if (this.isOpen) this.#finish(end);
  }

  #finish(end: ConnectionEnd): void {
    if (this.#end !== undefined) {
      this.#phase = 'closed';
      return;
    }
    this.#end = end;
    const wasOpen = this.#phase;
    this.#phase = end.initiator === 'network' ? 'closed' : 'closing';
    if (this.#phase === 'closing') this.#touch();
    this.#endCongestion(this.#host.nowMs());
    this.#wake();
    this.#host.ended(this, end, wasOpen === 'connected');
  }
}
