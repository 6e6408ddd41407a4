import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PacketDecoder, encodePacket, type Packet } from '#libs/mqtt-codec';
import { until } from '#libs/testkit';
import type { Scope } from './scope.ts';

const VERSION = 4;
const PACKET_BYTES_MAX = 1_048_576;
const DEADLINE_MS = 15_000;
/** The slow one reads 100 bytes ten times a second. */
const SIP_MS = 100;
const SIP_BYTES = 100;
/** What one write of a flood holds. */
const FLOOD_PACKETS = 1_000;

/** How a receiver treats what it is sent: reads and acknowledges, reads nothing, reads 1 KB/s, or acknowledges nothing. */
export type Behaviour = 'normal' | 'frozen' | 'slow' | 'silent';

/** A receiver with a persistent session that behaves as it is told; payloads begin with a number. */
export class Receiver {
  /** The numbers received, by topic. */
  readonly numbers = new Map<string, number[]>();
  readonly #socket: Socket;
  readonly #decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
  readonly #kinds = new Set<Packet['kind']>();
  #withheld: number[] = [];
  #isSilent = false;
  #sip: ReturnType<typeof setInterval> | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#decoder.version = VERSION;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => undefined);
  }

  /** Connects and subscribes with QoS 1. */
  static async open(scope: Scope, port: number, filter: string): Promise<Receiver> {
    const receiver = new Receiver(await opened(scope, port));
    scope.add(() => receiver.leave());
    receiver.#send({ ...CONNECT, clientId: 'receiver', cleanStart: false });
    const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = [{ filter, qos: 1, ...options }] as const;
    receiver.#send({ kind: 'subscribe', packetId: 1, subscriptions });
    await until(() => receiver.#kinds.has('suback'), DEADLINE_MS);
    return receiver;
  }

  get receivedCount(): number {
    return [...this.numbers.values()].reduce((sum, { length }) => sum + length, 0);
  }

  behave(how: Behaviour): void {
    clearInterval(this.#sip);
    this.#isSilent = how === 'silent';
    if (how === 'frozen' || how === 'slow') this.#socket.pause();
    else this.#socket.resume();
    if (how === 'slow') {
      // While a stream is paused, read() hands its bytes to the listener of 'data'.
      const sip = (): unknown =>
        this.#socket.read(Math.min(SIP_BYTES, this.#socket.readableLength));
      this.#sip = setInterval(sip, SIP_MS);
    }
    if (how === 'normal')
      for (const packetId of this.#withheld.splice(0)) this.#acknowledge(packetId);
  }

  /** Leaves without a word. */
  leave(): void {
    clearInterval(this.#sip);
    this.#socket.destroy();
  }

  #read(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    for (let packet = this.#decoder.read(); packet !== undefined; packet = this.#decoder.read()) {
      if (packet.kind === 'failure') throw new Error(`no MQTT: ${packet.message}`);
      this.#kinds.add(packet.kind);
      if (packet.kind !== 'publish') continue;
      const numbers = this.numbers.get(packet.topic) ?? [];
      this.numbers.set(packet.topic, numbers);
      numbers.push(Number.parseInt(Buffer.from(packet.payload).toString('latin1'), 10));
      if (packet.qos === 0) continue;
      if (this.#isSilent) this.#withheld.push(packet.packetId);
      else this.#acknowledge(packet.packetId);
    }
  }

  #acknowledge(packetId: number): void {
    this.#send({ kind: 'puback', packetId, reasonCode: 0 });
  }

  #send(packet: Packet): void {
    this.#socket.write(encodePacket(packet, VERSION));
  }
}

/** A publisher that writes QoS 0 messages as fast as its socket takes them, until it is stopped. */
export class Flooder {
  #isRunning = true;
  #flood: Promise<void> = Promise.resolve();

  static async open(scope: Scope, port: number, topic: string): Promise<Flooder> {
    const flooder = new Flooder();
    const socket = await opened(scope, port);
    scope.add(() => flooder.stop());
    socket.resume();
    socket.write(encodePacket({ ...CONNECT, clientId: 'flooder', cleanStart: true }, VERSION));
    flooder.#flood = flooder.#write(socket, topic);
    return flooder;
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#flood;
  }

  async #write(socket: Socket, topic: string): Promise<void> {
    const payload = Buffer.alloc(64, 'x');
    const head = { kind: 'publish', dup: false, qos: 0, retain: false, packetId: 0 } as const;
    const packet = encodePacket({ ...head, topic, payload }, VERSION);
    const many = Buffer.concat(Array.from({ length: FLOOD_PACKETS }, () => packet));
    while (this.#isRunning) {
      await new Promise((resolve) => socket.write(many, resolve));
      if (socket.destroyed) throw new Error('the flooder was cut off');
    }
    socket.destroy();
  }
}

const CONNECT = { kind: 'connect', version: VERSION, keepAlive: 0 } as const;

async function opened(scope: Scope, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  scope.add(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}
