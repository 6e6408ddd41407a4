import { connect, type Socket } from 'node:net';
import {
  PacketDecoder,
  REASON,
  encodePacket,
  type ConnackPacket,
  type Packet,
} from '#libs/mqtt-codec';

const PACKET_BYTES_MAX = 1_048_576;
const SESSION_EXPIRY_S = 3_600;
/** Above what a broker sends unacknowledged by itself, so that its own bound counts. */
const RECEIVE_MAXIMUM = 1_024;
/** So long a client waits for CONNACK, or half as long as it bears silence. */
const CONNECT_TIMEOUT_MS = 6_000;
/** Pauses between attempts: between these, by chance. */
const BACKOFF_MS = { least: 100, most: 500 };

/** A connection, as what a client does with it sees it. */
export interface Link {
  readonly isConnected: boolean;
  /** Connections with a CONNACK so far. */
  readonly connections: number;
  send(packet: Packet): void;
  /** Ends the connection without a word. */
  abandon(): void;
}

/** What a client does with its connection. */
export interface Role {
  /** CONNACK came and was good. */
  connected(link: Link, connack: ConnackPacket): void;
  /** Any packet after it. */
  received(link: Link, packet: Packet): void;
}

/** How a client connects. */
export interface DeviceOptions {
  readonly clientId: string;
  readonly version: 4 | 5;
  /** Where it connects: the first at first, the next after each failure. */
  readonly ports: readonly number[];
  readonly role: Role;
  readonly random: () => number;
  /** Silence after which it gives a connection up. */
  readonly keepAliveMs: number;
  /** Whether it connects again when its connection ends. */
  readonly reconnects: boolean;
  /** Topic of its will, if it has one. */
  readonly will?: string | undefined;
}

/** The end of a connection, or of an attempt. */
export interface Departure {
  readonly atMs: number;
  /** The reason code of DISCONNECT or CONNACK, or what the client did or saw. */
  readonly why: string;
  readonly port: number;
  /** Where it was sent. */
  readonly serverReference: string | undefined;
  readonly wasConnected: boolean;
}

const hex = (reasonCode: number): string => `0x${reasonCode.toString(16)}`;

type State = 'idle' | 'connecting' | 'connected' | 'ended';

/** A client with a durable session that keeps a connection, as the clients of a fleet do. It has no timer: call tick(). */
export class Device implements Link {
  readonly options: DeviceOptions;
  connections = 0;
  readonly departures: Departure[] = [];
  /** When connections have begun. */
  readonly arrivalsMs: number[] = [];
  #state: State = 'idle';
  #socket: Socket | undefined;
  #ports: readonly number[];
  /** Counts up from the first port. */
  #attempt = 0;
  /** When to connect, give the attempt up, or ping. */
  #dueMs = 0;
  #heardAtMs = 0;
  #isCorked = false;
  #isFrozen = false;
  #endReason: string | undefined;
  #serverReference: string | undefined;

  constructor(options: DeviceOptions) {
    this.options = options;
    this.#ports = options.ports;
  }

  /** Why connections have ended. */
  get ends(): readonly string[] {
    return this.departures.map(({ why }) => why);
  }

