import {
  PacketDecoder,
  encodePacket,
  type AckPacket,
  type ConnackPacket,
  type ConnectPacket,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
  type QoS,
  type SubscriptionRequest,
} from '#libs/mqtt-codec';
import { until } from './until.ts';

/** What a node is told of a client's stream: the TransportEvents of broker-core, structurally. */
export interface ClientSide {
  /** Bytes came; they are the node's until it returns. */
  received(chunk: Uint8Array): void;
  /** The peer has taken what was buffered. */
  drained(): void;
  /** The stream is gone; nothing follows. */
  ended(): void;
}

/** The packet of a kind. */
export type PacketOf<Kind extends Packet['kind']> = Kind extends AckPacket['kind']
  ? AckPacket
  : Extract<Packet, { readonly kind: Kind }>;

const DEADLINE_MS = 2000;

/** What a client connects with whose session lasts an hour longer than its connection. */
export const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

/**
 * A client without a network: a transport for a node, and the packets that went over it.
 *
 * @remarks Bytes reach the other side at once. What the node has sent counts as taken by the peer unless the
 * client is frozen.
 */
export class MemoryClient {
  readonly listener: string;
  readonly remoteAddress = '192.0.2.1';
  readonly version: ProtocolVersion;
  bufferedBytes = 0;
  /** While true the peer takes nothing: what is sent stays buffered. */
  isFrozen = false;
  isHeld = false;
  /** Whether the node has closed the stream. */
  isEnded = false;
  readonly #decoder = new PacketDecoder({ packetBytesMax: 268_435_455 });
  readonly #packets: Packet[] = [];
  readonly #waiting: Uint8Array[] = [];
  #node: ClientSide | undefined;
  #lastPacketId = 0;

  /** @param accept - the node's accept(). */
  constructor(
    accept: (transport: MemoryClient) => ClientSide,
    version: ProtocolVersion = 5,
    listener = 'memory',
  ) {
    this.version = version;
    this.listener = listener;
    this.#decoder.version = version;
    this.#node = accept(this);
  }

  /** The node's output. */
  send(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      if (this.isFrozen) this.bufferedBytes += chunk.length;
      this.#decoder.push(Uint8Array.from(chunk));
    }
    for (let packet = this.#decoder.read(); packet !== undefined; packet = this.#decoder.read()) {
      if (packet.kind === 'failure') throw new Error(`the node sent no MQTT: ${packet.message}`);
      this.#packets.push(packet);
    }
  }

  /** The node stops or goes on reading; what was written meanwhile comes then. */
  hold(held: boolean): void {
    this.isHeld = held;
    if (held) return;
    for (const chunk of this.#waiting.splice(0)) this.#node?.received(chunk);
  }

  /** The node closes the stream. */
  end(): void {
    this.isEnded = true;
    this.cut();
  }

  /** Sends packets in one chunk. */
  write(...packets: readonly Packet[]): void {
    this.writeBytes(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  /** Sends bytes; while the node does not read, they wait. */
  writeBytes(bytes: Uint8Array): void {
    if (this.isHeld) this.#waiting.push(bytes);
    else this.#node?.received(bytes);
  }

  /** The network is gone. */
  cut(): void {
    const node = this.#node;
    this.#node = undefined;
    node?.ended();
  }

  /** The peer takes what is buffered. */
  thaw(): void {
    this.isFrozen = false;
    this.bufferedBytes = 0;
    this.#node?.drained();
  }

  /** Sends CONNECT and waits for CONNACK. */
  async connect(options: Partial<ConnectPacket> = {}): Promise<ConnackPacket> {
    this.write(this.connectPacket(options));
    return await this.next('connack');
  }

  /** A CONNECT of this client's version: clean start, no keep-alive, client id `client`. */
  connectPacket(options: Partial<ConnectPacket> = {}): ConnectPacket {
    return {
      kind: 'connect',
      version: this.version,
      cleanStart: true,
      keepAlive: 0,
      clientId: 'client',
      ...options,
    };
  }

  /** Subscribes to one filter and gives the reason code of SUBACK. */
  async subscribe(
    filter: string,
    options: Partial<SubscriptionRequest> & { readonly identifier?: number } = {},
  ): Promise<number | undefined> {
    const { identifier, ...request } = options;
    this.write({
      kind: 'subscribe',
      packetId: this.nextPacketId(),
      subscriptions: [subscriptionRequest(filter, request)],
      ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
    });
    return (await this.next('suback')).reasonCodes[0];
  }

  /** Sends a PUBLISH and gives its packet id. */
  publish(topic: string, payload: string, options: Partial<PublishPacket> = {}): number {
    const packetId = options.packetId ?? (options.qos ? this.nextPacketId() : 0);
    this.write(publishPacket(topic, payload, { ...options, packetId }));
    return packetId;
  }

  /** The packet id after the last one: 1, 2, 3. */
  nextPacketId(): number {
    this.#lastPacketId += 1;
    return this.#lastPacketId;
  }

  /**
   * Takes the next packet, which must be of this kind.
   *
   * @throws Error when another packet comes, or none in time.
   */
  async next<Kind extends Packet['kind']>(kind: Kind): Promise<PacketOf<Kind>> {
    await until(() => this.#packets.length > 0, DEADLINE_MS).catch((cause: unknown) => {
      throw new Error(`no ${kind} came`, { cause });
    });
    const packet = this.#packets.shift();
    if (packet?.kind !== kind) throw new Error(`${kind} expected, but ${describe(packet)} came`);
    return packet as PacketOf<Kind>;
  }

  /** Takes a PUBLISH and gives its payload as text. */
  async nextText(): Promise<string> {
    return textOf((await this.next('publish')).payload);
  }

  /** Takes all packets that have come. */
  take(): Packet[] {
    return this.#packets.splice(0);
  }

  /** Takes all packets that have come, as the payloads of PUBLISH and the kinds of others. */
  takeTexts(): string[] {
    return this.take().map((packet) =>
      packet.kind === 'publish' ? textOf(packet.payload) : packet.kind,
    );
  }

  /** Waits until the node has closed the stream. */
  async closed(): Promise<void> {
    await until(() => this.isEnded, DEADLINE_MS);
  }
}

/** A PUBLISH of QoS 0 with a text, and what a test changes of it. */
export function publishPacket(
  topic: string,
  payload: string,
  options: Partial<PublishPacket> = {},
): PublishPacket {
  return {
    kind: 'publish',
    dup: false,
    qos: 0,
    retain: false,
    topic,
    packetId: 0,
    payload: Buffer.from(payload),
    ...options,
  };
}

/** What SUBSCRIBE asks for one filter: QoS 1 and the defaults of the rest. */
export function subscriptionRequest(
  filter: string,
  options: Partial<SubscriptionRequest> = {},
): SubscriptionRequest {
  const qos: QoS = 1;
  return { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, ...options };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function describe(packet: Packet | undefined): string {
  return packet?.kind === 'publish' ? `publish ${textOf(packet.payload)}` : String(packet?.kind);
}
