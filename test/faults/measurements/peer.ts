import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  PacketDecoder,
  REASON,
  encodePacket,
  type AckPacket,
  type ConnackPacket,
  type Packet,
  type PublishPacket,
  type QoS,
  type SubackPacket,
} from '#libs/mqtt-codec';
import type { Scope } from '../../e2e/harness/scope.ts';

const VERSION = 5;
const PACKET_BYTES_MAX = 16_777_216;
const PACKET_IDS = 65_535;
const REFUSED = 0x80;
/** Messages that are published and not acknowledged at once. */
const WINDOW = 500;

/** How a peer connects. */
export interface PeerOptions {
  readonly clientId: string;
  /** 0: the session ends with the connection. @defaultValue 0 */
  readonly sessionExpiryS?: number;
  /** @defaultValue true */
  readonly cleanStart?: boolean;
}

/** A message that a peer publishes. */
export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain?: boolean;
}

/** A client of MQTT 5 that does one thing after the other, for measurements. */
export class Peer {
  /** Called with each message. */
  onMessage: (packet: PublishPacket) => void = () => undefined;
  sessionPresent = false;
  /** Whether it acknowledges what it gets. */
  acknowledges = true;
  readonly #socket: Socket;
  readonly #decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
  readonly #answers = new Map<number, (packet: AckPacket | SubackPacket) => void>();
  #connack: ((packet: ConnackPacket) => void) | undefined;
  #lastId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#decoder.version = VERSION;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => undefined);
  }

  /** Connects. @throws Error when it is refused. */
  static async open(
    scope: Scope,
    port: number,
    { clientId, sessionExpiryS = 0, cleanStart = true }: PeerOptions,
  ): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    scope.add(() => socket.destroy());
    await once(socket, 'connect');
    const peer = new Peer(socket);
    const connack = new Promise<ConnackPacket>((resolve) => (peer.#connack = resolve));
    const properties = { sessionExpiryInterval: sessionExpiryS };
    const keepAlive = 0;
    peer.send({ kind: 'connect', version: VERSION, clientId, cleanStart, keepAlive, properties });
    const { reasonCode, sessionPresent } = await connack;
    if (reasonCode !== REASON.success) throw new Error(`refused: ${String(reasonCode)}`);
    peer.sessionPresent = sessionPresent;
    return peer;
  }

  send(packet: Packet): void {
    this.#socket.write(encodePacket(packet, VERSION));
  }

  /** Resolves after the SUBACK. @throws Error when a filter is refused. */
  async subscribe(filters: readonly string[], qos: QoS = 1): Promise<void> {
    const options = { qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = filters.map((filter) => ({ filter, ...options }));
    const packetId = this.#nextId();
    const answer = this.#answer(packetId);
    this.send({ kind: 'subscribe', packetId, subscriptions });
    const suback = await answer;
    if (suback.kind !== 'suback') throw new Error('not a SUBACK');
    const refusal = suback.reasonCodes.find((code) => code >= REFUSED);
    if (refusal !== undefined) throw new Error(`a filter is refused: ${String(refusal)}`);
  }

  /** Publishes with QoS 1; resolves after the PUBACK. @throws Error when it is refused. */
  async publish({ topic, payload, retain = false }: Outgoing): Promise<void> {
    const packetId = this.#nextId();
    const answer = this.#answer(packetId);
    this.send({ kind: 'publish', dup: false, qos: 1, retain, topic, packetId, payload });
    const ack = await answer;
    const isRefused = ack.kind === 'suback' || ack.reasonCode >= REFUSED;
    if (isRefused) throw new Error(`refused: ${JSON.stringify(ack)}`);
  }

  /** Publishes many, a window of them at a time; resolves after the last PUBACK. */
  async publishAll(messages: Iterable<Outgoing>, window = WINDOW): Promise<void> {
    let batch: Promise<void>[] = [];
    for (const message of messages) {
      batch.push(this.publish(message));
      if (batch.length < window) continue;
      await Promise.all(batch);
      batch = [];
    }
    await Promise.all(batch);
  }

  /** Leaves with DISCONNECT, or without a word; resolves when the connection has ended. */
  async leave(isOrderly = true): Promise<void> {
    const closed = once(this.#socket, 'close');
    if (isOrderly) {
      const bye = { kind: 'disconnect', reasonCode: REASON.success } as const;
      this.#socket.end(encodePacket(bye, VERSION));
    } else this.#socket.destroy();
    await closed;
  }

  #read(chunk: Buffer): void {
    this.#decoder.push(chunk);
    this.#socket.cork();
    for (let packet = this.#decoder.read(); packet !== undefined; packet = this.#decoder.read()) {
      if (packet.kind === 'failure') throw new Error(`the broker sent: ${packet.message}`);
      this.#handle(packet);
    }
    this.#socket.uncork();
  }

  #handle(packet: Packet): void {
    if (packet.kind === 'publish') {
      this.onMessage(packet);
      const { packetId, qos } = packet;
      if (qos === 0 || !this.acknowledges) return;
      const kind = qos === 1 ? 'puback' : 'pubrec';
      this.send({ kind, packetId, reasonCode: REASON.success });
    } else if (packet.kind === 'pubrel') {
      const { packetId } = packet;
      this.send({ kind: 'pubcomp', packetId, reasonCode: REASON.success });
    } else if (packet.kind === 'connack') this.#connack?.(packet);
    else if (packet.kind === 'puback' || packet.kind === 'suback') {
      this.#answers.get(packet.packetId)?.(packet);
      this.#answers.delete(packet.packetId);
    }
  }

  #answer(packetId: number): Promise<AckPacket | SubackPacket> {
    return new Promise((resolve) => this.#answers.set(packetId, resolve));
  }

  #nextId(): number {
    this.#lastId = (this.#lastId % PACKET_IDS) + 1;
    return this.#lastId;
  }
}
