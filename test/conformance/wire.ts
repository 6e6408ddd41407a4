import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import mqttPacket, {
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
} from 'mqtt-packet';
import { until } from '#libs/testkit';
import type { Scope } from '../e2e/harness/scope.ts';

/** A version of MQTT by its protocol level. */
export type Level = 3 | 4 | 5;

/** The packet of a kind, as mqtt-packet has it. */
export type PacketOf<Kind extends Packet['cmd']> = Extract<Packet, { readonly cmd: Kind }>;

/** What a test wants of a CONNECT. */
export type ConnectOptions = Partial<
  Omit<IConnectPacket, 'cmd' | 'protocolId' | 'protocolVersion'>
>;

/** What a test wants of a PUBLISH; without a packet identifier it gets the next one. */
export type PublishOptions = Partial<Omit<IPublishPacket, 'cmd' | 'topic'>>;

const DEADLINE_MS = 20_000;

let clients = 0;

/** A client id that no other test has. */
export function uniqueId(): string {
  clients += 1;
  return `wire${String(clients)}`;
}

/**
 * A socket that speaks MQTT packet by packet, read and written by mqtt-packet and not by our own codec.
 *
 * @remarks It does nothing by itself: no acknowledgement, no ping.
 */
export class Wire {
  readonly level: Level;
  /** Everything received. */
  bytes = Buffer.alloc(0);
  isClosed = false;
  readonly #socket: Socket;
  readonly #packets: Packet[] = [];
  #lastPacketId = 0;

  private constructor(scope: Scope, socket: Socket, level: Level) {
    this.#socket = socket;
    this.level = level;
    const parser = mqttPacket.parser({ protocolVersion: level });
    parser.on('packet', (packet: Packet) => this.#packets.push(packet));
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      parser.parse(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isClosed = true));
    scope.add(() => socket.destroy());
  }

  /** Opens a stream and says nothing. */
  static async open(scope: Scope, port: number, level: Level = 5): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Wire(scope, socket, level);
  }

  /** Opens a stream and connects; everything after CONNACK is left to be taken. */
  static async connected(
    scope: Scope,
    port: number,
    { level = 5, ...options }: ConnectOptions & { readonly level?: Level } = {},
  ): Promise<Wire> {
    const wire = await Wire.open(scope, port, level);
    const connack = await wire.connect(options);
    if ((connack.reasonCode ?? connack.returnCode) !== 0) throw new Error(JSON.stringify(connack));
    return wire;
  }

  /** A CONNECT of this level: a clean start under an id of its own, without keep-alive. */
  connectPacket(options: ConnectOptions = {}): IConnectPacket {
    return {
      cmd: 'connect',
      protocolId: this.level === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: this.level,
      clientId: uniqueId(),
      clean: true,
      keepalive: 0,
      ...options,
    };
  }

  connect(options: ConnectOptions = {}): Promise<IConnackPacket> {
    this.send(this.connectPacket(options));
    return this.next('connack');
  }

  /** Sends packets in one write. */
  send(...packets: readonly Packet[]): void {
    const options = { protocolVersion: this.level };
    this.sendBytes(...packets.map((packet) => mqttPacket.generate(packet, options)));
  }

  /** Sends bytes, given in hexadecimal digits or as they are, in one write. */
  sendBytes(...parts: readonly (string | Uint8Array)[]): void {
    this.#socket.write(Buffer.concat(parts.map(bytesOf)));
  }

  /** The next packet, which must be of this kind. */
  async next<Kind extends Packet['cmd']>(kind: Kind): Promise<PacketOf<Kind>> {
    await until(() => this.#packets.length > 0 || this.isClosed, DEADLINE_MS);
    const packet = this.#packets.shift();
    if (packet?.cmd !== kind)
      throw new Error(`${kind} expected, but came ${JSON.stringify(packet)?.slice(0, 300)}`);
    return packet as PacketOf<Kind>;
  }

  /** What came and was not taken, up to now: the server has answered a PINGREQ since. */
  async idle(): Promise<readonly Packet[]> {
    this.send({ cmd: 'pingreq' });
    const isAnswered = (): boolean => this.#packets.some(({ cmd }) => cmd === 'pingresp');
    await until(() => isAnswered() || this.isClosed, DEADLINE_MS);
    if (!isAnswered()) throw new Error('the connection has ended');
    return this.#packets.splice(0).filter(({ cmd }) => cmd !== 'pingresp');
  }

  /** Texts of the messages that came and were not taken, up to now. */
  async messages(): Promise<readonly string[]> {
    return (await this.idle()).filter(({ cmd }) => cmd === 'publish').map(textOf);
  }

  /** What came and was not taken, until the server has closed the connection. */
  async closed(): Promise<readonly Packet[]> {
    await until(() => this.isClosed, DEADLINE_MS);
    return this.#packets.splice(0);
  }

  /** The network is gone. */
  cut(): void {
    this.#socket.destroy();
  }

  /** Says goodbye. */
  async leave(): Promise<void> {
    this.send({ cmd: 'disconnect' });
    await this.closed();
  }

  /** Subscribes to filters with one QoS and gives the codes of SUBACK. */
  async subscribe(
    filters: string | readonly string[],
    qos: 0 | 1 | 2 = 0,
  ): Promise<readonly unknown[]> {
    const subscriptions = [filters].flat().map((topic) => ({ topic, qos }));
    this.send({ cmd: 'subscribe', messageId: this.nextId(), subscriptions });
    return (await this.next('suback')).granted;
  }

  /** Sends a PUBLISH and gives its packet identifier; 0 for QoS 0. */
  publish(topic: string, text: string, options: PublishOptions = {}): number {
    const qos = options.qos ?? 0;
    const messageId = options.messageId ?? (qos === 0 ? 0 : this.nextId());
    this.send({
      ...{ cmd: 'publish', topic, payload: Buffer.from(text), dup: false, qos, retain: false },
      ...(qos > 0 && { messageId }),
      ...options,
    } as IPublishPacket);
    return messageId;
  }

  /** Publishes with QoS 1 and waits for PUBACK: whoever receives the message at once has been sent it then. */
  async deliver(topic: string, text: string, options: PublishOptions = {}): Promise<void> {
    const messageId = this.publish(topic, text, { qos: 1, ...options });
    const place = (): number =>
      this.#packets.findIndex(
        (packet) => packet.cmd === 'puback' && packet.messageId === messageId,
      );
    await until(() => place() >= 0 || this.isClosed, DEADLINE_MS);
    if (place() < 0) throw new Error('no PUBACK, but the end of the connection');
    this.#packets.splice(place(), 1);
  }

  nextId(): number {
    this.#lastPacketId += 1;
    return this.#lastPacketId;
  }
}

/** The payload of a PUBLISH as text. */
export function textOf(packet: Packet): string {
  return packet.cmd === 'publish' ? packet.payload.toString() : packet.cmd;
}

function bytesOf(part: string | Uint8Array): Uint8Array {
  return typeof part === 'string' ? Buffer.from(part.replaceAll(' ', ''), 'hex') : part;
}