  /** Where it is connected, or connects next. */
  get port(): number {
    return this.#ports[this.#attempt % this.#ports.length] ?? 0;
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** It has no connection and will not open one. */
  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Does what is due. */
  tick(nowMs: number): void {
    if (this.#isFrozen) return;
    switch (this.#state) {
      case 'idle':
        if (nowMs >= this.#dueMs) this.#connect(nowMs);
        return;
      case 'connecting':
        if (nowMs >= this.#dueMs) this.#giveUp('no CONNACK');
        return;
      case 'connected':
        this.#keepAlive(nowMs);
        return;
      case 'ended':
    }
  }

  send(packet: Packet): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      setImmediate(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    socket.write(encodePacket(packet, this.options.version));
  }

  /** Stops doing anything with its connection, as a process that hangs, or goes on. */
  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
    if (isFrozen) this.#socket?.pause();
    else this.#socket?.resume();
    this.#heardAtMs = performance.now();
  }

  /** Leaves with DISCONNECT; the session stays. */
  leave(): void {
    if (this.isConnected) {
      this.send({ kind: 'disconnect', reasonCode: REASON.success });
    }
    const socket = this.#socket;
    this.#socket = undefined;
    this.#state = 'ended';
    setImmediate(() => socket?.end());
  }

  /** Connects to other ports from now on. */
  moveTo(ports: readonly number[]): void {
    this.#ports = ports;
    this.#attempt = 0;
    if (this.#state === 'ended') this.#state = 'idle';
    this.#dueMs = 0;
  }

  abandon(): void {
    this.#giveUp('abandoned');
  }

  /** Ends at once, without DISCONNECT, and for good. */
  destroy(): void {
    this.#state = 'ended';
    this.#socket?.destroy();
  }

  #connect(nowMs: number): void {
    const { version, keepAliveMs } = this.options;
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    const decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
    decoder.version = version;
    this.#socket = socket;
    this.#state = 'connecting';
    this.#dueMs = nowMs + Math.max(CONNECT_TIMEOUT_MS, keepAliveMs / 2);
    this.#isCorked = false;
    socket.on('error', () => undefined);
    socket.on('connect', () => this.#sayHello());
    socket.on('data', (chunk) => this.#read(socket, decoder, chunk));
    socket.on('close', () => this.#closed(socket));
  }

  #sayHello(): void {
    const { clientId, version, keepAliveMs, will } = this.options;
    this.send({
      kind: 'connect',
      version,
      clientId,
      cleanStart: false,
      keepAlive: Math.ceil(keepAliveMs / 1_000),
      ...(will !== undefined && {
        will: { topic: will, payload: Buffer.from('gone'), qos: 1, retain: false },
      }),
      ...(version === 5 && {
        properties: { sessionExpiryInterval: SESSION_EXPIRY_S, receiveMaximum: RECEIVE_MAXIMUM },
      }),
    });
  }

  #read(socket: Socket, decoder: PacketDecoder, chunk: Buffer): void {
    this.#heardAtMs = performance.now();
    decoder.push(chunk);
    for (let packet = decoder.read(); packet !== undefined; packet = decoder.read()) {
      if (packet.kind === 'failure') throw new Error(`the broker sent: ${packet.message}`);
      if (this.#socket !== socket) return;
      this.#handle(packet);
    }
  }

  #handle(packet: Packet): void {
    if (packet.kind === 'disconnect') {
      this.#endReason = hex(packet.reasonCode);
      this.#serverReference = packet.properties?.serverReference;
    } else if (this.#state === 'connected') this.options.role.received(this, packet);
    else if (packet.kind === 'connack' && packet.reasonCode === REASON.success) {
      this.#state = 'connected';
      this.connections += 1;
      this.arrivalsMs.push(this.#heardAtMs);
      this.#dueMs = this.#heardAtMs + this.options.keepAliveMs / 2;
      this.options.role.connected(this, packet);
    } else {
      if (packet.kind === 'connack') {
        this.#endReason = `refused ${hex(packet.reasonCode)}`;
        this.#serverReference = packet.properties?.serverReference;
      }
      this.#socket?.destroy();
    }
  }

  #keepAlive(nowMs: number): void {
    if (nowMs - this.#heardAtMs > this.options.keepAliveMs) this.#giveUp('silence');
    else if (nowMs >= this.#dueMs) {
      this.#dueMs = nowMs + this.options.keepAliveMs / 2;
      this.send({ kind: 'pingreq' });
    }
  }

  #giveUp(why: string): void {
    this.#endReason = why;
    this.#socket?.destroy();
  }

  #closed(socket: Socket): void {
    if (this.#socket !== socket) return;
    const wasConnected = this.#state === 'connected';
    this.departures.push({
      atMs: performance.now(),
      why: this.#endReason ?? (wasConnected ? 'closed' : 'not connected'),
      port: this.port,
      serverReference: this.#serverReference,
      wasConnected,
    });
    this.#endReason = undefined;
    this.#serverReference = undefined;
    this.#socket = undefined;
    if (!this.options.reconnects || this.#state === 'ended') {
      this.#state = 'ended';
      return;
    }
    const { least, most } = BACKOFF_MS;
    this.#state = 'idle';
    this.#attempt += 1;
    this.#dueMs = performance.now() + least + this.options.random() * (most - least);
  }
}
