import {
  PacketDecoder,
  REASON,
  encodePacket,
  type ConnectPacket,
  type Packet,
} from '#libs/mqtt-codec';
import type { Link, Role } from '../faults/device.ts';
import { nameOf } from './sim-payload.ts';
import type { SimNode } from './sim-node.ts';
import type { SimWire } from './sim-wire.ts';
import type { Cancel, World } from './world.ts';

const PACKET_BYTES_MAX = 1_048_576;
const SESSION_EXPIRY_S = 7_200;
const RECEIVE_MAXIMUM = 1_024;
const CONNECT_TIMEOUT_MS = 6_000;
const BACKOFF_MS = { least: 20, most: 500 };

/** How a client connects. */
export interface SimDeviceOptions {
  readonly clientId: string;
  readonly version: 4 | 5;
  readonly nodes: readonly SimNode[];
  /** The index of the node that it tries first; after a failure it is the next one's turn. */
  readonly home: number;
  readonly role: Role;
  readonly keepAliveMs: number;
  readonly reconnects: boolean;
  /** False: its session ends with its connection. */
  readonly isDurable: boolean;
  readonly receiveMaximum?: number;
  /** The will of its next connection. */
  readonly will?: () => NonNullable<ConnectPacket['will']>;
  /** How long it takes to answer. */
  readonly thinkMs?: number;
}

type State = 'idle' | 'connecting' | 'connected' | 'ended';

/** A client that keeps a connection to one of the nodes, or has one only. */
export class SimDevice implements Link {
  readonly options: SimDeviceOptions;
  connections = 0;
  /** Why its connections have ended. */
  readonly ends: string[] = [];
  readonly #world: World;
  #state: State = 'idle';
  #wire: SimWire | undefined;
  #attempt: number;
  #heardAtMs = 0;
  #timer: Cancel | undefined;
  #output: Packet[] = [];
  #endReason: string | undefined;
  #isResting = false;

  constructor(world: World, options: SimDeviceOptions) {
    this.#world = world;
    this.options = options;
    this.#attempt = options.home;
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Its connection, if it has one. */
  get wire(): SimWire | undefined {
    return this.#wire;
  }

  /** Connects to the node whose turn it is. */
  connect(): void {
    if (this.#state !== 'idle' || this.#isResting) return;
    const { nodes, clientId, version, keepAliveMs, isDurable, will } = this.options;
    const node = nodes[this.#attempt % nodes.length];
    const decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
    decoder.version = version;
    this.#state = 'connecting';
    this.#set(CONNECT_TIMEOUT_MS, () => this.#giveUp('no CONNACK'));
    const wire = node?.accept({
      received: (chunk) => this.#read(this.#wire === wire ? decoder : undefined, chunk),
      closed: () => {
        if (this.#wire === wire) this.#closed();
      },
    });
    this.#wire = wire;
    this.#tell(() => `connects to ${node?.nodeId ?? 'nobody'}`);
    if (wire === undefined) {
      this.#endReason = 'refused';
      this.#set(this.#world.delay(0.1, 2), () => this.#closed());
      return;
    }
    const receiveMaximum = this.options.receiveMaximum ?? RECEIVE_MAXIMUM;
    this.#write({
      ...{ kind: 'connect', version, clientId, cleanStart: !isDurable },
      keepAlive: Math.ceil(keepAliveMs / 1_000),
      ...(will && { will: will() }),
      ...(version === 5 && {
        properties: { sessionExpiryInterval: isDurable ? SESSION_EXPIRY_S : 0, receiveMaximum },
      }),
    });
  }

  /** Packets of one moment leave together. */
  send(packet: Packet): void {
    if (this.#wire === undefined) return;
    this.#output.push(packet);
    if (this.#output.length > 1) return;
    const wire = this.#wire;
    this.#world.after(this.options.thinkMs ?? 0, () => {
      if (this.#wire === wire) this.#write(...this.#output.splice(0));
    });
  }

  /** Leaves with DISCONNECT until wake(); its session stays if it is durable. */
  rest(): void {
    this.#isResting = true;
    this.#write({ kind: 'disconnect', reasonCode: REASON.success });
    this.drop('left');
  }

  /** Connects again. */
  wake(): void {
    this.#isResting = false;
    this.connect();
  }

  abandon(): void {
    this.drop('abandoned');
  }

  /** Ends its connection without a word. */
  drop(reason: string): void {
    if (this.#wire === undefined) return;
    this.#endReason = reason;
    this.#wire.destroy();
    this.#closed();
  }

  /** Ends for good. */
  end(): void {
    this.#wire?.destroy();
    this.#wire = undefined;
    this.#state = 'ended';
    this.#timer?.();
  }

  #read(decoder: PacketDecoder | undefined, chunk: Uint8Array): void {
    if (decoder === undefined) return;
    this.#heardAtMs = this.#world.nowMs;
    const wire = this.#wire;
    decoder.push(chunk);
    for (let packet = decoder.read(); packet !== undefined; packet = decoder.read()) {
      if (packet.kind === 'failure')
        throw new Error(
          `a node sent no MQTT: ${packet.message}: ${Buffer.from(chunk).toString('hex')}`,
        );
      if (this.#wire !== wire) return;
      this.#handle(packet);
    }
  }

  #handle(packet: Packet): void {
    this.#tell(() => `gets ${describe(packet)}`);
    if (packet.kind === 'disconnect') {
      this.#endReason = `DISCONNECT ${String(packet.reasonCode)}`;
    } else if (this.#state === 'connected') {
      this.options.role.received(this, packet);
    } else if (packet.kind === 'connack' && packet.reasonCode === REASON.success) {
      this.#state = 'connected';
      this.connections += 1;
      this.#keepAlive();
      this.options.role.connected(this, packet);
    } else if (packet.kind === 'connack') {
      this.drop(`CONNACK ${String(packet.reasonCode)}`);
    }
  }

  #keepAlive(): void {
    const { keepAliveMs } = this.options;
    this.#set(keepAliveMs / 2, () => {
      const silentMs = this.#world.nowMs - this.#heardAtMs;
      if (silentMs > keepAliveMs) return this.#giveUp('silence');
      this.send({ kind: 'pingreq' });
      this.#keepAlive();
    });
  }

  #giveUp(reason: string): void {
    this.drop(reason);
  }

  #closed(): void {
    this.ends.push(this.#endReason ?? 'closed');
    this.#tell(() => `has no connection: ${this.ends.at(-1) ?? ''}`);
    this.#endReason = undefined;
    this.#wire = undefined;
    this.#output = [];
    this.#timer?.();
    if (!this.options.reconnects) {
      this.#state = 'ended';
      return;
    }
    this.#state = 'idle';
    this.#attempt += 1;
    this.#set(this.#world.delay(BACKOFF_MS.least, BACKOFF_MS.most), () => this.connect());
  }

  #write(...packets: readonly Packet[]): void {
    const { version } = this.options;
    for (const packet of packets) this.#tell(() => `sends ${describe(packet)}`);
    this.#wire?.write(Buffer.concat(packets.map((packet) => encodePacket(packet, version))));
  }

  #set(ms: number, run: () => void): void {
    this.#timer?.();
    this.#timer = this.#world.after(ms, run);
  }

  #tell(text: () => string): void {
    this.#world.tell(this.options.clientId, text);
  }
}

function describe(packet: Packet): string {
  switch (packet.kind) {
    case 'publish': {
      const dup = packet.dup ? ' dup' : '';
      return `publish ${nameOf(packet.payload)} qos ${String(packet.qos)} id ${String(packet.packetId)}${dup}`;
    }
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return `${packet.kind} ${String(packet.packetId)} code ${String(packet.reasonCode)}`;
    case 'connack':
      return `connack ${String(packet.reasonCode)}${packet.sessionPresent ? ' present' : ''}`;
    case 'connect':
    case 'subscribe':
    case 'suback':
    case 'unsubscribe':
    case 'unsuback':
    case 'pingreq':
    case 'pingresp':
    case 'disconnect':
    case 'auth':
      return packet.kind;
  }
}
